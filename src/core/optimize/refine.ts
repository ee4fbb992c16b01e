// A joint plan made better, and made to fit: each model in turn plans again with what the others leave. What was
// taken too much of a pool is given back, and no GPU is left lying about.
import { leastReplicas } from './deadBand.ts'
import type { EngineLimits, Engines } from './engine.ts'
import type { MixPlan, MixPool, MixProblem } from './mix.ts'
import { type JointPlan, planTogether, weighed } from './planTogether.ts'

/** A plan of one model among several. */
export interface Proposal {
  readonly model: number
  readonly plan: MixPlan
  readonly cost: number
  /** GPUs by the order of the pools. */
  readonly gpus: readonly number[]
}

const limitsOfOne: EngineLimits = { relativeGap: 1e-4, maxNodes: 500 }
const maxPasses = 4

/** `chosen[i]` is the plan of `problems[i]`. Undefined where somebody would have to go short to fit. */
export function refine(
  problems: readonly MixProblem[],
  pools: readonly MixPool[],
  chosen: readonly Proposal[],
  lowerBound: number,
  engines: Engines,
): JointPlan | undefined {
  const limits = pools.map((pool) => Math.max(pool.gpus, minimums(problems, pool)))
  const current = [...chosen]
  const used = limits.map((_, index) => total(current, (one) => one.gpus[index] ?? 0))
  for (let pass = 1, gained = true; gained && pass <= maxPasses; pass++) {
    gained = false
    for (const [model, problem] of problems.entries()) {
      const before = current[model]
      if (before === undefined) return undefined
      const left = pools.map((pool, index) => ({
        ...pool,
        gpus: (limits[index] ?? 0) - (used[index] ?? 0) + (before.gpus[index] ?? 0),
      }))
      const answer = planTogether([problem], left, engines, limitsOfOne)
      const plan = answer.status === 'failed' ? undefined : answer.plans[0]
      if (plan === undefined) return undefined
      const fits = before.gpus.every((taken, index) => taken <= (left[index]?.gpus ?? 0) + 1e-9)
      const after = proposal(problem, model, inWholePools(plan, pools), pools)
      const change = compareShort(problem, plan, before.plan) || (fits ? after.cost - before.cost : -1)
      if (change > 1e-9) continue
      gained ||= change < -1e-6
      current[model] = after
      for (const index of used.keys()) {
        used[index] = (used[index] ?? 0) - (before.gpus[index] ?? 0) + (after.gpus[index] ?? 0)
      }
    }
  }
  if (limits.some((limit, index) => (used[index] ?? 0) > limit + 1e-9)) return undefined
  const objective = total(current, (one) => one.cost)
  const plans = current.map((one) => one.plan)
  return { status: 'planned', plans, objective, lowerBound: Math.min(lowerBound, objective) }
}

export function proposal(
  problem: MixProblem,
  model: number,
  plan: MixPlan,
  pools: readonly MixPool[],
): Proposal {
  return { model, plan, cost: weighed(problem, plan), gpus: pools.map((pool) => gpusIn(problem, plan, pool)) }
}

/** What must run takes so much of a pool, whatever it holds. */
export function minimums(problems: readonly MixProblem[], pool: MixPool): number {
  return total(problems, (problem) =>
    total(problem.variants, (variant) =>
      variant.pool === pool.name ? variant.gpusPerReplica * leastReplicas(problem, variant) : 0,
    ),
  )
}

function gpusIn(problem: MixProblem, plan: MixPlan, pool: MixPool): number {
  return total(problem.variants, (variant) =>
    variant.pool === pool.name ? variant.gpusPerReplica * (plan.replicas[variant.id] ?? 0) : 0,
  )
}

/** The limits that a plan names are the pools', not what the others left of them; its own bound says nothing here. */
function inWholePools(plan: MixPlan, pools: readonly MixPool[]): MixPlan {
  const { lowerBoundPerHour: _, ...kept } = plan
  const whole = new Map(pools.map((pool) => [pool.name, pool.gpus]))
  return {
    ...kept,
    binding: plan.binding.map((bound) =>
      bound.kind === 'pool' ? { ...bound, gpus: whole.get(bound.pool) ?? bound.gpus } : bound,
    ),
  }
}

/** Below zero where the first plan leaves less short, the most urgent class first; zero where they are equal. */
function compareShort(problem: MixProblem, x: MixPlan, y: MixPlan): number {
  const urgentFirst = [...new Set(problem.classes.map((demand) => demand.priority))].sort((a, b) => a - b)
  for (const priority of urgentFirst) {
    const level = problem.classes.filter((demand) => demand.priority === priority)
    const change = total(level, ({ id }) => (x.shortfall[id] ?? 0) - (y.shortfall[id] ?? 0))
    if (Math.abs(change) > 1e-4 * total(level, (demand) => demand.requestsPerSecond)) return change
  }
  return 0
}

function total<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((sum, item) => sum + value(item), 0)
}
