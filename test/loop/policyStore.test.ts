// Policies reload when the files change, and a bad file never replaces a good one.
import { expect, test } from 'vitest'
import {
  type LoadedPolicies,
  type PolicyFiles,
  type PolicyStatus,
  policyStore,
} from '../../src/loop/policyStore.ts'
import { policyOf, policySetOf } from './values.ts'

const first = policySetOf([policyOf({ name: 'first' })])
const inForce = { policies: first, warnings: [], fingerprint: 'one' }
const second = policySetOf([policyOf({ name: 'second' })])

/** A directory that tests write to: contents in, fingerprint and policies out. */
function directory(loaded: Readonly<Record<string, LoadedPolicies>>, contents: string) {
  let now = contents
  let reads: (() => string)[] = []
  const changes: PolicyStatus[] = []
  const read = async (): Promise<PolicyFiles> => {
    const text = reads.shift()?.() ?? now
    return {
      fingerprint: text,
      load: () => loaded[text] ?? { kind: 'bad', problems: [`no such contents ${text}`] },
    }
  }
  return {
    changes,
    ports: {
      read,
      now: () => 1000,
      changed: (_: unknown, status: PolicyStatus) => void changes.push(status),
    },
    write: (text: string) => {
      now = text
    },
    readNext: (...answers: (() => string)[]) => {
      reads = answers
    },
  }
}

const contents: Readonly<Record<string, LoadedPolicies>> = {
  one: { kind: 'good', policies: first, warnings: [] },
  two: { kind: 'good', policies: second, warnings: ['max is below what chat needs'] },
  broken: { kind: 'bad', problems: ['spec.model is missing (chat.yaml:3:1)'] },
}

test('files that stay the same are not loaded again', async () => {
  const { ports, changes } = directory(contents, 'one')
  const store = policyStore(ports, inForce)
  expect(await store.refresh()).toBe(first)
  expect(changes).toEqual([])
})

test('new contents are in force from the next look on', async () => {
  const { ports, write, changes } = directory(contents, 'one')
  const store = policyStore(ports, inForce)
  write('two')
  expect(await store.refresh()).toBe(second)
  expect(changes).toEqual([{ loadedAt: 1000, problems: [], warnings: ['max is below what chat needs'] }])
})

test('a bad file leaves the good policies in force, says why once, and goes away with the repair', async () => {
  const { ports, write, changes } = directory(contents, 'one')
  const store = policyStore(ports, inForce)
  write('broken')
  expect(await store.refresh()).toBe(first)
  expect(await store.refresh()).toBe(first)
  expect(changes).toEqual([
    { loadedAt: 1000, problems: ['spec.model is missing (chat.yaml:3:1)'], warnings: [] },
  ])
  write('one')
  expect(await store.refresh()).toBe(first)
  expect(store.status().problems).toEqual([])
})

test('files that change between two readings wait for the next look', async () => {
  const { ports, readNext, write } = directory(contents, 'one')
  const store = policyStore(ports, inForce)
  write('two')
  readNext(
    () => 'half of two',
    () => 'two',
  )
  expect(await store.refresh()).toBe(first)
  expect(store.status().problems).toEqual([])
  expect(await store.refresh()).toBe(second)
})

test('a directory that cannot be read is a problem until it can', async () => {
  const { ports, readNext } = directory(contents, 'one')
  const store = policyStore(ports, inForce)
  readNext(() => {
    throw new Error('EACCES: permission denied')
  })
  expect(await store.refresh()).toBe(first)
  expect(store.status().problems).toEqual(['policies cannot be read: EACCES: permission denied'])
  await store.refresh()
  expect(store.status().problems).toEqual([])
})
