// The whole path with real parts: a simulated fleet's metrics in a real Prometheus, `mixscaler serve` in its own
// process, a gRPC client made from KEDA's field numbers, and KEDA and the HPA obeying what it says.
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resolveFrom } from '../../src/core/profiles/library.ts'
import { measuredProfiles } from '../../src/core/profiles/measured.ts'
import { type KedaDriver, kedaDriver } from '../../src/demo/kedaDriver.ts'
import { type KedaClient, kedaClient } from '../../src/demo/kedaProtocol.ts'
import { fleetSettings, scaledObjects } from '../../src/demo/scenario.ts'
import { loadPolicies } from '../../src/policy/load.ts'
import { constantRate, renewalArrivals } from '../../src/simulation/arrivals.ts'
import { lognormalLengths } from '../../src/simulation/lengths.ts'
import { type LiveFleet, startLiveFleet } from '../stage/liveFleet.ts'
import { type RealPrometheus, scrapeListed, startPrometheus } from '../stage/prometheus.ts'
import { mainFile, type RealScaler, startScaler } from '../stage/scaler.ts'

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
      startup: 2s
    - name: a100
      scaleTarget: { kind: Deployment, name: llama-8b-spare }
      accelerator: { type: a100-80gb, count: 1 }
      cost: $3.80/h
      replicas: { min: 1, max: 4 }
      startup: 2s
  behavior: { hpaTolerance: 0%, stalenessBudget: 8s, scaleDown: { hold: 5s } }
`
const serveFlags = ['--interval', '1s', '--window', '8s', '--max-sample-age', '5s', '--kubernetes', 'off']
const refs = ['h100', 'a100'].map((variant) => ({
  name: variant === 'h100' ? 'llama-8b' : 'llama-8b-spare',
  namespace: 'chat',
  scalerMetadata: { policy: 'llama-8b', variant, scalerAddress: 'ignored:9090' },
}))

let directory: string
let fleet: LiveFleet
let prometheus: RealPrometheus
let scaler: RealScaler
let client: KedaClient
let driver: KedaDriver

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mixscaler-whole-path-'))
  await writeFile(join(directory, 'policy.yaml'), policyText)
  const loaded = loadPolicies([{ file: 'policy.yaml', text: policyText }], resolveFrom(measuredProfiles))
  if (loaded.kind !== 'loaded' || loaded.policies.policies[0] === undefined)
    throw new Error(JSON.stringify(loaded))
  fleet = await startLiveFleet(
    fleetSettings(loaded.policies.policies[0], { h100: 1, a100: 1 }, 7),
    // Three replicas' worth of chat.
    renewalArrivals({
      rate: constantRate(45),
      lengths: lognormalLengths(1155, 211, 0.85),
      ...{ seed: 7, cv: 1, classIndex: 0, fromSeconds: 0, untilSeconds: 600 },
    }),
  )
  prometheus = await startPrometheus(scrapeListed(fleet.targetsUrl, 1))
  scaler = await startScaler([
    '--policy',
    join(directory, 'policy.yaml'),
    '--prometheus',
    prometheus.url,
    ...serveFlags,
  ])
  client = kedaClient(scaler.grpcAddress)
  driver = kedaDriver({
    client: kedaClient(scaler.grpcAddress),
    scaledObjects: scaledObjects(loaded.policies),
    scale: {
      get: (target) => {
        const { desired, ready, starting } = fleet.fleet.counts(target)
        return { spec: desired, status: ready + starting }
      },
      set: (target, replicas) => fleet.fleet.scale(target, replicas),
    },
    syncPeriodSeconds: 2,
    toleranceRule: 'perDirection',
    report: () => undefined,
  })
}, 90_000)

afterAll(async () => {
  driver?.close()
  client?.close()
  await scaler?.stop()
  await prometheus?.close()
  await fleet?.close()
  if (directory !== undefined) await rm(directory, { recursive: true, force: true })
}, 60_000)

describe('from a real Prometheus to a KEDA target', () => {
  it('answers GetMetricSpec before it knows anything, and GetMetrics with an error until it does', async () => {
    const [spec] = await client.getMetricSpec(refs[0] ?? fail())
    expect(spec).toMatchObject({ targetSize: 1, targetSizeFloat: 1 })
    // Either a decision is there already, or the answer is an error; in no case is it 0.
    const early = await values().catch((error: { code: number }) => error.code)
    if (typeof early === 'number')
      expect(early).toBe(14) // UNAVAILABLE
    else for (const value of early) expect(value).toBeGreaterThanOrEqual(1)
  })

  it('scales the fleet to what carries the load, through KEDA and the HPA', async () => {
    await eventually(30, async () => {
      await driver.step(fleet.advance())
      const [h100 = 0, a100 = 0] = await values()
      expect(h100 + a100).toBeGreaterThanOrEqual(3)
      expect(fleet.fleet.counts('llama-8b').desired).toBe(h100)
      expect(fleet.fleet.counts('llama-8b-spare').desired).toBe(a100)
    })
  }, 60_000)

  it('tells over gRPC what `plan` prints for the same instant', async () => {
    await eventually(30, async () => {
      await driver.step(fleet.advance())
      const published = await decision()
      const emitted = await values()
      expect((await decision()).at).toBe(published.at) // one instant, no tick in between
      const printed = await plan(published.at)
      expect(printed.at).toBe(published.at)
      expect(targets(printed)).toEqual(targets(published))
      expect(Object.values(targets(published))).toEqual(emitted)
    })
  }, 60_000)

  it('holds while Prometheus is down, refuses beyond the budget, and comes back by itself', async () => {
    const failed = await failedTicks()
    await prometheus.stop()
    // A tick that was under way may still have been decided; the first that fails leaves what was published last.
    await eventually(10, async () => expect(await failedTicks()).toBeGreaterThan(failed))
    const held = Object.values(targets(await decision()))
    expect(await values()).toEqual(held)
    expect((await fetch(`${scaler.httpUrl}/readyz`)).status).toBe(200)
    // All that is told until it is refused is what was held.
    const told: number[][] = []
    await eventually(20, async () => {
      const answer = await values().catch((error: { code: number }) => error.code)
      if (typeof answer !== 'number') told.push(answer)
      expect(answer).toBe(14) // UNAVAILABLE, never 0
    })
    expect(told.length).toBeGreaterThan(1)
    for (const each of told) expect(each).toEqual(held)
    await expect(client.getMetricSpec(refs[0] ?? fail())).resolves.toHaveLength(1)
    await prometheus.start()
    await eventually(40, async () => {
      fleet.advance()
      for (const value of await values()) expect(value).toBeGreaterThanOrEqual(1)
    })
  }, 120_000)

  it('tells its own metrics', async () => {
    const text = await (await fetch(`${scaler.httpUrl}/metrics`)).text()
    expect(text).toMatch(/mixscaler_target_replicas\{.*variant="h100".*\} [1-9]/)
    expect(text).toMatch(/mixscaler_.*query.*seconds/)
  })

  it('drains on SIGTERM and ends with 0', async () => {
    expect(await scaler.stop()).toBe(0)
  }, 30_000)
})

async function values(): Promise<number[]> {
  const answers = await Promise.all(refs.map((ref) => client.getMetrics(ref, '')))
  return answers.map((answer) => {
    expect(answer).toHaveLength(1)
    expect(answer[0]?.metricValueFloat).toBe(answer[0]?.metricValue)
    return answer[0]?.metricValue ?? Number.NaN
  })
}

async function failedTicks(): Promise<number> {
  const text = await (await fetch(`${scaler.httpUrl}/metrics`)).text()
  return Number(/^mixscaler_ticks_total\{outcome="failed"\} (\d+)$/m.exec(text)?.[1])
}

interface Plan {
  readonly at: number
  readonly policies: readonly {
    readonly variants: readonly { readonly name: string; readonly target: unknown }[]
  }[]
}

async function decision(): Promise<Plan> {
  const answer = await fetch(`${scaler.httpUrl}/api/v1/plan`)
  return answer.json() as Promise<Plan>
}

async function plan(at: number): Promise<Plan> {
  const flags = [
    '--policy',
    join(directory, 'policy.yaml'),
    '--prometheus',
    prometheus.url,
    '--at',
    String(at),
  ]
  const { stdout } = await promisify(execFile)(process.execPath, [
    mainFile,
    'plan',
    ...flags,
    ...serveFlags,
    '--output',
    'json',
  ])
  return JSON.parse(stdout)
}

function targets(plan: Plan): Readonly<Record<string, unknown>> {
  const variants = plan.policies.flatMap((policy) => policy.variants)
  return Object.fromEntries(
    ['h100', 'a100'].map((name) => [name, variants.find((variant) => variant.name === name)?.target]),
  )
}

/** Tries until it holds, at most for so many seconds. */
async function eventually(seconds: number, holds: () => Promise<void>): Promise<void> {
  const until = Date.now() + seconds * 1000
  for (;;) {
    try {
      return await holds()
    } catch (error) {
      if (Date.now() > until) throw error
    }
    await sleep(500)
  }
}

function fail(): never {
  throw new Error('no ref')
}
