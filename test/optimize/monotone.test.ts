// More demand, everything else equal: never less capacity for it, and never a plan that less could not have had, over all roles, classes, pools and limits.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { MixPlan, MixProblem } from '../../src/core/optimize/mix.ts'
import { planMix } from '../../src/core/optimize/planMix.ts'
import { engines } from './mixes.ts'
import { mixes } from './randomMixes.ts'

/** By class, in order: how much more the second question asks. */
const more = fc.array(fc.constantFrom(0, 0, 0.5, 1, 3, 8), { minLength: 3, maxLength: 3 })
const holdBand = fc.constantFrom(0, 0.05, 0.3)

function raised(problem: MixProblem, by: readonly number[]): MixProblem {
  const classes = problem.classes.map((each, i) => ({
    ...each,
    requestsPerSecond: each.requestsPerSecond + (by[i] ?? 0),
  }))
  return { ...problem, classes }
}

/** Uncarried, of the most urgent priority first. */
function shortBy({ classes }: MixProblem, { shortfall }: MixPlan): readonly number[] {
  return [0, 1, 2].map((priority) =>
    classes
      .filter((each) => each.priority === priority)
      .reduce((sum, { id }) => sum + (shortfall[id] ?? 0), 0),
  )
}

/** What these counts leave uncarried of a problem's demand. */
function shortWith(problem: MixProblem, replicas: MixPlan['replicas']): readonly number[] | undefined {
  const { budgetPerHour: _, ...unlimited } = problem
  const plan = planMix(
    {
      ...unlimited,
      variants: problem.variants.map((variant) => {
        const count = replicas[variant.id] ?? 0
        return { ...variant, min: count, max: count, current: count }
      }),
      pools: problem.pools.map(({ name }) => ({ name, gpus: 1000 })),
      surviveReplicas: 0,
      hpaTolerance: 0,
    },
    engines,
  )
  return plan.status === 'failed' ? undefined : shortBy(problem, plan)
}

function isUnmet({ binding }: MixPlan): boolean {
  return binding.some(({ kind }) => kind === 'redundancy' || kind === 'minShare')
}

/** What is minimized where nothing is short. */
function weight({ variants }: MixProblem, { replicas }: MixPlan): number {
  return variants.reduce((sum, { id, costPerHour, startCost, current }) => {
    const count = replicas[id] ?? 0
    return sum + costPerHour * count + startCost * Math.max(0, count - current)
  }, 0)
}

it('the plan for more demand carries at least as much of it as the plan for less would, and is no cheaper than the cheapest for less', () => {
  let [compared, raisedPlans, judged] = [0, 0, 0]
  fc.assert(
    fc.property(mixes, more, holdBand, (problem, by, band) => {
      const less = { ...problem, holdBand: band }
      const greater = raised(less, by)
      const [before, after] = [planMix(less, engines), planMix(greater, engines)]
      if (before.status === 'failed' || after.status === 'failed') return
      compared += 1
      if (JSON.stringify(before.replicas) !== JSON.stringify(after.replicas)) raisedPlans += 1
      const kept = shortWith(greater, before.replicas)
      const now = shortBy(greater, after)
      for (const [priority, short] of (kept ?? now).entries()) {
        const mine = now[priority] ?? 0
        if (Math.abs(mine - short) <= 1e-4) continue
        expect(mine).toBeLessThan(short)
        break
      }
      // A band may hold present counts above the cheapest plan, and more demand may end that.
      const cheapest = planMix({ ...less, holdBand: 0 }, engines)
      if (after.status !== 'optimal' || cheapest.status !== 'optimal') return
      // What is given up of redundancy comes before cost: with more demand it may be had for less, and be less.
      if (isUnmet(after) || isUnmet(cheapest)) return
      judged += 1
      expect(weight(greater, after)).toBeGreaterThanOrEqual(weight(less, cheapest) - 1e-3)
    }),
    { numRuns: 1_500 },
  )
  expect(compared).toBeGreaterThan(1_000)
  expect(raisedPlans).toBeGreaterThan(50)
  expect(judged).toBeGreaterThan(100)
})
