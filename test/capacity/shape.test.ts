import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LengthBin } from '../../src/core/capacity/question.ts'
import { assumedLengths, lengthBins, lengthsToCome } from '../../src/core/capacity/shape.ts'
import type { Histogram } from '../../src/core/histogram.ts'
import { Random } from '../../src/simulation/random.ts'

const total = (bins: readonly LengthBin[]): number => bins.reduce((sum, bin) => sum + bin.weight, 0)
const mean = (bins: readonly LengthBin[]): number =>
  bins.reduce((sum, bin) => sum + bin.weight * bin.tokens, 0)

/** vLLM's edges for lengths of a model with a context of 10,000 tokens. */
const upperBounds = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]

/** What a histogram shows of `events` equally likely values. */
function observed(values: readonly number[]): Histogram {
  const perSecond = new Array<number>(upperBounds.length + 1).fill(0)
  for (const value of values) {
    const at = upperBounds.findIndex((edge) => value <= edge)
    const bucket = at === -1 ? upperBounds.length : at
    perSecond[bucket] = (perSecond[bucket] ?? 0) + 1
  }
  return { upperBounds, perSecond, sumPerSecond: values.reduce((sum, value) => sum + value, 0) }
}

describe('lengths from a histogram', () => {
  it('are as many points as asked for, whose weights add up to 1 and whose mean is the observed one', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 50 })
    fc.assert(
      fc.property(lengths, (values) => {
        const histogram = observed(values.map((value) => value + 100))
        const bins = lengthBins(histogram, 12)
        expect(bins.length).toBe(12)
        expect(total(bins)).toBeCloseTo(1, 9)
        expect(mean(bins) / (histogram.sumPerSecond / values.length)).toBeCloseTo(1, 9)
      }),
    )
  })

  it('follow an exponential distribution within 20 % through coarse buckets', () => {
    const values = Array.from({ length: 10_000 }, (_, i) => -1000 * Math.log(1 - (i + 0.5) / 10_000))
    const bins = lengthBins(observed(values), 12)
    const expected = assumedLengths(1000)
    bins.slice(2).forEach((bin, i) => {
      expect(bin.weight).toBeCloseTo(expected[i + 2]?.weight ?? 0, 9)
      expect(Math.abs(bin.tokens / (expected[i + 2]?.tokens ?? 0) - 1)).toBeLessThan(0.2)
    })
  })

  it('count values beyond the last edge by the sum of the histogram', () => {
    const bins = lengthBins(observed(new Array<number>(10).fill(40_000)), 12)
    expect(mean(bins)).toBeCloseTo(40_000, 6)
  })

  it('are refused where nothing was observed', () => {
    expect(() => lengthBins(observed([]), 12)).toThrow(
      'lengths need a histogram with events: got 0 per second',
    )
  })
})

describe('lengths to come', () => {
  it.each([50, 400, 3000])('are on average at most those of all in 5 of 6 samples of %s', (requests) => {
    // 84 %: one standard error, one-sided; a sample of a skewed distribution tells its spread a little low.
    const random = new Random(11, requests)
    const samples = 400
    let covered = 0
    for (let i = 0; i < samples; i++) {
      const seen = Array.from({ length: requests }, () => random.exponential(700))
      if (mean(lengthsToCome(observed(seen), 12, requests)) >= 700) covered++
    }
    expect(covered / samples).toBeGreaterThan(0.74)
    expect(covered / samples).toBeLessThan(0.9)
  })

  it('are those seen where these are many', () => {
    const values = Array.from({ length: 1000 }, (_, i) => -1000 * Math.log(1 - (i + 0.5) / 1000))
    const seen = lengthBins(observed(values), 12)
    expect(lengthsToCome(observed(values), 12, Number.POSITIVE_INFINITY)).toEqual(seen)
  })
})

describe('lengths assumed from a mean', () => {
  it('have that mean, at least one token, and the percentiles of an exponential', () => {
    const bins = assumedLengths(500)
    expect(total(bins)).toBeCloseTo(1, 12)
    expect(mean(bins)).toBeCloseTo(500, 9)
    // The parts 0.9..0.95 and 0.99..1 of an exponential: 2.61 and 5.61 times its mean.
    expect(bins.at(-3)?.tokens).toBeCloseTo(1 + 499 * 2.609, 0)
    expect(bins.at(-1)?.tokens).toBeCloseTo(1 + 499 * 5.605, 0)
    expect(assumedLengths(1).every((bin) => bin.tokens === 1)).toBe(true)
  })
})
