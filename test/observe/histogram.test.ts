import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { eventsPerSecond, type Histogram, mean, quantile, shareWithin } from '../../src/core/histogram.ts'

const example: Histogram = { upperBounds: [0.1, 0.5, 1], perSecond: [2, 6, 1, 1], sumPerSecond: 4 }
const empty: Histogram = { upperBounds: [1], perSecond: [0, 0], sumPerSecond: 0 }

const histograms = fc
  .array(fc.tuple(fc.double({ min: 0.01, max: 5, noNaN: true }), fc.integer({ min: 0, max: 50 })), {
    minLength: 1,
    maxLength: 12,
  })
  .map((steps): Histogram => {
    let edge = 0
    const upperBounds = steps.map(([width]) => (edge += width))
    return { upperBounds, perSecond: [...steps.map(([, events]) => events), 0], sumPerSecond: 1 }
  })
  .filter((histogram) => eventsPerSecond(histogram) > 0)

describe('a histogram', () => {
  it('has events and a mean', () => {
    expect(eventsPerSecond(example)).toBe(10)
    expect(mean(example)).toBe(0.4)
  })

  it('interpolates quantiles inside a bucket; above the last edge it can only say that edge', () => {
    expect(quantile(example, 0.1)).toBeCloseTo(0.05, 12)
    expect(quantile(example, 0.5)).toBeCloseTo(0.3, 12)
    expect(quantile(example, 0.9)).toBeCloseTo(1, 12)
    expect(quantile(example, 0.99)).toBe(1)
  })

  it('tells the share within a bound: exactly on an edge, by interpolation between two', () => {
    expect(shareWithin(example, 0.5)).toBe(0.8)
    expect(shareWithin(example, 0.3)).toBeCloseTo(0.5, 12)
    expect(shareWithin(example, 100)).toBe(0.9)
  })

  it('of no events has no mean, no quantile and no share', () => {
    expect([mean(empty), quantile(empty, 0.5), shareWithin(empty, 1)]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  it('has quantiles that do not fall with the percentile, and a share within each that is the percentile', () => {
    const percentile = fc.double({ min: 0.01, max: 0.99, noNaN: true })
    fc.assert(
      fc.property(histograms, percentile, percentile, (histogram, p, q) => {
        const [low, high] = [Math.min(p, q), Math.max(p, q)]
        expect(quantile(histogram, high)).toBeGreaterThanOrEqual(quantile(histogram, low) ?? Number.NaN)
        expect(shareWithin(histogram, quantile(histogram, p) ?? Number.NaN)).toBeCloseTo(p, 6)
      }),
    )
  })
})
