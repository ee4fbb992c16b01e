import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { gammaCdf, gammaLaplace } from '../../src/core/capacity/gamma.ts'

describe('gamma distribution', () => {
  it('is the exponential where variance is the square of the mean', () => {
    for (const x of [1e-6, 0.1, 1, 3, 10, 40]) expect(gammaCdf(2, 4, x)).toBeCloseTo(1 - Math.exp(-x / 2), 9)
  })

  it('is the Erlang sum of four exponential stages', () => {
    // P(X > x) = e^-x (1 + x + x^2/2 + x^3/6) for four stages of unit rate: mean 4, variance 4.
    for (const x of [0.5, 2, 4, 7, 15]) {
      const above = Math.exp(-x) * (1 + x + x ** 2 / 2 + x ** 3 / 6)
      expect(gammaCdf(4, 4, x)).toBeCloseTo(1 - above, 9)
    }
  })

  it('goes over into its normal approximation without a step', () => {
    for (const x of [85, 95, 100, 105, 115]) {
      expect(Math.abs(gammaCdf(100, 50.001, x) - gammaCdf(100, 49.999, x))).toBeLessThan(5e-5)
    }
  })

  it('is a point where there is no variance to speak of', () => {
    expect(gammaCdf(5, 0, 4.999)).toBe(0)
    expect(gammaCdf(5, 0, 5)).toBe(1)
    expect(gammaCdf(0, 0, 0)).toBe(1)
  })

  it('rises from 0 to 1', () => {
    const positive = fc.integer({ min: -60, max: 60 }).map((exponent) => 10 ** (exponent / 10))
    fc.assert(
      fc.property(positive, positive, positive, positive, (mean, variance, x, y) => {
        const [low, high] = [
          gammaCdf(mean, variance, Math.min(x, y)),
          gammaCdf(mean, variance, Math.max(x, y)),
        ]
        expect(low).toBeGreaterThanOrEqual(0)
        expect(high).toBeLessThanOrEqual(1)
        expect(high - low).toBeGreaterThanOrEqual(-1e-7)
      }),
      { numRuns: 500 },
    )
  })

  it('has the Laplace transform of the exponential, and of a point', () => {
    expect(gammaLaplace(2, 4, 0.3)).toBeCloseTo(1 / 1.6, 12)
    expect(gammaLaplace(2, 0, 0.3)).toBeCloseTo(Math.exp(-0.6), 12)
    expect(gammaLaplace(0, 0, 5)).toBe(1)
  })
})
