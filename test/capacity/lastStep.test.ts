import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lastStep } from '../../src/core/capacity/lastStep.ts'

/** How often it was looked at, beside the answer. */
function looking(steps: number, excessAt: (i: number) => number): { last: number; looks: number } {
  let looks = 0
  const last = lastStep(steps, { atFirst: excessAt(0), atLast: excessAt(steps) }, (i) => {
    expect(i).toBeGreaterThan(0)
    expect(i).toBeLessThan(steps)
    looks += 1
    return excessAt(i)
  })
  return { last, looks }
}

/** Excess that grows, with a jump, a bend and a stretch where there is nothing to see. */
const growing = fc
  .record({
    steps: fc.integer({ min: 1, max: 5000 }),
    root: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    slope: fc.double({ min: 1e-3, max: 100, noNaN: true }),
    power: fc.double({ min: 0.2, max: 8, noNaN: true }),
    jump: fc.double({ min: 0, max: 5, noNaN: true }),
    blind: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ steps, root, slope, power, jump, blind }) => {
    const excessAt = (i: number): number => {
      const x = i / steps
      if (x > root) return jump + slope * (x ** power - root ** power) + 1e-12
      return x < root * blind ? Number.NEGATIVE_INFINITY : slope * (x ** power - root ** power)
    }
    return { steps, excessAt }
  })

test('it is the last allowed step, found in at most one look more than by halving', () => {
  fc.assert(
    fc.property(growing, ({ steps, excessAt }) => {
      const { last, looks } = looking(steps, excessAt)
      expect(excessAt(last)).toBeLessThanOrEqual(0)
      expect(excessAt(last + 1)).toBeGreaterThan(0)
      expect(looks).toBeLessThanOrEqual(Math.ceil(Math.log2(steps)) + 1)
    }),
    { numRuns: 2000 },
  )
})

test('where excess is a smooth curve, half the looks do', () => {
  const { last, looks } = looking(4096, (i) => 6 * Math.log((i + 1) / 3001))
  expect(last).toBe(3000)
  expect(looks).toBeLessThanOrEqual(6)
})

test('where it jumps from nothing to all, it is found like by halving', () => {
  const { last, looks } = looking(4096, (i) => (i > 17 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY))
  expect(last).toBe(17)
  expect(looks).toBeLessThanOrEqual(13)
})
