import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Equation,
  median,
  nonNegativeLeastSquares,
  quantile,
  robustLeastSquares,
} from '../../src/core/profiles/leastSquares.ts'

const small = fc.double({ min: -10, max: 10, noNaN: true }).map((value) => Number(value.toFixed(3)))

function equations(rows: readonly (readonly number[])[], values: readonly number[]): Equation[] {
  return rows.map((coefficients, i) => ({ coefficients, value: values[i] ?? 0, weight: 1 }))
}

function errorOf(system: readonly Equation[], solution: readonly number[]): number {
  return system.reduce((sum, { coefficients, value, weight }) => {
    const off = coefficients.reduce((dot, each, j) => dot + each * (solution[j] ?? 0), 0) - value
    return sum + (weight * off) ** 2
  }, 0)
}

describe('non-negative least squares', () => {
  it('finds the known answer of a system whose free optimum is negative', () => {
    // Free optimum (2, -1): with x2 = 0 the best x1 is the mean of the right sides.
    const system = equations(
      [
        [1, 1],
        [1, 2],
        [1, 3],
      ],
      [1, 0, -1],
    )
    expect(nonNegativeLeastSquares(system)).toEqual([0, 0])
    const other = equations(
      [
        [1, 1],
        [1, 2],
        [1, 3],
      ],
      [5, 4, 3],
    )
    const [first, second] = nonNegativeLeastSquares(other)
    expect(first).toBeCloseTo(4, 12)
    expect(second).toBe(0)
  })

  it('recovers coefficients whose columns differ by six orders of magnitude', () => {
    const truth = [6.2, 0.035, 4.8e-5]
    const rows = [1, 3, 9, 27, 81].flatMap((n) => [100, 3000].map((m) => [1, n, n * m]))
    const values = rows.map((row) => row.reduce((sum, each, j) => sum + each * (truth[j] ?? 0), 0))
    const found = nonNegativeLeastSquares(equations(rows, values))
    truth.forEach((each, j) => {
      expect((found[j] ?? 0) / each).toBeCloseTo(1, 9)
    })
  })

  it('meets the optimality conditions on any system: no negative value, no descent into the allowed', () => {
    const system = fc.integer({ min: 1, max: 5 }).chain((columns) =>
      fc.array(fc.tuple(fc.array(small, { minLength: columns, maxLength: columns }), small), {
        minLength: 1,
        maxLength: 12,
      }),
    )
    fc.assert(
      fc.property(system, (rows) => {
        const made = rows.map(([coefficients, value]) => ({ coefficients, value, weight: 1 }))
        const solution = nonNegativeLeastSquares(made)
        const scale = 1 + Math.max(...rows.flatMap(([row, value]) => [...row, value].map(Math.abs)))
        solution.forEach((value, j) => {
          expect(value).toBeGreaterThanOrEqual(0)
          const gradient = made.reduce((sum, { coefficients, value: right }) => {
            const off = coefficients.reduce((dot, each, k) => dot + each * (solution[k] ?? 0), 0) - right
            return sum + 2 * off * (coefficients[j] ?? 0)
          }, 0)
          const tolerance = 1e-6 * scale ** 3
          expect(gradient).toBeGreaterThanOrEqual(-tolerance)
          if (value > 1e-9) expect(Math.abs(gradient)).toBeLessThanOrEqual(tolerance * Math.max(1, value))
        })
      }),
      { numRuns: 300 },
    )
  })

  it('is no worse than any of a thousand random candidates, with columns that depend on each other too', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(small, small, small), { minLength: 2, maxLength: 8 }),
        fc.array(fc.double({ min: 0, max: 5, noNaN: true }), { minLength: 3, maxLength: 3 }),
        (rows, candidate) => {
          const system = rows.map(([x, y, value]) => ({ coefficients: [x, y, x + y], value, weight: 1 }))
          const best = errorOf(system, nonNegativeLeastSquares(system))
          expect(best).toBeLessThanOrEqual(errorOf(system, candidate) * (1 + 1e-9) + 1e-9)
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('answers an empty system with no coefficients', () => {
    expect(nonNegativeLeastSquares([])).toEqual([])
  })
})

describe('robust least squares', () => {
  const line = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((x, i) => ({
    coefficients: [1, x],
    // Noise of one percent, the same in every run.
    value: (5 + 2 * x) * (1 + 0.01 * Math.sin(7 * i)),
    weight: 1 / (5 + 2 * x),
  }))

  it('follows the many where plain squares follow the one that is twice too high', () => {
    const spoiled = line.map((row, i) => (i === 8 ? { ...row, value: 2 * row.value } : row))
    const plain = nonNegativeLeastSquares(spoiled)
    const robust = robustLeastSquares(spoiled, 1.345)
    expect(Math.abs((plain[1] ?? 0) - 2)).toBeGreaterThan(0.3)
    expect(Math.abs((robust[1] ?? 0) - 2)).toBeLessThan(0.1)
  })

  it('leaves an exact fit as it is', () => {
    const exact = [1, 2, 3, 4].map((x) => ({ coefficients: [1, x], value: 3 + x, weight: 1 }))
    const [intercept, slope] = robustLeastSquares(exact, 1.345)
    expect(intercept).toBeCloseTo(3, 9)
    expect(slope).toBeCloseTo(1, 9)
  })
})

describe('quantile', () => {
  it('is linear between sorted values', () => {
    expect(quantile([4, 1, 3, 2], 0.9)).toBeCloseTo(3.7, 12)
    expect(median([3, 1, 2])).toBe(2)
    expect(quantile([], 0.5)).toBe(0)
  })
})
