// What is forecast for the shapes that traffic takes: standing still, ramps, days, steps, spikes and gaps.
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/simulation/random.ts'
import { forecastOf, leadSeconds, series, tellOne, tick, told } from './told.ts'

const hour = 3600 / tick
const daySeconds = 86_400

/** The 60 s rate of Poisson arrivals, near enough. */
function noisy(rate: number, random: Random): number {
  return Math.max(0, rate + Math.sqrt(rate / 60) * random.normal())
}

describe('forecast', () => {
  it('knows nothing but the last value at first, and assumes a spread', () => {
    const first = forecastOf(told([20]), 0.9)
    expect(first).toMatchObject({ expected: 20, horizonSeconds: leadSeconds, basis: 'lastValue' })
    // 2 % x sqrt(3.8 min), and Poisson noise of two counts of 1,200: s = 0.054; t of 4 degrees = 1.53, x 1.25: 11 %
    expect(first.atQuantile).toBeGreaterThan(20 * 1.1)
    expect(first.atQuantile).toBeLessThan(20 * 1.13)
  })

  it('plans for more while demand climbs before any forecast could be judged, and for no more after a fall', () => {
    const share = (rateAt: (minute: number) => number) => {
      const rates = Array.from({ length: 17 }, (_, quarter) => rateAt(quarter / 4))
      return forecastOf(told(rates), 0.9).atQuantile / rateAt(4)
    }
    const still = share(() => 20)
    expect(share((minute) => 20 * 1.1 ** minute)).toBeGreaterThan(still * 1.1)
    expect(share((minute) => 20 * 0.8 ** minute)).toBeLessThan(still * 1.05)
  })

  it('says how well it knows: the last value, a short history, then its own errors', () => {
    const basisAfter = (minutes: number) => forecastOf(told(series(minutes * 4, () => 20)), 0.9).basis
    expect(basisAfter(5)).toBe('lastValue')
    expect(basisAfter(30)).toBe('shortHistory')
    expect(basisAfter(90)).toBe('calibrated')
  })

  it('assumes more of a trickle than of a stream, relative to each', () => {
    const spread = (rate: number) => forecastOf(told([rate]), 0.9).atQuantile / rate
    expect(spread(0.5)).toBeGreaterThan(1.2 * spread(5))
    expect(spread(5)).toBeGreaterThan(1.05 * spread(500))
  })

  it('needs no reserve for demand that has stood still for hours', () => {
    const { expected, atQuantile } = forecastOf(told(series(3 * hour, () => 20)), 0.95)
    expect(expected).toBeCloseTo(20, 6)
    expect(atQuantile).toBeCloseTo(20, 6)
  })

  it('looks up a steady ramp once it has seen it for an hour or two', () => {
    const ramp = (at: number) => 10 * Math.exp(at / 7200) // 65 % an hour, 3.2 % within the horizon
    const now = ramp(3 * 3600 - tick)
    const { expected, atQuantile } = forecastOf(told(series(3 * hour, ramp)), 0.9)
    const then = ramp(3 * 3600 - tick + leadSeconds)
    expect(expected).toBeGreaterThan(now + 0.6 * (then - now))
    expect(expected).toBeLessThan(now + 1.2 * (then - now))
    expect(atQuantile).toBeGreaterThan(0.998 * then)
  })

  it('knows the morning once it has seen it', () => {
    // From 10 to 40 requests/s within half an hour, at the same time every day, with nothing to announce it: ten
    // minutes into it there are 20, and a quarter of an hour later 35.
    const morning = 8 * 3600
    const demandAt = (at: number) => {
      const since = (at % daySeconds) - morning
      return 10 + 30 * Math.min(1, Math.max(0, since / 1800)) * (since < 10 * 3600 ? 1 : 0)
    }
    const expectedOnDay = (day: number) => {
      const lead = 900
      const until = day * daySeconds + morning + 600
      return forecastOf(told(series(until / tick, demandAt), { lead }), 0.5).expected
    }
    expect(expectedOnDay(0)).toBeLessThan(24)
    expect(expectedOnDay(4)).toBeGreaterThan(28)
  })

  it('follows a step within the hour and never forecasts far beyond what was ever seen', () => {
    const quiet = told(series(3 * hour, () => 10))
    const from = 3 * 3600
    const stepped = told([100], { start: quiet, from })
    expect(forecastOf(stepped, 0.5).expected).toBeGreaterThan(70)
    const later = told(
      series(hour, () => 100, from),
      { start: quiet, from },
    )
    expect(forecastOf(later, 0.9).expected).toBeCloseTo(100, 0)
    expect(forecastOf(later, 0.99).atQuantile).toBeLessThanOrEqual(150)
  })

  it('does not take on/off traffic for a reason to forecast a hundredfold', () => {
    const onOff = (at: number) => (Math.floor(at / 300) % 2 === 0 ? 0.01 : 10)
    const memory = told(series(6 * hour, onOff))
    expect(forecastOf(memory, 0.95).atQuantile).toBeLessThanOrEqual(15)
    // From rest, what comes next is what came before.
    const resting = told(series(6 * hour + 8, onOff))
    expect(forecastOf(resting, 0.95).atQuantile).toBeGreaterThan(5)
  })

  it('is not thrown by single spikes: they widen the far quantiles, not the expectation', () => {
    const random = new Random(3)
    const spiky = (at: number) => (at % 3600 === 1800 ? 60 : noisy(20, random))
    const { expected, atQuantile } = forecastOf(told([...series(6 * hour, spiky), 20, 20, 20, 20]), 0.9)
    expect(expected).toBeGreaterThan(17)
    expect(expected).toBeLessThan(23)
    expect(atQuantile).toBeLessThan(30)
  })

  it('has nothing to learn from a gap: after an hour of silence it goes on from what it sees', () => {
    const random = new Random(4)
    const known = told(series(3 * hour, () => noisy(20, random)))
    const after = told([30], { start: known, from: 4 * 3600 })
    expect(after.errors).toEqual(known.errors)
    expect(after.fit).toEqual(known.fit)
    expect(forecastOf(after, 0.5).expected).toBeCloseTo(30, 0)
  })

  it('starts to learn anew for another lead time, but keeps the day and the levels', () => {
    const random = new Random(5)
    const known = told(series(3 * hour, () => noisy(20, random)))
    const other = tellOne(known, 3 * 3600, 20, 60)
    expect(forecastOf(other, 0.9)).toMatchObject({ basis: 'lastValue', horizonSeconds: 60 })
    expect(other.season.runs).toEqual([{ from: 0, means: expect.toSatisfy((means) => means.length === 18) }])
    expect(other.levels.verySlow).toBeCloseTo(known.levels.verySlow, 2)
  })
})
