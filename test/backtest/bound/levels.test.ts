import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type LevelsProblem, levelsBound } from '../../../src/backtest/bound/levels.ts'

const hour: LevelsProblem = {
  // A dollar per replica and step.
  ...{ stepSeconds: 60, costPerHour: 60, startupSeconds: 120, allowedMisses: 0 },
  demand: Float64Array.of(5, 5, 5, 15, 25, 15, 5),
  capacity: new Float64Array(7).fill(10),
  bounds: { min: 0, max: 4 },
}

describe('the bound of one variant', () => {
  test('a hill: every replica pays its steps and its start, the first replicas none', () => {
    // The counts are 11 dollars, and two starts of 120 s at a dollar a minute 4 more.
    expect(levelsBound(hour)).toEqual({
      ...{ dollars: 15, schedule: { counts: [1, 1, 1, 2, 3, 2, 1], dollars: 15, missedShare: 0 } },
    })
  })

  test('a gap shorter than a start is bridged, a longer one is not', () => {
    const gap = (steps: number): readonly number[] => {
      const demand = Float64Array.of(15, ...new Array<number>(steps).fill(5), 15)
      const capacity = new Float64Array(demand.length).fill(10)
      return levelsBound({ ...hour, demand, capacity }).schedule?.counts ?? []
    }
    expect(gap(1)).toEqual([2, 2, 2])
    expect(gap(3)).toEqual([2, 1, 1, 1, 2])
  })

  test('what may be missed is missed where a replica carries least', () => {
    // The third replica carries 5 of 75 requests/s: 8 % are 6.
    const { schedule, dollars } = levelsBound({ ...hour, allowedMisses: 0.08 })
    expect(schedule?.counts).toEqual([1, 1, 1, 2, 2, 2, 1])
    // 10 steps and one start.
    expect(schedule?.dollars).toBe(12)
    expect(dollars).toBeLessThanOrEqual(12)
    expect(dollars).toBeGreaterThan(11)
  })

  test('too few replicas have no schedule', () => {
    expect(levelsBound({ ...hour, bounds: { min: 0, max: 2 } }).schedule).toBeUndefined()
  })
})

const problems = fc
  .record({
    steps: fc.integer({ min: 1, max: 5 }),
    costPerHour: fc.integer({ min: 1, max: 20 }),
    startupSeconds: fc.constantFrom(0, 30, 60, 100, 300),
    min: fc.integer({ min: 0, max: 1 }),
    max: fc.integer({ min: 2, max: 3 }),
    allowedMisses: fc.constantFrom(0, 0.01, 0.1, 0.3),
    values: fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 5, maxLength: 5 }),
    capacities: fc.array(fc.integer({ min: 5, max: 12 }), { minLength: 5, maxLength: 5 }),
  })
  .map(
    ({ steps, min, max, values, capacities, ...rest }): LevelsProblem => ({
      ...rest,
      stepSeconds: 60,
      demand: Float64Array.from(values.slice(0, steps)),
      capacity: Float64Array.from(capacities.slice(0, steps)),
      bounds: { min, max },
    }),
  )

/** The cheapest of all schedules in whole replicas; undefined where none misses little enough. */
function bruteForce(problem: LevelsProblem): number | undefined {
  const { demand, capacity, stepSeconds, bounds, costPerHour, startupSeconds, allowedMisses } = problem
  const requests = demand.reduce((sum, rate) => sum + rate, 0)
  let best: number | undefined
  const extend = (counts: readonly number[], seconds: number, missed: number): void => {
    if (missed > allowedMisses * requests + 1e-12) return
    const t = counts.length
    if (t === demand.length) {
      const dollars = (costPerHour / 3600) * seconds
      if (best === undefined || dollars < best) best = dollars
      return
    }
    for (let count = bounds.min; count <= bounds.max; count++) {
      const started = t === 0 ? 0 : Math.max(0, count - (counts[t - 1] ?? 0))
      extend(
        [...counts, count],
        seconds + count * stepSeconds + started * startupSeconds,
        missed + Math.max(0, (demand[t] ?? 0) - count * (capacity[t] ?? 0)),
      )
    }
  }
  extend([], 0, 0)
  return best
}

test('no schedule is cheaper than the bound, its own schedule is feasible, and with nothing to miss both are the optimum', () => {
  fc.assert(
    fc.property(problems, (problem) => {
      const optimum = bruteForce(problem)
      const { dollars, schedule } = levelsBound(problem)
      if (optimum === undefined) {
        expect(schedule).toBeUndefined()
        return
      }
      expect(dollars).toBeLessThanOrEqual(optimum + 1e-9)
      if (schedule === undefined) throw new Error('the brute force found a schedule')
      expect(schedule.dollars).toBeGreaterThanOrEqual(optimum - 1e-9)
      expect(schedule.missedShare).toBeLessThanOrEqual(problem.allowedMisses + 1e-9)
      if (problem.allowedMisses === 0) {
        expect(dollars).toBeCloseTo(optimum, 9)
        expect(schedule.dollars).toBeCloseTo(optimum, 9)
      }
    }),
    { numRuns: 400 },
  )
})
