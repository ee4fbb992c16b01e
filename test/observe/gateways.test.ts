// Gateways as Prometheus sees them: their exposition text scraped every five seconds into the store in memory, and
// what a class's gateway is then known to have said.
import { describe, expect, it } from 'vitest'
import { eventsPerSecond, type Histogram } from '../../src/core/histogram.ts'
import type { GatewaySignals } from '../../src/core/observation.ts'
import { defaultObserveOptions, queryPlan } from '../../src/core/observe/queries.ts'
import type { DemandSource } from '../../src/core/policy.ts'
import { isMissing, type Reading } from '../../src/core/reading.ts'
import { observeStore } from '../../src/simulation/seriesObserver.ts'
import { SeriesStore } from '../../src/simulation/seriesStore.ts'
import { endpointPicker, frontend, llmd, router, type Says } from './gatewayTexts.ts'
import { owner, policySet } from './policies.ts'
import { runSeconds, scrapeSeconds, start } from './stage.ts'

function gateway(changes: Partial<DemandSource & { kind: 'gateway' }> = {}): DemandSource {
  return { kind: 'gateway', gateway: 'inferenceGateway', namespace: 'chat', match: {}, ...changes }
}

function told(
  says: Says,
  demand: DemandSource,
  { monitors = ['one'], pods = ['epp-0'], until = runSeconds, model = 'llama-70b' } = {},
): Reading<GatewaySignals> {
  const store = new SeriesStore(600)
  for (let seconds = 0; seconds <= until; seconds += scrapeSeconds) {
    for (const job of monitors)
      for (const pod of pods)
        store.scrape({ namespace: 'chat', pod, job, instance: pod }, says(seconds), start + seconds)
  }
  const set = policySet({
    servedNames: [model],
    variants: [owner('h100', 'llama')],
    classes: [{ name: 'chat', demand }],
  })
  const plan = queryPlan(set, defaultObserveOptions)
  const signals = observeStore(store, set, plan, start + runSeconds, {}).classes['chat/llama/chat']?.gateway
  if (signals === undefined) throw new Error('the class was not asked for')
  return signals
}

function known(reading: Reading<GatewaySignals>): GatewaySignals {
  if (isMissing(reading)) throw new Error(JSON.stringify(reading))
  return reading
}

function meanOf(reading: Reading<Histogram>): number {
  if (isMissing(reading)) throw new Error(JSON.stringify(reading))
  return reading.sumPerSecond / eventsPerSecond(reading)
}

describe('a gateway', () => {
  it('of the Inference Gateway: what passes, what finds no room and what waits are told apart', () => {
    const signals = known(told(endpointPicker, gateway()))
    expect(signals.passedPerSecond).toBeCloseTo(3, 6)
    // A failing model server is not a request that was turned away: it has passed.
    expect(signals.rejectedPerSecond).toBeCloseTo(0.2, 6)
    expect(signals.queued).toBeCloseTo(4 + runSeconds / 10, 6)
    expect(signals.queueGrowthPerSecond).toBeCloseTo(0.1, 6)
    expect(signals.counted).toBe('some')
    // 10 s hold two scrapes of five seconds.
    expect(signals.arrivingNow).toEqual({ requestsPerSecond: expect.closeTo(3, 6), seconds: 5 })
  })

  it('tells classes apart by a label', () => {
    const high = gateway({ match: { priority: '10' } })
    expect(known(told(endpointPicker, high)).passedPerSecond).toBeCloseTo(1, 6)
    expect(known(told(endpointPicker, high)).queued).toBe(0)
  })

  it('that has both generations of names is read by the newer one alone', () => {
    const signals = known(told(llmd, gateway({ gateway: 'kserve' })))
    expect(signals.passedPerSecond).toBeCloseTo(3, 6)
    expect(signals.rejectedPerSecond).toBeCloseTo(0.1, 6)
    expect(signals.queued).toBe(3)
  })

  it('measures the lengths of its own class', () => {
    const { promptTokens, outputTokens } = known(told(llmd, gateway()))
    expect(meanOf(promptTokens)).toBeCloseTo(200, 6)
    expect(outputTokens).toMatchObject({ missing: 'idle' })
  })

  it('of the production-stack counts what arrives, and only of the model', () => {
    const signals = known(told(router, gateway({ gateway: 'productionStack' })))
    expect(signals).toMatchObject({ rejectedPerSecond: 0, queued: 0, queueGrowthPerSecond: 0 })
    expect(signals.passedPerSecond).toBeCloseTo(3, 6)
  })

  it('of Dynamo counts what is started, under the name in lower case', () => {
    const signals = known(told(frontend, gateway({ gateway: 'dynamo' }), { model: 'meta/Llama-70B' }))
    expect(signals.passedPerSecond).toBeCloseTo(4, 6)
    expect(meanOf(signals.outputTokens)).toBeCloseTo(150, 6)
  })

  it('that two monitors scrape is counted once, and its pods are added up', () => {
    const twice = known(told(endpointPicker, gateway(), { monitors: ['one', 'two'] }))
    expect(twice.passedPerSecond).toBeCloseTo(3, 6)
    const pods = known(told(endpointPicker, gateway(), { pods: ['epp-0', 'epp-1'] }))
    expect(pods.passedPerSecond).toBeCloseTo(6, 6)
    expect(pods.queued).toBeCloseTo(2 * (4 + runSeconds / 10), 6)
  })

  it('that answers and knows no request of the class has had none', () => {
    const silent = 'inference_pool_ready_pods{name="pool"} 0\n'
    expect(told(() => silent, gateway())).toMatchObject({ passedPerSecond: 0, queued: 0, counted: 'none' })
  })

  it('whose counter is born with the first request tells of that request at the next scrape', () => {
    const waking: Says = (t) =>
      `router_cpu_usage_percent 1\n${t < runSeconds ? '' : 'vllm:num_incoming_requests_total{model="llama-70b"} 1\n'}`
    const signals = known(told(waking, gateway({ gateway: 'productionStack' })))
    expect(signals.passedPerSecond).toBeCloseTo(1 / 60, 9)
  })

  it('that is new to Prometheus with many requests behind it says nothing about now', () => {
    const known100k: Says = (t) =>
      `router_cpu_usage_percent 1\n${t < runSeconds ? '' : 'vllm:num_incoming_requests_total{model="llama-70b"} 100000\n'}`
    expect(told(known100k, gateway({ gateway: 'productionStack' }))).toMatchObject({ missing: 'noSeries' })
  })

  it.each([
    ['is not scraped', () => '', {}, 'noSeries'],
    ['was last seen too long ago', endpointPicker, { until: 30 }, 'stale'],
    ['runs in another namespace', endpointPicker, {}, 'noSeries'],
  ] as const)('that %s is missing', (what, says, options, reason) => {
    const namespace = what.includes('namespace') ? 'elsewhere' : 'chat'
    expect(told(says, gateway({ namespace }), options)).toMatchObject({ missing: reason })
  })

  it('costs one query, however many policies, classes and kinds of gateway there are', () => {
    const kinds = ['inferenceGateway', 'productionStack', 'dynamo', 'kserve'] as const
    const sketches = Array.from({ length: 100 }, (_, index) => ({
      name: `p${index}`,
      variants: [owner(`v${index}`)],
      classes: [{ name: 'chat', demand: gateway({ gateway: kinds[index % 4] ?? 'dynamo' }) }],
    }))
    const { queries } = queryPlan(policySet(...sketches), defaultObserveOptions)
    // With one request for authors' queries, and six more where one of those is refused, 20 at the most.
    expect(queries).toHaveLength(13)
  })
})
