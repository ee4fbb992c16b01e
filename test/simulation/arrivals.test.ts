import { describe, expect, test } from 'vitest'
import {
  constantRate,
  diurnalRate,
  mergeArrivals,
  type RenewalTraffic,
  renewalArrivals,
  spikeRate,
  stepRate,
  sumRates,
  traceArrivals,
} from '../../src/simulation/arrivals.ts'
import {
  empiricalLengths,
  exponentialLengths,
  fixedLengths,
  lognormalLengths,
} from '../../src/simulation/lengths.ts'
import { Random } from '../../src/simulation/random.ts'

const base: RenewalTraffic = {
  rate: constantRate(50),
  lengths: fixedLengths(100, 10),
  seed: 1,
  cv: 1,
  classIndex: 0,
  fromSeconds: 0,
  untilSeconds: 1000,
}

function timesOf(overrides: Partial<RenewalTraffic>): number[] {
  return [...renewalArrivals({ ...base, ...overrides })].map((request) => request.arrivedAtSeconds)
}

/** Mean and coefficient of variation of the times between arrivals. */
function gapsOf(times: readonly number[]): { mean: number; cv: number } {
  const gaps = times.slice(1).map((at, i) => at - (times[i] ?? 0))
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length
  return { mean, cv: Math.sqrt(variance) / mean }
}

describe('renewal arrivals', () => {
  test.each([1, 3, 0.5])('keep the rate and have the coefficient of variation %f', (cv) => {
    const { mean, cv: seen } = gapsOf(timesOf({ cv }))
    expect(mean).toBeGreaterThan(0.0185)
    expect(mean).toBeLessThan(0.0215)
    expect(seen / cv).toBeGreaterThan(0.93)
    expect(seen / cv).toBeLessThan(1.07)
  })

  test('are ordered, inside their interval, and repeat for the seed', () => {
    const times = timesOf({ fromSeconds: 20, untilSeconds: 40 })
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(times[0]).toBeGreaterThanOrEqual(20)
    expect(times.at(-1)).toBeLessThanOrEqual(40)
    expect(timesOf({ fromSeconds: 20, untilSeconds: 40 })).toEqual(times)
    expect(timesOf({ fromSeconds: 20, untilSeconds: 40, seed: 2 })).not.toEqual(times)
  })

  test('follow the rate curve, through stretches where nothing comes', () => {
    const rate = stepRate([
      { fromSeconds: 100, requestsPerSecond: 20 },
      { fromSeconds: 200, requestsPerSecond: 0 },
      { fromSeconds: 900, requestsPerSecond: 80 },
    ])
    const times = timesOf({ rate })
    const between = (from: number, until: number) => times.filter((at) => at >= from && at < until).length
    expect(between(0, 100)).toBe(0)
    expect(Math.abs(between(100, 200) - 2000)).toBeLessThan(200)
    expect(between(201, 900)).toBe(0)
    expect(Math.abs(between(900, 1000) - 8000)).toBeLessThan(400)
  })
})

describe('rate curves', () => {
  test('a day begins at its lowest, peaks at noon and keeps its mean', () => {
    const day = diurnalRate({ mean: 10, swing: 0.6, periodSeconds: 86_400 })
    expect(day(0)).toBeCloseTo(4, 12)
    expect(day(43_200)).toBeCloseTo(16, 12)
    expect(day(21_600)).toBeCloseTo(10, 12)
  })

  test('a spike ramps up, stays and ramps down, on top of what else there is', () => {
    const spike = { fromSeconds: 100, untilSeconds: 200, rampSeconds: 10, requestsPerSecond: 30 }
    const curve = sumRates(constantRate(5), spikeRate(spike))
    expect([99, 105, 150, 195, 201].map(curve)).toEqual([5, 20, 35, 20, 5])
  })
})

describe('traces', () => {
  const trace = [
    { atSeconds: 1000, promptTokens: 7, outputTokens: 3 },
    { atSeconds: 1010, promptTokens: 8, outputTokens: 4 },
  ]

  test('begin where they are told to and play as fast as they are told to', () => {
    const played = [...traceArrivals(trace, { fromSeconds: 5, speed: 4, classIndex: 1 })]
    expect(played).toEqual([
      { arrivedAtSeconds: 5, promptTokens: 7, outputTokens: 3, cachedTokens: 0, classIndex: 1 },
      { arrivedAtSeconds: 7.5, promptTokens: 8, outputTokens: 4, cachedTokens: 0, classIndex: 1 },
    ])
  })

  test('several streams merge in order of time and lose nothing', () => {
    const streams = [1, 2, 3].map((seed) => renewalArrivals({ ...base, seed, untilSeconds: 10 }))
    const alone = [1, 2, 3].flatMap((seed) => timesOf({ seed, untilSeconds: 10 }))
    const merged = [...mergeArrivals(streams)].map((request) => request.arrivedAtSeconds)
    expect(merged).toEqual(alone.toSorted((a, b) => a - b))
  })
})

describe('lengths', () => {
  const draws = (draw: ReturnType<typeof fixedLengths>) => {
    const random = new Random(9)
    return Array.from({ length: 40_000 }, () => draw(random))
  }
  const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

  test.each([
    ['exponential', exponentialLengths(500, 100)],
    ['lognormal', lognormalLengths(500, 100, 1.2)],
  ])('%s ones have their means and are at least one token', (_name, draw) => {
    const drawn = draws(draw)
    expect(meanOf(drawn.map(({ promptTokens }) => promptTokens)) / 500).toBeCloseTo(1, 1)
    expect(meanOf(drawn.map(({ outputTokens }) => outputTokens)) / 100).toBeCloseTo(1, 1)
    expect(Math.min(...drawn.map(({ outputTokens }) => outputTokens))).toBeGreaterThanOrEqual(1)
  })

  test('empirical ones keep prompt and output together, and need something to draw from', () => {
    const pairs = [
      { promptTokens: 10, outputTokens: 1000 },
      { promptTokens: 1000, outputTokens: 10 },
    ]
    const drawn = draws(empiricalLengths(pairs))
    expect(new Set(drawn.map(({ promptTokens, outputTokens }) => promptTokens * outputTokens))).toEqual(
      new Set([10_000]),
    )
    expect(new Set(drawn.map(({ promptTokens }) => promptTokens)).size).toBe(2)
    expect(() => empiricalLengths([])).toThrow('empirical lengths need at least one pair')
  })
})
