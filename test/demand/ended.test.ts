// Lengths of what arrives, from lengths of what ended: played request by request, so that what arrived is known.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clockOf } from '../../src/core/demand/answerClock.ts'
import { type Answering, enterAnswering } from '../../src/core/demand/answering.ts'
import { asArrived } from '../../src/core/demand/ended.ts'
import { eventsPerSecond, type LengthHistogram, mean } from '../../src/core/histogram.ts'
import { oneTwoFive } from '../../src/simulation/metrics.ts'

const upperBounds = oneTwoFive(32_768)
const now = 3600
/** As likely as each other: quantiles of an exponential law of 2,400 tokens. */
const lengths = Array.from({ length: 400 }, (_, i) => -2400 * Math.log(1 - (i + 0.5) / 400))
const trueMean = lengths.reduce((sum, tokens) => sum + tokens, 0) / lengths.length

interface Played {
  readonly histogram: LengthHistogram
  readonly answering: readonly Answering[]
}

/** Requests per second and tokens per second of each, over time; what ended until `now`, and what was read every 15 s. */
function played(rate: (at: number) => number, pace: (at: number) => number): Played {
  const step = 0.5
  const steps = now / step
  const rates = Array.from({ length: steps }, (_, i) => rate((i + 0.5) * step))
  const tokens = [0]
  for (let i = 0; i < steps; i++) tokens.push((tokens[i] ?? 0) + pace((i + 0.5) * step) * step)
  const perSecond = Array.from({ length: upperBounds.length + 1 }, () => 0)
  let [sumPerSecond, lateEvents, lateSum] = [0, 0, 0]
  for (const length of lengths) {
    const bucket = upperBounds.findIndex((bound) => length <= bound)
    let ends = 0
    for (const [began, each] of rates.entries()) {
      while (ends <= steps && (tokens[ends] ?? 0) < (tokens[began] ?? 0) + length) ends++
      if (ends > steps || ends * step < now - 300) continue
      const requests = (each * step) / lengths.length
      perSecond[bucket] = (perSecond[bucket] ?? 0) + requests / 300
      sumPerSecond += (requests * length) / 300
      if (ends * step < now - 60) continue
      lateEvents += requests / 60
      lateSum += (requests * length) / 60
    }
  }
  const [begun, ended] = [[0], Array.from({ length: steps + 1 }, () => 0)]
  for (const [i, each] of rates.entries()) begun.push((begun[i] ?? 0) + each * step)
  for (const length of lengths) {
    let ends = 0
    for (const [began, each] of rates.entries()) {
      while (ends <= steps && (tokens[ends] ?? 0) < (tokens[began] ?? 0) + length) ends++
      if (ends <= steps) ended[ends] = (ended[ends] ?? 0) + (each * step) / lengths.length
    }
  }
  for (let i = 1; i <= steps; i++) ended[i] = (ended[i] ?? 0) + (ended[i - 1] ?? 0)
  const running = begun.map((count, i) => count - (ended[i] ?? 0))
  let answering: readonly Answering[] = []
  for (let at = 60; at <= now; at += 15) {
    const [then, i] = [(at - 60) / step, at / step]
    const counted = running.slice(then, i).map((count, j) => count * pace((then + j + 0.5) * step))
    answering = enterAnswering(answering, {
      ...{ at, variants: ['chat/llama/h100'], running: running[i] ?? 0 },
      ...{
        completionsPerSecond: ((ended[i] ?? 0) - (ended[then] ?? 0)) / 60,
        tokensPerSecond: counted.reduce((sum, tokens) => sum + tokens, 0) / counted.length,
      },
    })
  }
  const lately = { seconds: 60, eventsPerSecond: lateEvents, sumPerSecond: lateSum }
  return { histogram: { upperBounds, perSecond, sumPerSecond, seconds: 300, lately }, answering }
}

const steady = (value: number) => () => value
/** Doubling, or halving, every so many seconds, up to now. */
const exponential = (doublingSeconds: number) => (at: number) => 10 * 2 ** ((at - now) / doublingSeconds)

function means({ histogram, answering }: Played) {
  const corrected = asArrived(histogram, clockOf(answering))
  const lately = (of: LengthHistogram) =>
    (of.lately?.sumPerSecond ?? Number.NaN) / (of.lately?.eventsPerSecond ?? Number.NaN) / trueMean
  return {
    ended: (mean(histogram) ?? Number.NaN) / trueMean,
    arrived: (mean(corrected) ?? Number.NaN) / trueMean,
    endedLately: lately(histogram),
    arrivedLately: lately(corrected),
  }
}

describe('lengths of what arrives', () => {
  it('are those of what ended while nothing changes', () => {
    const { ended, arrived, arrivedLately } = means(played(steady(8), steady(25)))
    expect(ended).toBeCloseTo(1, 2)
    expect(arrived).toBeCloseTo(1, 2)
    expect(arrivedLately).toBeCloseTo(1, 2)
  })

  it.each([
    ['arrivals double every three minutes', exponential(180), steady(25), 0.85, 0.85],
    ['arrivals halve every three minutes', exponential(-180), steady(25), 1.15, 1.15],
    ['arrivals doubled two minutes ago', (at: number) => (at < now - 120 ? 5 : 10), steady(25), 0.92, 0.85],
    [
      'engines became twice as fast a minute ago',
      steady(10),
      (at: number) => (at < now - 60 ? 20 : 40),
      1,
      1.1,
    ],
  ] as const)('are told where %s, though those that end are others', (_, rate, pace, endedBy, latelyBy) => {
    const { ended, arrived, endedLately, arrivedLately } = means(played(rate, pace))
    const off = (found: number, by: number) => (by < 1 ? found < by : by > 1 ? found > by : true)
    expect(off(ended, endedBy), `ended ${ended}`).toBe(true)
    expect(off(endedLately, latelyBy), `ended lately ${endedLately}`).toBe(true)
    expect(Math.abs(arrived - 1), `arrived ${arrived}`).toBeLessThan(0.04)
    expect(Math.abs(arrivedLately - 1), `arrived lately ${arrivedLately}`).toBeLessThan(0.06)
  })

  it('are those of what ended where nothing is known of what was answered', () => {
    const { histogram, answering } = played(exponential(180), steady(25))
    expect(asArrived(histogram, clockOf([]))).toBe(histogram)
    expect(asArrived(histogram, clockOf(answering.slice(-1)))).toBe(histogram)
    const { seconds: _, ...untold } = histogram
    expect(asArrived(untold, clockOf(answering))).toBe(untold)
  })

  it('have as many requests as ended, and lengths that were seen, whatever was read', () => {
    const amount = fc.double({ min: 0, max: 1e6, noNaN: true })
    const reading = fc.record({
      at: fc.integer({ min: 0, max: now }),
      variants: fc.constantFrom(['one'], ['one', 'other']),
      running: amount,
      completionsPerSecond: amount,
      tokensPerSecond: fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
    })
    fc.assert(
      fc.property(
        fc.array(reading, { maxLength: 20 }),
        fc.array(amount, { minLength: upperBounds.length + 1, maxLength: upperBounds.length + 1 }),
        (readings, perSecond) => {
          const answering = readings
            .toSorted((x, y) => x.at - y.at)
            .reduce<readonly Answering[]>((so, one) => enterAnswering(so, one), [])
          const sumPerSecond = perSecond.reduce((sum, rate, i) => sum + rate * (upperBounds[i] ?? 50_000), 0)
          const ended: LengthHistogram = { upperBounds, perSecond, sumPerSecond, seconds: 300 }
          const arrived = asArrived(ended, clockOf(answering))
          if (!(eventsPerSecond(ended) > 0)) return
          expect(eventsPerSecond(arrived) / eventsPerSecond(ended)).toBeCloseTo(1, 6)
          const tokens = mean(arrived) ?? Number.NaN
          expect(tokens).toBeGreaterThan(0)
          expect(tokens).toBeLessThan(2 * 50_000)
        },
      ),
    )
  })
})
