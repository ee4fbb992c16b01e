// Longer answers, from how many are being answered: while nothing changes, and a minute after lengths have.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clockOf } from '../../src/core/demand/answerClock.ts'
import { type Answering, answeringAt } from '../../src/core/demand/answering.ts'
import { longerBy } from '../../src/core/demand/unfinished.ts'
import type { LengthHistogram } from '../../src/core/histogram.ts'
import type { TrafficClass } from '../../src/core/policy.ts'
import { oneTwoFive } from '../../src/simulation/metrics.ts'
import { observe, policy, signals, variant } from '../decide/world.ts'

const h100s = variant('h100')
const chat = policy([h100s]).classes[0] as TrafficClass
const upperBounds = oneTwoFive(32_768)
const meanTokens = 2000

/** Exponential lengths. */
const counted: LengthHistogram = {
  upperBounds,
  perSecond: [...upperBounds.map((bound) => -Math.expm1(-bound / meanTokens)), 1].map(
    (share, i, all) => 10 * (share - (all[i - 1] ?? 0)),
  ),
  sumPerSecond: 10 * meanTokens,
  seconds: 300,
}

/** Ten requests per second at 25 tokens per second of each; from `since` on answers are `times` as long. */
function played(times: number, since: number): readonly Answering[] {
  const pace = 25
  let [before, after] = [10 * (meanTokens / pace), 0]
  const [ended, tokens]: [number[], number[]] = [[], []]
  const readings: Answering[] = []
  for (let at = 0; at <= 900; at++) {
    const gone = [before * (pace / meanTokens), after * (pace / (meanTokens * times))] as const
    before += (at < since ? 10 : 0) - gone[0]
    after += (at < since ? 0 : 10) - gone[1]
    ended.push(gone[0] + gone[1])
    tokens.push(pace * (before + after))
    if (at % 15 !== 0) continue
    readings.push({
      ...{ at, variants: ['chat/llama/h100'], running: before + after },
      ...{ completionsPerSecond: lastMinute(ended), tokensPerSecond: lastMinute(tokens) },
    })
  }
  return readings
}

function lastMinute(perSecond: readonly number[]): number {
  const minute = perSecond.slice(-60)
  return minute.reduce((sum, each) => sum + each, 0) / minute.length
}

describe('how much longer answers are than those that ended', () => {
  it('is nothing while nothing changes, known as well as so many that run tell', () => {
    const found = longerBy(counted, clockOf(played(1, 0)))
    expect(found?.log).toBeCloseTo(0, 1)
    // 800 run; of exponential lengths half of their variance is left once arrivals are known.
    expect(found?.error).toBeGreaterThan(Math.sqrt(0.5 / 800) * 0.8)
    expect(found?.error).toBeLessThan(Math.sqrt(0.5 / 800) * 1.6)
  })

  it.each([
    1.5, 0.6,
  ])('shows answers %s times as long within two minutes, and more as they go on', (times) => {
    const [early, late] = [780, 600].map(
      (since) => longerBy(counted, clockOf(played(times, since)))?.log ?? 0,
    )
    const share = (log: number | undefined) => (log ?? 0) / Math.log(times)
    expect(share(early)).toBeGreaterThan(0.35)
    expect(share(late)).toBeGreaterThan(share(early))
    expect(share(late)).toBeLessThan(1.1)
  })

  it('is nothing while requests queue up: what waits is not answered yet', () => {
    // Slots are full: as many run and as many end as ever, and five more wait every second.
    const readings = Array.from({ length: 60 }, (_, i) => {
      const queueing = signals(4, 10, {
        ...{ running: 800, waiting: 75 * i, inSystemGrowthPerSecond: 5 },
        ...{ completionsPerSecond: 10, generationTokensPerSecond: 10 * meanTokens },
      })
      return answeringAt(chat, [h100s], observe(15 * i, { h100: queueing })) as Answering
    })
    const found = longerBy(counted, clockOf(readings))
    expect(found?.log).toBeCloseTo(0, 1)
    expect(found?.error).toBeLessThan(0.06)
  })

  it('is hardly believed where answers are short and engines have just become faster, and is while they stay as they are', () => {
    const tokens = 130
    const short = { ...counted, upperBounds: upperBounds.map((bound) => (bound * tokens) / meanTokens) }
    const answers = { ...short, sumPerSecond: 10 * tokens }
    // Ten requests a second; four seconds each, and two in the last half minute.
    const found = (quicker: boolean) =>
      longerBy(
        answers,
        clockOf(
          Array.from({ length: 40 }, (_, i) => ({
            ...{ at: 15 * i, variants: ['one'], completionsPerSecond: 10, tokensPerSecond: 10 * tokens },
            running: quicker && i >= 38 ? 20 : 40,
          })),
        ),
      )
    expect(found(false)?.log).toBeCloseTo(0, 1)
    expect(found(false)?.error).toBeLessThan(0.2)
    expect(found(true)?.error).toBeGreaterThan(2 * (found(false)?.error ?? Number.NaN))
  })

  it('is nothing or a finite number within a factor of two, whatever is read', () => {
    const amount = fc.double({ min: 0, max: 1e6, noNaN: true })
    const reading = fc.record({
      at: fc.integer({ min: 0, max: 3600 }),
      variants: fc.constant(['one']),
      running: amount,
      completionsPerSecond: amount,
      tokensPerSecond: fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
    })
    const buckets = fc.array(amount, { minLength: 17, maxLength: 17 })
    fc.assert(
      fc.property(fc.uniqueArray(reading, { selector: ({ at }) => at }), buckets, (readings, rates) => {
        const perSecond = upperBounds.concat(0).map((_, i) => rates[i] ?? 0)
        const histogram = { ...counted, perSecond }
        const found = longerBy(histogram, clockOf(readings.toSorted((x, y) => x.at - y.at)))
        if (found === undefined) return
        expect(Math.abs(found.log)).toBeLessThanOrEqual(Math.LN2)
        expect(found.error).toBeGreaterThan(0)
        expect(Number.isFinite(found.error)).toBe(true)
      }),
    )
  })
})
