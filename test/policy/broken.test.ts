import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readPolicyFiles } from '../../src/policy/files.ts'
import { loadPolicies } from '../../src/policy/load.ts'
import { problemExcerpt, problemText } from '../../src/policy/problem.ts'
import type { PolicyFile } from '../../src/policy/tree.ts'
import { resolveProfile } from './profiles.ts'

// Each file, or directory of files that are loaded together, says in its last lines what must be said of it:
// `# ! message`. Messages of several files are sorted by file.
const root = new URL('broken/', import.meta.url).pathname
const cases = await readdir(root)

describe('A broken policy is refused with every problem, each with its place, value and what is allowed', () => {
  it.each(cases)('%s', async (name) => {
    const files = await named(name)
    const result = loadPolicies(files, resolveProfile)
    const said = result.kind === 'invalid' ? result.problems.map(problemText) : []
    expect(said).toEqual(files.flatMap(expectations))
    expect(said.length).toBeGreaterThan(0)
  })

  it('and there are at least 25 of them', () => {
    expect(cases.length).toBeGreaterThanOrEqual(25)
  })

  it('in the same words, whatever the order of the files', async () => {
    const files = await named('between-files')
    const said = (order: readonly PolicyFile[]) => {
      const result = loadPolicies(order, resolveProfile)
      return result.kind === 'invalid' ? result.problems : []
    }
    expect(said(files.toReversed()).map(({ file, path, message }) => ({ file, path, message }))).not.toEqual(
      [],
    )
    expect(said(files.toReversed())).toEqual(said(files))
  })

  it('and the line it stands in, with a caret under the place', async () => {
    const result = loadPolicies(await named('negative-slo.yaml'), resolveProfile)
    if (result.kind !== 'invalid' || result.problems[0] === undefined) throw new Error('expected a problem')
    expect(problemExcerpt(result.problems[0])).toBe(
      [
        'spec.classes[0].slo.ttft.p95 must be greater than 0s: got "-1s" (negative-slo.yaml:8:27)',
        '8 |       slo: { ttft: { p95: "-1s" }, itl: { p95: 0s } }',
        '                              ^',
      ].join('\n'),
    )
  })
})

async function named(name: string): Promise<readonly PolicyFile[]> {
  const files = await readPolicyFiles(join(root, name))
  return files.map(({ file, text }) => ({ file: basename(file), text }))
}

function expectations({ text }: PolicyFile): readonly string[] {
  return text.split('\n').flatMap((line) => (line.startsWith('# ! ') ? [line.slice(4)] : []))
}
