// The optimizer against trying everything, and the laws that any optimum obeys.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MixPlan, MixProblem } from '../../src/core/optimize/mix.ts'
import { planMix } from '../../src/core/optimize/planMix.ts'
import { weighed } from '../../src/core/optimize/planTogether.ts'
import { type Best, bruteForce, isPositive, priorities } from './bruteForce.ts'
import { engines, planned } from './mixes.ts'
import { mixes } from './randomMixes.ts'

function summary(problem: MixProblem, plan: MixPlan): Best {
  const short = priorities(problem).map((priority) =>
    problem.classes
      .filter((demand) => demand.priority === priority)
      .reduce((sum, demand) => sum + (plan.shortfall[demand.id] ?? 0), 0),
  )
  return {
    short,
    uncarriedAfterLoss: plan.binding.reduce(
      (sum, bound) => (bound.kind === 'redundancy' ? sum + bound.requestsPerSecond : sum),
      0,
    ),
    cost: weighed(problem, plan),
  }
}

function expectOptimal(problem: MixProblem, using = engines): void {
  const plan = planMix(problem, using)
  if (plan.status === 'failed') throw new Error(plan.why)
  const found = summary(problem, plan)
  const best = bruteForce(problem)
  for (const [level, short] of best.short.entries()) {
    expect(found.short[level]).toBeCloseTo(short, 3)
  }
  expect(plan.status).toBe(isPositive(best.short) ? 'shortfall' : 'optimal')
  // With a shortfall, redundancy depends on which of equal classes is short: only its level is compared then.
  if (problem.surviveReplicas > 0 && isPositive(best.short)) return
  expect(found.uncarriedAfterLoss).toBeCloseTo(best.uncarriedAfterLoss, 3)
  expect(found.cost).toBeCloseTo(best.cost, 6)
}

describe('planMix against brute force', () => {
  it('finds the optimum of every small problem with the small engine', () => {
    fc.assert(
      fc.property(mixes, (problem) => expectOptimal(problem)),
      { numRuns: 2_000 },
    )
  })

  it('finds the optimum of every small problem with the large engine', () => {
    const using = { small: engines.large, large: engines.large }
    fc.assert(
      fc.property(mixes, (problem) => expectOptimal(problem, using)),
      { numRuns: 250 },
    )
  }, 60_000)

  it('is never short and hardly ever dearer than it must be where replicas share a router', () => {
    const found = { optimal: 0, dearer: 0 }
    for (const fixed of fc.sample(mixes, { numRuns: 1_500, seed: 5 })) {
      const problem: MixProblem = {
        ...fixed,
        surviveReplicas: 0,
        capacity: (classId, id, replicas) => fixed.capacity(classId, id, replicas) * (1.5 - 0.5 / replicas),
      }
      const best = bruteForce(problem)
      if (isPositive(best.short)) continue
      const plan = planned(problem)
      expect(plan.status).toBe('optimal')
      expect(plan.lowerBoundPerHour).toBeLessThanOrEqual(best.cost + 1e-6)
      const cost = weighed(problem, plan)
      expect(cost).toBeGreaterThanOrEqual(best.cost - 1e-6)
      expect(cost).toBeLessThanOrEqual(1.25 * best.cost)
      found[cost <= best.cost + 1e-6 ? 'optimal' : 'dearer']++
    }
    expect(found.optimal).toBeGreaterThan(200)
    expect(found.dearer / found.optimal).toBeLessThan(0.02)
  })

  it('plans the same for permuted classes, variants and pools', () => {
    const reversed = (problem: MixProblem): MixProblem => ({
      ...problem,
      classes: [...problem.classes].reverse(),
      variants: [...problem.variants].reverse(),
      pools: [...problem.pools].reverse(),
    })
    fc.assert(
      fc.property(mixes, (problem) => {
        expect(planned(reversed(problem)).replicas).toEqual(planned(problem).replicas)
      }),
      { numRuns: 300 },
    )
  })

  it('never costs more, nor leaves more short, with more inventory, budget or speed', () => {
    const easier: readonly ((problem: MixProblem) => MixProblem)[] = [
      (problem) => ({ ...problem, pools: problem.pools.map((pool) => ({ ...pool, gpus: pool.gpus + 1 })) }),
      ({ budgetPerHour: _, ...problem }) => problem,
      (problem) => ({ ...problem, capacity: (...asked) => 1.2 * problem.capacity(...asked) }),
      (problem) => ({ ...problem, surviveReplicas: 0 }),
    ]
    fc.assert(
      fc.property(mixes, fc.constantFrom(...easier), (problem, ease) => {
        const before = summary(problem, planned(problem))
        const after = summary(problem, planned(ease(problem)))
        expect(isWorse(after, before)).toBe(false)
      }),
      { numRuns: 600 },
    )
  })

  it('never costs less for more demand, nor more for lower prices', () => {
    const more = (problem: MixProblem): MixProblem => ({
      ...problem,
      classes: problem.classes.map((x) => ({ ...x, requestsPerSecond: x.requestsPerSecond * 1.3 })),
    })
    const cheaper = (problem: MixProblem): MixProblem => ({
      ...problem,
      variants: problem.variants.map((x) => ({ ...x, costPerHour: 0.9 * x.costPerHour })),
    })
    fc.assert(
      fc.property(mixes, (problem) => {
        const now = summary(problem, planned(problem))
        const grown = summary(more(problem), planned(more(problem)))
        const sold = summary(cheaper(problem), planned(cheaper(problem)))
        expect(isWorse(now, grown)).toBe(false)
        expect(isWorse(sold, now)).toBe(false)
      }),
      { numRuns: 400 },
    )
  })
})

/** In the strict order of objectives, beyond the tolerance of a plan. */
function isWorse(x: Best, y: Best): boolean {
  const left = [...x.short, x.uncarriedAfterLoss, x.cost]
  const right = [...y.short, y.uncarriedAfterLoss, y.cost]
  // Which of equal classes is short is open, and redundancy depends on it: then only the levels are compared.
  const compared = isPositive(x.short) || isPositive(y.short) ? x.short.length : left.length
  const differs = left.findIndex((value, index) => Math.abs(value - (right[index] ?? 0)) > 1e-3)
  return differs >= 0 && differs < compared && (left[differs] ?? 0) > (right[differs] ?? 0)
}
