import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readPolicyFiles, UnreadablePolicies } from '../../src/policy/files.ts'

let directory = ''

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'policies-'))
})
afterEach(() => rm(directory, { recursive: true }))

const put = (name: string, text: string | Uint8Array = name) => writeFile(join(directory, name), text)
const names = async () =>
  (await readPolicyFiles(directory)).map(({ file }) => file.slice(directory.length + 1))

describe('Policy files', () => {
  it('are the *.yaml and *.yml of a directory, by name, and nothing hidden', async () => {
    for (const name of ['b.yaml', 'a.yml', 'B.yaml', '.c.yaml', 'notes.md', 'd.yaml.bak', 'schema.json'])
      await put(name)
    expect(await names()).toEqual(['B.yaml', 'a.yml', 'b.yaml'])
  })

  it('are read once from a ConfigMap mount, whose names are links into a dated directory', async () => {
    await mkdir(join(directory, '..2026_10_01'))
    await put('..2026_10_01/chat.yaml', 'kind: ScalingPolicy')
    await symlink('..2026_10_01', join(directory, '..data'))
    await symlink('..data/chat.yaml', join(directory, 'chat.yaml'))
    expect(await readPolicyFiles(directory)).toEqual([
      { file: join(directory, 'chat.yaml'), text: 'kind: ScalingPolicy' },
    ])
  })

  it('may be a single file of any name', async () => {
    await put('policy.txt', 'a: 1')
    const file = join(directory, 'policy.txt')
    expect(await readPolicyFiles(file)).toEqual([{ file, text: 'a: 1' }])
  })

  it('are refused by name where they are not there, cannot be read or are too large', async () => {
    const missing = join(directory, 'nowhere')
    await expect(readPolicyFiles(missing)).rejects.toThrow(UnreadablePolicies)
    await expect(readPolicyFiles(missing)).rejects.toThrow(`policies at ${missing} cannot be read: ENOENT`)
    await mkdir(join(directory, 'folder.yaml'))
    await expect(readPolicyFiles(directory)).rejects.toThrow('EISDIR')
    await rm(join(directory, 'folder.yaml'), { recursive: true })
    await put('large.yaml', 'x'.repeat(1_048_577))
    await expect(readPolicyFiles(directory)).rejects.toThrow('1048577 bytes, at most 1048576')
  })
})
