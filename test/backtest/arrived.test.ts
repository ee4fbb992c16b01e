// What arrived, as the past is read for a backtest: neither what waits nor what is not seen is taken for traffic.
import { describe, expect, test } from 'vitest'
import { type Arrived, arrivedAt, asArriving, untold } from '../../src/backtest/traffic/arrived.ts'
import { SeriesLog } from '../../src/backtest/traffic/observedSeries.ts'
import { readRates } from '../../src/backtest/traffic/readRates.ts'
import { rateSeriesText } from '../../src/backtest/traffic/writeRates.ts'
import { assumedLengths } from '../../src/core/capacity/shape.ts'
import type { Observation, VariantSignals } from '../../src/core/observation.ts'
import type { DemandSource, PolicySet, TrafficClass } from '../../src/core/policy.ts'
import { isMissing, type Missing, missing, type Reading } from '../../src/core/reading.ts'
import { owner, policySet } from '../observe/policies.ts'

const unseen = missing('notReported')
const idle: VariantSignals = {
  replicas: { desired: 2, ready: 2, starting: 0, terminating: 0 },
  reporting: 2,
  running: 0,
  waiting: 0,
  inSystemGrowthPerSecond: 0,
  completionsPerSecond: 0,
  generationTokensPerSecond: 0,
  preemptionsPerSecond: 0,
  promptTokens: unseen,
  outputTokens: unseen,
  ttft: unseen,
  itl: unseen,
  tpot: unseen,
  typicalEngine: unseen,
  prefixHitRate: unseen,
  kvUsage: unseen,
  kvTokensPerReplica: unseen,
  arrivingNow: unseen,
}

const engine: DemandSource = { kind: 'engine' }

function told(
  policies: PolicySet,
  variants: Readonly<Record<string, Partial<VariantSignals>>>,
  classes: Observation['classes'] = {},
): Readonly<Record<string, Arrived>> {
  const observation: Observation = {
    format: 'mixscaler-observation/1',
    at: 1_790_000_000,
    variants: Object.fromEntries(
      Object.entries(variants).map(([name, signals]) => [`chat/llama/${name}`, { ...idle, ...signals }]),
    ),
    classes,
    pools: {},
    warnings: [],
  }
  return arrivedAt(asArriving(policies), observation)
}

const two = policySet({
  variants: [owner('one'), owner('other')],
  classes: [{ name: 'chat', demand: engine }],
})
const rate = (arrived: Readonly<Record<string, Arrived>>, name = 'chat') =>
  arrived[`chat/llama/${name}`]?.requestsPerSecond

describe('what arrived of a class', () => {
  test('is what ended and what piled up; what waits came before', () => {
    const busy = { completionsPerSecond: 5, inSystemGrowthPerSecond: 2, waiting: 600 }
    expect(rate(told(two, { one: busy, other: { completionsPerSecond: 3 } }))).toBe(10)
  })

  test('is not known where one of its variants is not seen, though the other is', () => {
    const stale = missing('stale', 'newest sample 90 s old')
    const lost = { replicas: stale, completionsPerSecond: stale }
    expect(rate(told(two, { one: { completionsPerSecond: 5 }, other: lost }))).toEqual(stale)
  })

  test('does not wait for a variant of which there is no series while another is seen: nothing of it ran', () => {
    const none = missing('noSeries', 'replicas that report')
    const absent = { replicas: none, completionsPerSecond: none }
    expect(rate(told(two, { one: { completionsPerSecond: 5 }, other: absent }))).toBe(5)
    // Nothing seen at all is no proof that nothing ran.
    expect(rate(told(two, { one: absent, other: absent }))).toEqual(none)
  })

  test('of a tolerant class is its rate, not what its deadline asks for; a backlog alone does not tell', () => {
    const tolerant = (demand: DemandSource): PolicySet => {
      const policies = policySet({ variants: [owner('one')], classes: [{ name: 'eval', demand }] })
      const late = (one: TrafficClass): TrafficClass => ({
        ...one,
        serviceLevel: { kind: 'latencyTolerant', completeWithinSeconds: 3600 },
      })
      return {
        ...policies,
        policies: policies.policies.map((one) => ({ ...one, classes: one.classes.map(late) })),
      }
    }
    const both = tolerant({ kind: 'query', requestsPerSecond: 'rate', backlogTokens: 'tokens' })
    const answers = { 'chat/llama/eval': { requestsPerSecond: 4, backlogTokens: 1e6 } }
    expect(rate(told(both, { one: {} }, answers), 'eval')).toBe(4)
    expect(untold(both)).toEqual([])
    expect(untold(tolerant({ kind: 'query', backlogTokens: 'tokens' })).map(({ name }) => name)).toEqual([
      'eval',
    ])
  })
})

describe('the series of a class', () => {
  const [trafficClass] = two.policies[0]?.classes ?? []
  if (trafficClass === undefined) throw new Error('no class')
  const entered = (rates: readonly Reading[], more: Partial<Arrived> = {}): SeriesLog => {
    const log = new SeriesLog(trafficClass, 60)
    for (const [index, requestsPerSecond] of rates.entries())
      log.enter(1_790_000_040 + 60 * index, {
        requestsPerSecond,
        lengths: {
          shape: {
            promptTokens: assumedLengths(500),
            outputTokens: assumedLengths(100),
            prefixHitRate: 0.25,
          },
          origin: 'observed',
        },
        now: missing('noSeries'),
        ...more,
      })
    return log
  }
  const begin = 1_790_000_040 - 60
  const whole = (log: SeriesLog) => log.series(begin, begin + 86_400)
  const gone: Missing = missing('backendDown', 'connection refused')

  test('leaves out what is not known, and the windows beside it, which are known in part', () => {
    const { rows, gaps } = whole(entered([1, 2, 3, gone, gone, 6, 7, 8]))
    expect(rows.map(({ requestsPerSecond }) => requestsPerSecond)).toEqual([1, 2, 7, 8])
    expect(gaps).toEqual([{ fromSeconds: begin + 120, untilSeconds: begin + 360, why: gone }])
    const late = entered([gone, 2, 3, 4])
    expect(late.known).toEqual({ fromSeconds: begin + 120, untilSeconds: begin + 240 })
    expect(entered([gone, gone]).known).toBeUndefined()
    expect(entered([gone, gone]).why).toEqual(gone)
  })

  test('keeps silence as silence, with the lengths of the time before', () => {
    const { rows } = whole(entered([3, 0, 0]))
    expect(rows.map(({ requestsPerSecond }) => requestsPerSecond)).toEqual([3, 0, 0])
    expect(rows[2]?.prompt.mean).toBeCloseTo(500, 6)
  })

  test('says where lengths are assumed, and what share of prompts was in caches', () => {
    expect(whole(entered([1, 1])).prefixHitRate).toBeCloseTo(0.25, 12)
    const shape = { promptTokens: assumedLengths(7), outputTokens: assumedLengths(7), prefixHitRate: 0 }
    const assumed = whole(entered([1, 1], { lengths: { shape, origin: 'assumed' } }))
    expect(assumed.lengths).toBe('assumed')
    expect(assumed.rows[0]?.prompt.mean).toBeCloseTo(1000, 6)
  })

  test('tells bursts: Poisson counts over 15 s are 1, four times their variance is 2', () => {
    // Deterministic deviates with the variance of counts: alternating by one standard deviation of the difference.
    const burst = (dispersion: number) => {
      const log = new SeriesLog(trafficClass, 60)
      for (let index = 0; index < 60; index++) {
        const deviate = Math.sqrt((dispersion * 20) / 15) * Math.cos(index * index)
        log.enter(1_790_000_040 + 60 * index, {
          requestsPerSecond: 20,
          lengths: {
            shape: { promptTokens: assumedLengths(5), outputTokens: assumedLengths(5), prefixHitRate: 0 },
            origin: 'observed',
          },
          now: { requestsPerSecond: 20 + deviate * Math.SQRT2, seconds: 15 },
        })
      }
      return whole(log).rows[0]?.cv ?? Number.NaN
    }
    expect(burst(4) / burst(1)).toBeGreaterThan(1.5)
    expect(burst(4)).toBeGreaterThan(1.6)
    expect(burst(4)).toBeLessThan(2.4)
  })

  test('reads back from its text as it was, to six digits', () => {
    const { rows } = whole(entered([1.5, gone, gone, 2, 0, 1e-9, 1234.5678]))
    const { windows, beginsAtSeconds } = readRates('s.csv', [new TextEncoder().encode(rateSeriesText(rows))])
    expect(beginsAtSeconds).toBe(rows[0]?.fromSeconds)
    const known = windows.filter(({ fromSeconds }) =>
      rows.some((row) => row.fromSeconds === fromSeconds + (beginsAtSeconds ?? 0)),
    )
    expect(known.map(({ requestsPerSecond }) => requestsPerSecond)).toEqual(
      rows.map(({ requestsPerSecond }) =>
        requestsPerSecond < 1e-6 ? 0 : Number(requestsPerSecond.toPrecision(6)),
      ),
    )
    expect(rows.every(({ requestsPerSecond }) => !isMissing(requestsPerSecond))).toBe(true)
  })
})
