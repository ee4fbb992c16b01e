// `plan --what-if` and `plan --sweep` as a person types them: what is printed, what the exit code says, and that the
// figures are those of the plans themselves.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { runProgram } from '../../src/cli/program.ts'
import { progress } from '../../src/cli/progress.ts'
import { chatAt } from '../cli/observations.ts'
import { mixscaler, scratch } from '../cli/run.ts'

const directory = scratch()
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const recording = join(directory, 'twelve.json')
writeFileSync(recording, JSON.stringify(chatAt(12)))
/** The smallest policy, with the safety that the figures below were worked out for. */
const policyFile = join(directory, 'policy.yaml')
const smallest = readFileSync('policies/smallest.yaml', 'utf8')
writeFileSync(policyFile, `${smallest}  behavior: { forecastQuantile: 90%, headroom: 10% }\n`)
const basis = ['plan', '-p', policyFile, '--observation', recording]

async function plan(...args: readonly string[]) {
  let out = ''
  let error = ''
  const exitCode = await runProgram([...basis, ...args], {
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

describe('--what-if', () => {
  test('prints the plan under it and one line against the plan without', async () => {
    const { exitCode, out } = await mixscaler(...basis, '--what-if', 'demand=2x')
    expect(exitCode).toBe(0)
    expect(out).toMatch(/^Plan for 2025-10-09T09:00:00Z, what if demand=2x$/m)
    expect(out).toMatch(/^chat +24\.0 +29\.3 +0\.00/m)
    expect(out.replaceAll('\n', ' ')).toContain(
      'Against the plan without demand=2x: cost $62.00/h -> $124.00/h (+100 %); GPUs h100 20 -> 40; nothing is short in either',
    )
  })

  test('ends with 4 and says what is short where the what-if makes it so', async () => {
    const { exitCode, out } = await plan('--what-if', 'demand=2x, pool.h100=24')
    expect(exitCode).toBe(4)
    expect(out).toMatch(/short:\s+chat\/llama-70b\/chat 0\.00 -> 10\.\d req\/s/)
    expect(out).toContain('pool h100 has no more than 24 GPUs')
  })

  test('prices and bounds of the what-if are those of the table', async () => {
    const { out } = await plan('--what-if', 'price.h100=2.5,variant.h100-tp4.min=6')
    expect(out).toMatch(/^h100-tp4 +3 +6 +6 +30\.00 +60\.00/m)
  })

  test('as JSON and YAML the plan carries both totals', async () => {
    const json = JSON.parse((await plan('--what-if', 'demand=2x', '-o', 'json')).out)
    expect(json.whatIf).toEqual({
      change: 'demand=2x',
      without: { costPerHour: expect.closeTo(62), gpus: { h100: 20 }, shortfall: {} },
      with: { costPerHour: json.costPerHour.plan, gpus: { h100: 40 }, shortfall: {} },
    })
    expect(parse((await plan('--what-if', 'demand=2x', '-o', 'yaml')).out)).toEqual(json)
  })

  test('names every wrong part, and what was probably meant', async () => {
    const { exitCode, error } = await plan('--what-if', 'dmand=2x,variant.h100.max=3,slo.cha.itl=60ms')
    expect(exitCode).toBe(2)
    expect(error).toContain('unknown key "dmand"')
    expect(error).toContain('Did you mean "demand"?')
    expect(error).toContain('no variant "h100"; there are h100-tp4')
    expect(error).toContain('Did you mean "chat"?')
  })
})

describe('--sweep', () => {
  test('prints one row per value: cost, replicas, GPUs, what is short and why', async () => {
    const { exitCode, out } = await plan('--sweep', 'demand=1x..3x:3')
    expect(exitCode).toBe(4)
    expect(`\n${out}`).toMatchInlineSnapshot(`
      "
      Sweep of demand=1x..3x:3 for 2025-10-09T09:00:00Z

      chat/llama-70b
      VALUE     $/H  h100-tp4  h100 GPUS  SHORT/S  LIMITED BY
      1x      62.00         5         20     0.00  ITL
      2x     124.00        10         40     0.00  ITL
      3x     148.80        12         48     6.43  max of h100-tp4, ITL
      "
    `)
  })

  test('every row is what the plan says under that what-if', async () => {
    const swept = JSON.parse(
      (await plan('--what-if', 'pool.h100=40', '--sweep', 'demand=0.5x..3x:3', '-o', 'json')).out,
    )
    expect(swept.whatIf).toBe('pool.h100=40')
    expect(swept.steps.map((step: { value: string }) => step.value)).toEqual(['0.5x', '1.75x', '3x'])
    for (const step of swept.steps) {
      const whatIf = `pool.h100=40,demand=${step.value}`
      const planned = JSON.parse((await plan('--what-if', whatIf, '-o', 'json')).out)
      expect(step).toMatchObject(planned.whatIf.with)
      expect(step.policies[0].replicas).toEqual({ 'h100-tp4': planned.policies[0].variants[0].wanted })
    }
  })

  test('says what a sweep looks like where it cannot read one, and which value it cannot apply', async () => {
    expect(await plan('--sweep', 'demand=1x')).toMatchObject({
      exitCode: 2,
      error: expect.stringContaining('must be KEY=FROM..TO:STEPS'),
    })
    expect(await plan('--sweep', 'pool.h100=1..2:3')).toMatchObject({
      exitCode: 2,
      error: expect.stringContaining('must be a whole number of GPUs, such as 64: got "1.5"'),
    })
  })
})

describe('progress', () => {
  function watched(columns: number | undefined, seconds: readonly number[]): string {
    let text = ''
    const times = [...seconds]
    const shown = progress(
      {
        out: () => undefined,
        error: (more) => {
          text += more
        },
        ...(columns === undefined ? {} : { columns }),
        env: {},
        signal: new AbortController().signal,
      },
      'planned',
      3,
      { now: () => times.shift() ?? 0 },
    )
    for (const parts of [1, 2, 3]) shown.done(parts)
    shown.end()
    return text
  }

  test('is shown on a terminal after two seconds, and taken away at the end', () => {
    expect(watched(80, [0, 1, 2.5, 4])).toBe(`\rplanned: 2 of 3\rplanned: 3 of 3\r${' '.repeat(15)}\r`)
  })

  test('is not shown where it is quick or nobody watches', () => {
    expect(watched(80, [0, 0.5, 1, 1.5])).toBe('')
    expect(watched(undefined, [0, 5, 10, 15])).toBe('')
  })
})
