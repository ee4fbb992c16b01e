import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findAccess } from '../../src/kubernetes/access.ts'

const kubeconfig = (currentContext: string) => `
apiVersion: v1
kind: Config
clusters: [{ name: c, cluster: { server: 'https://127.0.0.1:6443' } }]
users: [{ name: u, user: {} }]
contexts: [{ name: here, context: { cluster: c, user: u } }]
current-context: ${currentContext}
`

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'access-'))
})

afterEach(() => rmSync(directory, { recursive: true }))

function withFile(content: string) {
  const file = join(directory, 'config')
  writeFileSync(file, content)
  return findAccess({ KUBECONFIG: file })
}

test('a kubeconfig with a current cluster gives access', () => {
  expect(withFile(kubeconfig('here'))).toMatchObject({ kind: 'configured', from: 'kubeconfig' })
})

test('of several kubeconfig files the first that names a context wins; those missing are passed over', () => {
  const files = ['first', 'second'].map((name) => {
    const file = join(directory, name)
    writeFileSync(file, kubeconfig('here').replaceAll(/\b(here|c|u)\b(?!:)/g, `$1-${name}`))
    return file
  })
  const access = findAccess({ KUBECONFIG: [join(directory, 'absent'), ...files].join(delimiter) })
  expect(access.kind === 'configured' ? access.config.currentContext : access.why).toBe('here-first')
})

test.each([
  ['no file at all', () => findAccess({ HOME: directory }), /no service account and no kubeconfig/],
  ['a file that is no YAML', () => withFile('{ broken'), /cannot be read/],
  ['an empty file', () => withFile(''), /cannot be read/],
  ['a context that does not exist', () => withFile(kubeconfig('elsewhere')), /no current cluster/],
])('%s means going without, with the reason', (_, find, why) => {
  const access = find()
  expect(access.kind === 'notConfigured' ? access.why : '').toMatch(why)
})
