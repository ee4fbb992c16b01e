// Two and three scalers in processes of their own, on one real Prometheus: equal answers for equal ticks, whoever was
// killed and started again in between.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resolveFrom } from '../../src/core/profiles/library.ts'
import { measuredProfiles } from '../../src/core/profiles/measured.ts'
import { kedaClient } from '../../src/demo/kedaProtocol.ts'
import { fleetSettings } from '../../src/demo/scenario.ts'
import { loadPolicies } from '../../src/policy/load.ts'
import { constantRate, renewalArrivals } from '../../src/simulation/arrivals.ts'
import { lognormalLengths } from '../../src/simulation/lengths.ts'
import { type LiveFleet, startLiveFleet } from '../stage/liveFleet.ts'
import { type RealPrometheus, scrapeListed, startPrometheus } from '../stage/prometheus.ts'
import { Answers, httpPorts, keepStream, type ScalerSet, startScalers } from '../stage/servers.ts'

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
  behavior: { hpaTolerance: 0%, stalenessBudget: 8s, scaleDown: { hold: 4s } }
`
const ref = {
  name: 'llama-8b',
  namespace: 'chat',
  scalerMetadata: { policy: 'llama-8b', variant: 'h100', scalerAddress: 'ignored:9090' },
}
let directory: string
let fleet: LiveFleet
let prometheus: RealPrometheus
let scalers: ScalerSet

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mixscaler-servers-'))
  await writeFile(join(directory, 'policy.yaml'), policyText)
  const loaded = loadPolicies([{ file: 'policy.yaml', text: policyText }], resolveFrom(measuredProfiles))
  const policy = loaded.kind === 'loaded' ? loaded.policies.policies[0] : undefined
  if (policy === undefined) throw new Error(JSON.stringify(loaded))
  fleet = await startLiveFleet(
    fleetSettings(policy, { h100: 2 }, 7),
    renewalArrivals({
      rate: constantRate(25),
      lengths: lognormalLengths(1155, 211, 0.85),
      ...{ seed: 7, cv: 2, classIndex: 0, fromSeconds: 0, untilSeconds: 600 },
    }),
  )
  const http = await httpPorts(3)
  prometheus = await startPrometheus(scrapeListed(fleet.targetsUrl, 1, http))
  const flags = ['--policy', directory, '--prometheus', prometheus.url, '--kubernetes', 'off']
  scalers = await startScalers(http, 2, [
    ...[...flags, '--window', '6s', '--max-sample-age', '5s', '--evaluation-delay', '2s'],
  ])
}, 60_000)

afterAll(async () => {
  await scalers?.stop()
  await prometheus?.close()
  await fleet?.close()
  if (directory !== undefined) await rm(directory, { recursive: true, force: true })
}, 60_000)

describe('several servers', () => {
  it('conformance 30 and 35: answer alike for one tick, one that was killed and started again too', async () => {
    const answers = new Answers()
    const listen = async (until: () => boolean): Promise<void> => {
      while (!until()) {
        fleet.advance()
        for (let index = 0; index < scalers.count; index++) {
          answers.add(index, await scalers.ask(index, [ref]))
        }
        await sleep(100)
      }
    }
    const deadline = (seconds: number) => {
      const end = Date.now() + seconds * 1000
      return () => Date.now() > end
    }
    const late = deadline(75)
    await listen(() => answers.compared.ticks >= 2 || late())
    scalers.kill(1)
    await scalers.start(1)
    // Until it has decided there is an error, never a number.
    const reborn = kedaClient(scalers.address.split(',')[1] ?? '')
    const early = await reborn.getMetrics(ref, '').then(
      ([value]) => value?.metricValue,
      (error: { code: number }) => ({ code: error.code }),
    )
    reborn.close()
    expect(early === undefined ? 0 : early).toSatisfy((value) =>
      typeof value === 'number' ? value >= 1 : value.code === 14,
    )
    const before = answers.heardOf(1)
    await listen(() => answers.heardOf(1) >= before + 2 || late())
    expect(answers.heardOf(1)).toBeGreaterThanOrEqual(before + 2)
    // A machine too busy to scrape within the evaluation delay shows servers different worlds, and one too busy to read the
    // past in time says so by its metric: those ticks prove nothing.
    const { sameViews, withoutPast } = answers
    const alike = [...sameViews].filter((at) => !withoutPast.has(at))
    expect(answers.compared.disagreements.filter(({ at }) => alike.includes(at))).toEqual([])
    expect(alike.length).toBeGreaterThanOrEqual(2)
    const lost = scalers.log(1).filter(({ msg }) => String(msg).startsWith('not read back'))
    expect(lost.filter(({ msg }) => !String(msg).endsWith('so far'))).toEqual([])
  }, 90_000)

  it('conformance 30: streams whose server was killed are open again with another one', async () => {
    const client = kedaClient(scalers.address)
    // Streams go to the connections that are up when they open: all of them, a moment after the first call.
    await client.getMetricSpec(ref)
    await sleep(1000)
    const interruptions: number[] = []
    const stops = Array.from({ length: 6 }, () =>
      keepStream(client, ref, (seconds) => interruptions.push(seconds)),
    )
    await sleep(500)
    scalers.kill(2)
    const end = Date.now() + 20_000
    while (interruptions.length === 0 && Date.now() < end) await sleep(100)
    await sleep(1000)
    for (const stop of stops) stop()
    client.close()
    expect(interruptions.length).toBeGreaterThanOrEqual(1)
    for (const seconds of interruptions) expect(seconds).toBeGreaterThan(1.9)
  }, 60_000)
})
