// Is the change worth making? Where the current counts carry everything too and the cheapest mix saves little, they
// stay. In a replay of 2 % noise the switching cost alone still changed most ticks (bench/optimize.ts jitter).
import type { Engines } from './engine.ts'
import type { MixPlan, MixPool, MixProblem } from './mix.ts'
import { planTogether, weighed } from './planTogether.ts'

/** The plan of the current counts, or undefined where they do not do or a change pays. */
export function held(problem: MixProblem, plan: MixPlan, engines: Engines): MixPlan | undefined {
  const band = problem.holdBand ?? 0
  const moves = problem.variants.some((variant) => plan.replicas[variant.id] !== variant.current)
  if (band <= 0 || plan.status === 'shortfall' || isUnmet(plan) || !moves) return undefined
  const cost = problem.variants.reduce((sum, variant) => sum + variant.costPerHour * variant.current, 0)
  const saving = cost - weighed(problem, plan)
  if (saving >= band * cost || !isAllowed(problem, cost)) return undefined
  const variants = problem.variants.map((variant) => ({
    ...variant,
    min: variant.current,
    max: variant.current,
  }))
  const answer = planTogether([{ ...problem, variants }], problem.pools, engines, {
    relativeGap: 1e-6,
    maxNodes: 100,
  })
  const current = answer.status === 'failed' ? undefined : answer.plans[0]
  if (current === undefined || current.status === 'shortfall' || isUnmet(current)) return undefined
  return { ...withoutBound(current), binding: [{ kind: 'hold', savingPerHour: Math.max(0, saving) }] }
}

/** Minimums outrank pools in a program, so that fixed counts would always seem to fit: checked here. */
function isAllowed(problem: MixProblem, cost: number): boolean {
  return (
    cost <= (problem.budgetPerHour ?? Number.POSITIVE_INFINITY) &&
    problem.variants.every(({ current, min, max }) => current >= min && current <= max) &&
    problem.pools.every((pool) => gpusNow(problem, pool) <= pool.gpus)
  )
}

function gpusNow(problem: MixProblem, pool: MixPool): number {
  return problem.variants.reduce(
    (sum, variant) => (variant.pool === pool.name ? sum + variant.gpusPerReplica * variant.current : sum),
    0,
  )
}

function isUnmet(plan: MixPlan): boolean {
  return plan.binding.some((bound) => bound.kind === 'redundancy' || bound.kind === 'minShare')
}

function withoutBound({ lowerBoundPerHour: _, ...plan }: MixPlan): MixPlan {
  return plan
}
