// The profile commands as a person types them: files in, text and exit codes out.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { profile } from '../../src/cli/profile.ts'
import { runProgram } from '../../src/cli/program.ts'
import { scratch } from '../cli/run.ts'
import { runsHeader, vllmResult } from './files.ts'

const folder = scratch()
mkdirSync(folder, { recursive: true })
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

async function mixscaler(
  ...argv: readonly string[]
): Promise<{ exitCode: number; out: string; error: string }> {
  let out = ''
  let error = ''
  const exitCode = await runProgram(argv, {
    out: (text) => {
      out += text
    },
    error: (text) => {
      error += text
    },
    env: {},
    signal: new AbortController().signal,
  })
  return { exitCode, out, error }
}

/** T(n) = 8 + 0.1 n and a prompt of 12 + 0.05 per token, over three shapes. */
const clean = [
  runsHeader,
  ...[
    [64, 256],
    [1024, 1024],
    [4096, 64],
  ].flatMap(([prompt = 0, output = 0]) =>
    [1, 4, 16, 32].map((clients) =>
      [
        'acme/chat-13b',
        'l40s',
        2,
        prompt,
        output,
        clients,
        12 + 0.05 * prompt + clients,
        8 + 0.1 * clients + (clients * prompt) / 40_000,
      ].join(','),
    ),
  ),
].join('\n')

describe('mixscaler profile', () => {
  it('explains itself and each of its commands', async () => {
    const { exitCode, out } = await mixscaler('profile', '--help')
    expect(exitCode).toBe(0)
    for (const name of ['show', 'recipe', 'lint', 'fit', 'import']) {
      expect(out).toContain(`\n  ${name}`)
      const help = await mixscaler('profile', name, '--help')
      expect(help.exitCode).toBe(0)
      expect(help.out).toContain(`Usage: mixscaler profile ${name}`)
      expect(help.out).toContain('Examples:')
    }
    expect((await mixscaler('profile')).exitCode).toBe(2)
    expect((await mixscaler('profile', 'lnt')).error).toContain('unknown command "lnt". Did you mean "lint"?')
    expect(profile.summary).toContain('how fast an engine is')
  })

  it('import says what it understood, and its JSON is read back by fit', async () => {
    const csv = file('clean.csv', clean)
    const table = await mixscaler('profile', 'import', csv)
    expect(table.out).toContain(`${csv}: CSV`)
    expect(table.out).toMatch(/\n +12 +0 +0 +0 {2}acme\/chat-13b on l40s TP2, engine not stated\n/)
    const { out } = await mixscaler('profile', 'import', csv, '--output', 'json')
    const back = await mixscaler('profile', 'fit', file('imported.json', out))
    const direct = await mixscaler('profile', 'fit', csv)
    expect(back.out.replace('imported.json', 'clean.csv').replace('imported.json', 'clean.csv')).toBe(
      direct.out,
    )
  })

  it('lint ends with 0 on clean files and with 4 where it finds something, a file of no known format included', async () => {
    expect(await mixscaler('profile', 'lint', file('clean.csv', clean))).toEqual({
      exitCode: 0,
      out: 'nothing found\n',
      error: '',
    })
    const spoiled = file('spoiled.csv', `${clean}\nacme/chat-13b,l40s,2,64,256,64,0.09,0.012`)
    const { exitCode, out } = await mixscaler('profile', 'lint', spoiled)
    expect(exitCode).toBe(4)
    expect(out).toContain('these look like seconds')
    expect(out).toContain(`${spoiled} row 14: fit leaves these rows out`)
    const json = await mixscaler('profile', 'lint', spoiled, file('notes.txt', 'hello'), '-o', 'json')
    expect(json.exitCode).toBe(4)
    expect(JSON.parse(json.out).findings.map(({ defect }: { defect: string }) => defect)).toEqual([
      'unreadable',
      'units',
    ])
  })

  it('fit prints YAML, JSON and a table, and writes the plot', async () => {
    const csv = file('clean.csv', clean)
    const plot = join(folder, 'fit.svg')
    const yaml = await mixscaler('profile', 'fit', csv, '--plot', plot)
    expect(yaml.exitCode).toBe(0)
    expect(yaml.out).toMatch(/^# chat-13b\/l40s-tp2: /)
    expect(readFileSync(plot, 'utf8')).toMatch(/^<svg /)
    expect((await mixscaler('profile', 'fit', csv, '-o', 'table')).out).toMatch(
      /\n +12 +\w+ .*chat-13b\/l40s-tp2 \(engine not stated\)\n/,
    )
    expect(JSON.parse((await mixscaler('profile', 'fit', csv, '-o', 'json')).out).profiles).toHaveLength(1)
  })

  it('fit ends with 1 where nothing can be fitted, and says why', async () => {
    const few = file('few.json', JSON.stringify([vllmResult()]))
    const { exitCode, out } = await mixscaler('profile', 'fit', few)
    expect(exitCode).toBe(1)
    expect(out).toContain('not fitted: a fit needs at least 3 usable rows of one set-up: got 1')
    const none = await mixscaler('profile', 'fit', few, '--gpu', 'h200')
    expect(none).toMatchObject({ exitCode: 1 })
    expect(none.error).toContain('no rows of that model, GPU and TP')
    expect((await mixscaler('profile', 'fit', join(folder, 'missing.json'))).error).toContain(
      'cannot be read: ENOENT',
    )
    expect(await mixscaler('profile', 'fit')).toMatchObject({ exitCode: 2 })
    expect((await mixscaler('profile', 'fit', few, '--tp', '0')).error).toContain(
      '--tp must be a whole number, at least 1: got "0"',
    )
  })

  it('recipe prints a script for the set-up that was named', async () => {
    const { out } = await mixscaler(
      'profile',
      'recipe',
      '--model',
      'acme/chat-13b',
      '--gpu',
      'l40s',
      '--tp',
      '2',
    )
    expect(out).toMatch(/^#!\/usr\/bin\/env bash\n# Measures one replica of acme\/chat-13b on l40s TP2/)
  })

  it('show lists the library, narrows it, and says what one profile carries', async () => {
    const all = await mixscaler('profile', 'show')
    expect(all.out).toContain('llama-3.1-8b/h100-tp1 ')
    const h200 = await mixscaler('profile', 'show', '--gpu', 'NVIDIA-H200', '--tp', '4')
    const names = h200.out.trim().split('\n').slice(1)
    expect(names.length).toBeGreaterThan(1)
    expect(names.every((line) => line.includes('/h200-tp4'))).toBe(true)
    const one = await mixscaler('profile', 'show', 'llama-3.1-8b/h100-tp1')
    expect(one.out).toContain('1000/200 tokens within TTFT p95 1000 ms and ITL p95 50 ms: 13.')
    expect(one.out).toMatch(/requests\/s, limited by \w/)
    const guessed = await mixscaler(
      'profile',
      'show',
      '--model',
      'Qwen/Qwen3-32B',
      '--gpu',
      'h100',
      '--tp',
      '2',
      '-o',
      'json',
    )
    expect(JSON.parse(guessed.out)).toMatchObject({
      profile: { quality: 'guess' },
      capacity: { kind: 'feasible' },
    })
    expect(await mixscaler('profile', 'show', 'llama-3.1-8b/h100-tp9')).toMatchObject({ exitCode: 1 })
  })
})
