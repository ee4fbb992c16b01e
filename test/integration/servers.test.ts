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
import { type SlowPast, startSlowPast } from '../stage/slowPast.ts'

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
let past: SlowPast
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
  past = await startSlowPast(prometheus.url)
  const flags = ['--policy', directory, '--prometheus', past.url, '--kubernetes', 'off']
  scalers = await startScalers(http, 2, [
    ...[...flags, '--window', '6s', '--max-sample-age', '5s', '--evaluation-delay', '2s'],
    ...['--prometheus-timeout', '60s'],
  ])
}, 60_000)

afterAll(async () => {
  await scalers?.stop()
  await past?.close()
  await prometheus?.close()
  await fleet?.close()
  if (directory !== undefined) await rm(directory, { recursive: true, force: true })
}, 60_000)

async function listen(answers: Answers, until: () => boolean): Promise<void> {
  while (!until()) {
    fleet.advance()
    for (let index = 0; index < scalers.count; index++) answers.add(index, await scalers.ask(index, [ref]))
    await sleep(100)
  }
}

function deadline(seconds: number): () => boolean {
  const end = Date.now() + seconds * 1000
  return () => Date.now() > end
}

describe('several servers', () => {
  it('conformance 30 and 35: answer alike for one tick, one that was killed and started again too', async () => {
    const answers = new Answers()
    const late = deadline(75)
    await listen(answers, () => answers.compared.ticks >= 2 || late())
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
    await listen(answers, () => answers.heardOf(1) >= before + 2 || late())
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

  it('conformance 30: one that starts tells what another one decided, until it knows as much of the past', async () => {
    const answers = new Answers()
    const late = deadline(75)
    const letGo = past.holdDays()
    scalers.kill(2)
    await scalers.start(2)
    await listen(answers, () => answers.followedBy(2).size >= 3 || late())
    letGo()
    const followed = answers.followedBy(2)
    expect(followed.size).toBeGreaterThanOrEqual(3)
    await listen(answers, () => answers.heardOf(2) >= answers.followedBy(2).size + 2 || late())
    expect(answers.heardOf(2)).toBeGreaterThanOrEqual(answers.followedBy(2).size + 2)
    const undisputed = [...followed].filter(
      (at) => !answers.withoutPast.has(at) && !answers.differentViews.has(at),
    )
    expect(answers.compared.disagreements.filter(({ at }) => undisputed.includes(at))).toEqual([])
    expect(undisputed.length).toBeGreaterThanOrEqual(1)
    const said = scalers.log(2).map(({ msg }) => String(msg))
    const read = said.indexOf('history: read back, all of it')
    expect(said.slice(read)).toContain('decides for itself')
  }, 90_000)
})
