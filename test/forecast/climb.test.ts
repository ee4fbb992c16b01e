// What is carried on of a climb: how far climbs went on before, and nothing of noise.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { climbOf, firstCarry, learnCarry } from '../../src/core/forecast/climb.ts'
import { climbSeconds, type Levels, moveLevels, newLevels } from '../../src/core/forecast/levels.ts'
import { logOf } from '../../src/core/forecast/logs.ts'
import { Random } from '../../src/simulation/random.ts'
import { forecastOf, tick, told } from './told.ts'

/** Levels after these requests per second, a minute apart. */
function levelsAfter(rates: readonly number[]): Levels {
  return rates
    .slice(1)
    .reduce(
      (levels, rate, minute) => moveLevels(levels, 60 * (minute + 1), logOf(rate), 60),
      newLevels(0, logOf(rates[0] ?? 0)),
    )
}

function climbAfter(rates: readonly number[]): number {
  return climbOf(levelsAfter(rates), rates.at(-1) ?? 0)
}

describe('a climb', () => {
  it('is what demand rose by within three minutes, beyond a tenth', () => {
    expect(climbAfter([200, 200, 200, 300])).toBeCloseTo(logOf(300) - logOf(200) - 0.1, 9)
    expect(climbAfter([200, 300, 300, 300, 300])).toBe(0)
    expect(climbAfter([200, 210, 214, 218])).toBe(0)
    expect(climbAfter([300, 200, 150, 100])).toBe(0)
    expect(climbAfter([200])).toBe(0)
  })

  it('is not the noise of a few requests, and never more than a factor of two', () => {
    expect(climbAfter([2, 2, 2, 2.6])).toBe(0)
    expect(climbAfter([200, 200, 200, 260])).toBeGreaterThan(0.1)
    expect(climbAfter([2, 200, 400, 800])).toBe(0.7)
  })

  it('is carried on as far as nine of ten went on', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.integer({ min: 60, max: 900 }), (seed, horizonSeconds) => {
        const random = new Random(seed)
        const most = horizonSeconds / climbSeconds
        let carry = firstCarry(horizonSeconds)
        let further = 0
        const climbs = 4000
        for (let i = 0; i < climbs; i++) {
          // Of a climb's pace anything from nothing to all of it goes on.
          const exceeded = random.uniform() * most > carry
          if (exceeded && i >= climbs / 2) further += 1
          carry = learnCarry(carry, 0.3, exceeded, horizonSeconds)
          expect(carry).toBeGreaterThanOrEqual(0)
          expect(carry).toBeLessThanOrEqual(most)
        }
        expect(further / (climbs / 2)).toBeLessThan(0.2)
        expect(carry).toBeGreaterThan(0.5 * most)
      }),
      { numRuns: 20 },
    )
  })

  it('teaches as much as it is large, and nothing where there was none', () => {
    expect(learnCarry(0.5, 0, true, 180)).toBe(0.5)
    const small = learnCarry(0.5, 0.05, true, 180) - 0.5
    expect(learnCarry(0.5, 0.1, true, 180) - 0.5).toBeCloseTo(2 * small, 9)
    expect(learnCarry(0.5, 0.7, true, 180)).toBe(learnCarry(0.5, 0.2, true, 180))
  })
})

describe('planning in a climb', () => {
  /**
   * Once in four hours, sooner or later, demand doubles within so many minutes, stays there for an hour and falls back:
   * too rarely for a quantile of all errors to know. Told until it is at its middle, going up.
   */
  const planned = (minutes: number): number => {
    const random = new Random(7)
    const begins = Array.from({ length: 13 }, (_, i) => 4 * 3600 * i + 60 * Math.round(90 * random.uniform()))
    const demandAt = (at: number): number => {
      const begin = begins.findLast((each) => each <= at) ?? 0
      const part = (since: number): number => Math.min(1, Math.max(0, since / (60 * minutes)))
      return at < (begins[0] ?? 0) ? 100 : 100 * 2 ** (part(at - begin) - part(at - begin - 3600))
    }
    const until = (begins.at(-1) ?? 0) + 30 * minutes
    const rates = Array.from({ length: until / tick + 1 }, (_, i) => demandAt(i * tick))
    return forecastOf(told(rates), 0.9).atQuantile / demandAt(until)
  }

  it('asks for what is still to come where climbs went on, and not where they had ended', () => {
    // At its middle a climb of eight minutes has 39 % before it within the horizon; told of one of a minute, it is over.
    expect(planned(8)).toBeGreaterThan(1.2)
    expect(planned(1)).toBeLessThan(1.05)
  })
})
