// The correction that samples determine: exact on exact samples, indifferent to what half of them say, drawn to the
// profile where they do not tell base and slopes apart.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fitSpeed } from '../../src/core/calibrate/fit.ts'
import type { SpeedSample } from '../../src/core/calibrate/sample.ts'

/** Times of an engine with these factors, at a load that gives this share of base in a step of 20 ms by the profile. */
function sample(
  factors: { base: number; slopes: number },
  share: number,
  noise = 1,
  extraMs = 0,
): SpeedSample {
  const gap = { base: 20 * share, slopes: 20 * (1 - share) }
  const first = { base: 20, slopes: 60 }
  return {
    at: 0,
    gap: { ...gap, ms: noise * (factors.base * gap.base + factors.slopes * gap.slopes) },
    first: { ...first, ms: factors.base * first.base + factors.slopes * first.slopes + extraMs },
  }
}

const shares = Array.from({ length: 30 }, (_, i) => 0.3 + (0.6 * i) / 29)
const steady = Array.from({ length: 30 }, () => 0.7)

describe('the fit of speed', () => {
  it('finds one common factor at one load and at many', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.5, max: 2, noNaN: true }), (factor) => {
        for (const loads of [steady, shares]) {
          const fit = fitSpeed(loads.map((share) => sample({ base: factor, slopes: factor }, share)))
          expect(fit.base / factor).toBeCloseTo(1 + (1 / factor - 1) / 31, 2)
          expect(fit.slopes).toBeCloseTo(fit.base, 6)
          expect(fit.ratio).toBeCloseTo(fit.base, 6)
        }
      }),
    )
  })

  it('tells base and slopes apart only as far as the load varied', () => {
    const truth = { base: 1, slopes: 1.3 }
    const varied = fitSpeed(shares.map((share) => sample(truth, share)))
    expect(varied.slopes - varied.base).toBeGreaterThan(0.2)
    expect(varied.slopes - varied.base).toBeLessThan(0.3)
    const constant = fitSpeed(steady.map((share) => sample(truth, share)))
    expect(constant.slopes - constant.base).toBeCloseTo(0, 6)
    // Either way the time where the samples were taken is right.
    expect(constant.ratio).toBeCloseTo(1 + 0.3 * 0.3 * (30 / 31), 3)
  })

  it('does not care what fewer than half of the samples say', () => {
    const nonsense = fc.double({ min: 0.1, max: 10, noNaN: true }).filter((y) => Math.abs(y - 1) > 0.25)
    fc.assert(
      fc.property(fc.array(nonsense, { minLength: 1, maxLength: 13 }), (lies) => {
        const samples = shares.map((share, i) => sample({ base: 1, slopes: 1 }, share, lies[i % 30] ?? 1))
        const { base, slopes } = fitSpeed(samples)
        expect(Math.abs(base - 1)).toBeLessThan(0.05)
        expect(Math.abs(slopes - 1)).toBeLessThan(0.05)
      }),
    )
  })

  it('takes for an overhead of the first token only what no busy engine explains', () => {
    const law = { base: 1, slopes: 1 }
    expect(fitSpeed(shares.map((share) => sample(law, share, 1, 25))).overheadMs).toBe(0)
    expect(fitSpeed(shares.map((share) => sample(law, share, 1, 132))).overheadMs).toBeCloseTo(100, 3)
  })
})
