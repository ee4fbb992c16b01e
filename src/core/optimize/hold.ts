// Is the change worth making? Where what was wanted last carries everything too and the cheapest mix saves little, it
// stays: not what there is, or a swap would stop half-way, once what it starts is there beside what it replaces. In a
// replay of 2 % noise the switching cost alone still changed most ticks (bench/optimize.ts jitter).
import type { Engines } from './engine.ts'
import type { MixPlan, MixPool, MixProblem, MixVariant } from './mix.ts'
import { planTogether, weighed } from './planTogether.ts'

/** The plan of the counts that were wanted last, or undefined where they do not do or a change pays. */
export function held(problem: MixProblem, plan: MixPlan, engines: Engines): MixPlan | undefined {
  const band = problem.holdBand ?? 0
  const moves = problem.variants.some((variant) => plan.replicas[variant.id] !== lastOf(variant))
  if (band <= 0 || plan.status === 'shortfall' || isUnmet(plan) || !moves) return undefined
  const cost = problem.variants.reduce((sum, variant) => sum + variant.costPerHour * lastOf(variant), 0)
  const saving = cost - weighed(problem, plan)
  if (saving >= band * cost || !isAllowed(problem, cost)) return undefined
  const last = served(problem, engines, (variant) => ({ min: lastOf(variant), max: lastOf(variant) }))
  if (last === undefined) return undefined
  return { ...withoutBound(last), binding: [{ kind: 'hold', savingPerHour: Math.max(0, saving) }] }
}

/** The cheapest plan that starts nothing, or undefined where nobody can be spared. */
export function fewer(problem: MixProblem, engines: Engines): MixPlan | undefined {
  const plan = served(problem, engines, (variant) => ({
    min: variant.min,
    max: Math.min(variant.max, lastOf(variant)),
  }))
  const spares = problem.variants.some((variant) => (plan?.replicas[variant.id] ?? 0) < lastOf(variant))
  return spares ? plan : undefined
}

/** The cheapest plan within these bounds, or undefined where it leaves anything unmet. */
function served(
  problem: MixProblem,
  engines: Engines,
  boundsOf: (variant: MixVariant) => Pick<MixVariant, 'min' | 'max'>,
): MixPlan | undefined {
  const variants = problem.variants.map((variant) => ({ ...variant, ...boundsOf(variant) }))
  const answer = planTogether([{ ...problem, variants }], problem.pools, engines, {
    relativeGap: 1e-6,
    maxNodes: 100,
  })
  const plan = answer.status === 'failed' ? undefined : answer.plans[0]
  return plan === undefined || plan.status === 'shortfall' || isUnmet(plan) ? undefined : plan
}

/** Minimums outrank pools in a program, so that fixed counts would always seem to fit: checked here. */
function isAllowed(problem: MixProblem, cost: number): boolean {
  return (
    cost <= (problem.budgetPerHour ?? Number.POSITIVE_INFINITY) &&
    problem.variants.every((variant) => lastOf(variant) >= variant.min && lastOf(variant) <= variant.max) &&
    problem.pools.every((pool) => gpusOf(problem, pool) <= pool.gpus)
  )
}

function gpusOf(problem: MixProblem, pool: MixPool): number {
  return problem.variants.reduce(
    (sum, variant) => (variant.pool === pool.name ? sum + variant.gpusPerReplica * lastOf(variant) : sum),
    0,
  )
}

function lastOf({ last, current }: MixVariant): number {
  return last ?? current
}

function isUnmet(plan: MixPlan): boolean {
  return plan.binding.some((bound) => bound.kind === 'redundancy' || bound.kind === 'minShare')
}

function withoutBound({ lowerBoundPerHour: _, ...plan }: MixPlan): MixPlan {
  return plan
}
