// `backtest --prometheus`: the past of a simulated fleet in a real Prometheus, played again from there and from the file that
// is saved on the way, and held against the requests that the fleet really got.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { meanOf } from '../../src/backtest/traffic/lengthPoints.ts'
import { readRates } from '../../src/backtest/traffic/readRates.ts'
import { runProgram } from '../../src/cli/program.ts'
import { resolveFrom } from '../../src/core/profiles/library.ts'
import { measuredProfiles } from '../../src/core/profiles/measured.ts'
import { fleetSettings } from '../../src/demo/scenario.ts'
import { loadPolicies } from '../../src/policy/load.ts'
import { renewalArrivals } from '../../src/simulation/arrivals.ts'
import { lognormalLengths } from '../../src/simulation/lengths.ts'
import type { Request } from '../../src/simulation/request.ts'
import { type Ended, scratch } from '../cli/run.ts'
import { startPastPrometheus } from '../stage/pastPrometheus.ts'
import type { RealPrometheus } from '../stage/prometheus.ts'

const policyText = `apiVersion: mixscaler.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: llama-8b, namespace: chat }
spec:
  model: meta-llama/Llama-3.1-8B-Instruct
  servedNames: [llama-3.1-8b]
  classes:
    - name: chat
      slo: { ttft: { p95: 1s }, itl: { p95: 50ms } }
  variants:
    - name: h100
      scaleTarget: { kind: Deployment, name: llama-8b }
      accelerator: { type: h100, count: 1 }
      cost: $3.90/h
      replicas: { min: 1, max: 8 }
      startup: 60s
    - name: never-run
      scaleTarget: { kind: Deployment, name: llama-8b-spare }
      accelerator: { type: a100-80gb, count: 1 }
      cost: $3.80/h
      replicas: { min: 0, max: 4 }
`
const directory = scratch()
const policy = join(directory, 'policy.yaml')
writeFileSync(policy, policyText)

const seconds = 4500
/** Nothing is scraped for a while, and later for a long while. */
const unscraped = [
  { fromSeconds: 2410, untilSeconds: 2530 },
  { fromSeconds: 3610, untilSeconds: 3920 },
]
const windowSeconds = 60
const epochSeconds = Math.floor(Date.now() / 1000 / windowSeconds) * windowSeconds - seconds - 300
/** Before the long gap. */
const to = epochSeconds + 3540

let arrived: readonly Request[]
let prometheus: RealPrometheus

beforeAll(async () => {
  const loaded = loadPolicies([{ file: 'policy.yaml', text: policyText }], resolveFrom(measuredProfiles))
  const [first] = loaded.kind === 'loaded' ? loaded.policies.policies : []
  if (first === undefined) throw new Error(JSON.stringify(loaded))
  arrived = [
    ...renewalArrivals({
      rate: (at) => 24 * (1 + 0.5 * Math.sin(at / 700)),
      lengths: lognormalLengths(1155, 211, 0.85),
      ...{ seed: 7, cv: 1, classIndex: 0, fromSeconds: 0, untilSeconds: seconds },
    }),
  ]
  prometheus = await startPastPrometheus({
    settings: fleetSettings(first, { h100: 3, 'never-run': 0 }, 7),
    arrivals: arrived[Symbol.iterator](),
    scale: [
      { atSeconds: 700, variant: 'llama-8b', replicas: 5 },
      { atSeconds: 1900, variant: 'llama-8b', replicas: 2 },
      { atSeconds: 3000, variant: 'llama-8b', replicas: 5 },
    ],
    ...{ epochSeconds, seconds, unscraped },
  })
}, 120_000)

afterAll(() => prometheus?.close(), 30_000)

async function backtest(...args: readonly string[]): Promise<Ended> {
  const said = { out: '', error: '' }
  const exitCode = await runProgram(['backtest', '--policy', policy, '--fidelity', 'fluid', ...args], {
    out: (text) => {
      said.out += text
    },
    error: (text) => {
      said.error += text
    },
    env: {},
    signal: new AbortController().signal,
  })
  return { exitCode, ...said }
}

const observed = (...args: readonly string[]) =>
  backtest('--prometheus', prometheus.url, '--from', String(epochSeconds), ...args)

describe('traffic straight from Prometheus', () => {
  const saved = join(directory, 'saved')
  const file = join(saved, 'chat.csv')
  let said = ''
  const report = (name: string) => join(directory, `${name}.json`)

  it('gives byte for byte the backtest of the same traffic from the file it saves', async () => {
    const one = await observed(
      ...['--to', String(to), '--save-traffic', saved, '-o', 'json', '--report', report('one')],
    )
    expect([one.exitCode, one.error]).toEqual([
      0,
      expect.stringContaining(`--trace chat=${file} plays it again`),
    ])
    said = one.error
    const other = await backtest('--trace', `chat=${file}`, '-o', 'json', '--report', report('other'))
    expect(other.exitCode).toBe(0)
    expect(other.out).toBe(one.out)
    const [from, again] = ['one', 'other'].map((name) => JSON.parse(readFileSync(report(name), 'utf8')))
    expect(from.command).toContain('--prometheus http://')
    expect(again.command).toContain('--trace chat=')
    expect({ ...again, command: '' }).toEqual({ ...from, command: '' })
    // The clock is that of the traffic.
    expect(JSON.parse(one.out)[0].settings.beginsAtSeconds).toBe(epochSeconds)
  }, 60_000)

  it('is what the fleet really got, within a few per cent a minute and one over all', () => {
    const lines = readFileSync(file, 'utf8').trim().split('\n').slice(1)
    const { windows } = readRates(file, [readFileSync(file)])
    const measured = lines.map((line) => {
      const [at = 0, rate = 0] = line.split(',').map(Number)
      const from = at - epochSeconds
      const requests = arrived.filter(
        ({ arrivedAtSeconds }) => arrivedAtSeconds >= from && arrivedAtSeconds < from + windowSeconds,
      )
      return { rate, really: requests.length / windowSeconds }
    })
    expect(measured.length).toBeGreaterThan(50)
    const total = (of: (one: (typeof measured)[number]) => number) =>
      measured.reduce((sum, one) => sum + of(one), 0)
    expect(total(({ rate }) => rate) / total(({ really }) => really)).toBeCloseTo(1, 2)
    // Scrapes of a window end up to 15 s before it does; none is so wrong as to have seen half of it only.
    for (const { rate, really } of measured) expect(Math.abs(rate / really - 1)).toBeLessThan(0.15)
    expect(total(({ rate, really }) => Math.abs(rate / really - 1)) / measured.length).toBeLessThan(0.03)
    const mean = (of: (request: Request) => number) =>
      arrived.reduce((sum, request) => sum + of(request), 0) / arrived.length
    const [first] = windows
    expect(meanOf(first?.promptTokens ?? []) / mean(({ promptTokens }) => promptTokens)).toBeCloseTo(1, 1)
    expect(meanOf(first?.outputTokens ?? []) / mean(({ outputTokens }) => outputTokens)).toBeCloseTo(1, 1)
  })

  it('says what is not known and how it is filled in; a variant that never ran hides nothing', () => {
    expect(said).toMatch(
      /^note: chat: 6\.8 % of its traffic is not known and filled in by straight lines: 4m from 20[^ ]+ \(\w+: [^)]+\)$/m,
    )
    expect(said).not.toContain('never-run')
    // What is left out of the file is filled in there again.
    const known = readFileSync(file, 'utf8').trim().split('\n').length - 1
    expect(known).toBe(3540 / windowSeconds - 4)
  })

  it('refuses a long gap, says when it was, and fills it in where that is asked for', async () => {
    const refused = await observed()
    expect(refused.exitCode).toBe(1)
    expect(refused.error).toMatch(
      /class chat: nothing is known for \dm from 20\S+Z \(\w+: [^)]+\), and missing is not zero: --bridge \dm fills it in by a straight line/,
    )
    const [, bridge = ''] = /--bridge (\w+)/.exec(refused.error) ?? []
    const bridged = await observed('--bridge', bridge)
    expect(bridged.exitCode).toBe(0)
    expect(bridged.error).toMatch(/nothing is known after 20\S+Z: the traffic ends there/)
  }, 60_000)

  it('knows nothing of a time before the data, and does not call it silence', async () => {
    const { exitCode, error } = await backtest(
      ...['--prometheus', prometheus.url, '--from', '5d ago', '--to', '4d ago'],
    )
    expect(exitCode).toBe(1)
    expect(error).toMatch(
      /class chat: Prometheus knows nothing of its traffic from \S+ to \S+ \(noSeries: .*\)\. Missing is not zero: give it as --trace chat=FILE/,
    )
  }, 60_000)
})
