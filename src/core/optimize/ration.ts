// Pools that cannot hold what many models need: the urgent are served first. Level by level of priority, each model
// plans its classes up to that level with what it has and what is still free; an earlier level never loses to a later
// one. Joint programs with whole numbers of this size are out of reach; the relaxation says how far off the plan is.
import type { EngineLimits, Engines } from './engine.ts'
import { type LeastShort, leastShort, type RelaxedPlan } from './leastShort.ts'
import type { MixPool, MixProblem, MixVariant } from './mix.ts'
import { type JointPlan, planTogether } from './planTogether.ts'
import { minimums, type Proposal, proposal, refine } from './refine.ts'

const limits: EngineLimits = { relativeGap: 1e-3, maxNodes: 500 }

/** At this many times its worth, the GPU that others need counts before money. */
const beforeMoney = 1e3

/**
 * In which order models are asked and what a GPU weighs. No rule is best everywhere: each is tried, which costs less than
 * refining one plan. Prices keep GPUs that serve much elsewhere free; the order lets those go first whom the relaxation serves.
 */
const rules: readonly { readonly order: 'byId' | 'asRelaxed'; readonly prices: 'money' | 'asRelaxed' }[] = [
  { order: 'byId', prices: 'money' },
  { order: 'asRelaxed', prices: 'money' },
  { order: 'byId', prices: 'asRelaxed' },
  { order: 'asRelaxed', prices: 'asRelaxed' },
]

/** The cost bound is 0: a plan that leaves something short bounds no other. What is short has bounds of its own. */
export function planByRations(
  problems: readonly MixProblem[],
  pools: readonly MixPool[],
  engines: Engines,
): (JointPlan & { readonly leastShort?: readonly LeastShort[] }) | undefined {
  const relaxed = leastShort(problems, pools, engines, () => undefined)
  let best: readonly Proposal[] | undefined
  for (const rule of relaxed === undefined ? rules.slice(0, 1) : rules) {
    const rationed = byRule(problems, pools, engines, rule, relaxed)
    if (rationed !== undefined && (best === undefined || isLessShort(problems, rationed, best)))
      best = rationed
  }
  const refined = best === undefined ? undefined : refine(problems, pools, best, 0, engines)
  if (refined === undefined) return undefined
  const short = shortByPriority(
    problems,
    refined.plans.map(({ shortfall }) => shortfall),
  )
  const bounds = leastShort(problems, pools, engines, (priority) => short.get(priority))
  return bounds === undefined ? refined : { ...refined, leastShort: bounds.least }
}

function byRule(
  problems: readonly MixProblem[],
  pools: readonly MixPool[],
  engines: Engines,
  rule: (typeof rules)[number],
  relaxed: RelaxedPlan | undefined,
): readonly Proposal[] | undefined {
  const levels = [
    ...new Set(problems.flatMap((problem) => problem.classes.map((demand) => demand.priority))),
  ].sort((x, y) => x - y)
  const least = problems.map((problem) => pools.map((pool) => minimums([problem], pool)))
  const taken = least.map((gpus) => [...gpus])
  const free = pools.map(
    (pool, index) => pool.gpus - taken.reduce((sum, gpus) => sum + (gpus[index] ?? 0), 0),
  )
  const worth = new Map(pools.map((pool, index) => [pool.name, relaxed?.worth[index] ?? 0]))
  const priced = (variant: MixVariant): MixVariant =>
    rule.prices === 'money' ? variant : { ...variant, gpuPrice: beforeMoney * (worth.get(variant.pool) ?? 0) }
  const chosen: (Proposal | undefined)[] = problems.map(() => undefined)
  for (const level of levels) {
    const served = problems.map((problem) => servedAt(problem, level, relaxed))
    const inOrder = [...problems.entries()]
    if (rule.order === 'asRelaxed') inOrder.sort(([x], [y]) => (served[y] ?? 0) - (served[x] ?? 0) || x - y)
    for (const [model, problem] of inOrder) {
      const urgent = problem.classes.filter((demand) => demand.priority <= level)
      const isSettled = chosen[model] !== undefined && !urgent.some((demand) => demand.priority === level)
      if (isSettled) continue
      const own = taken[model] ?? []
      const ration = pools.map((pool, index) => ({
        ...pool,
        gpus: (own[index] ?? 0) + Math.max(0, free[index] ?? 0),
      }))
      const asked = { ...problem, classes: urgent, variants: problem.variants.map(priced) }
      const answer = planTogether([asked], ration, engines, limits)
      const plan = answer.status === 'failed' ? undefined : answer.plans[0]
      if (plan === undefined) return undefined
      const next = proposal(problem, model, plan, pools)
      for (const index of pools.keys()) {
        free[index] = (free[index] ?? 0) + (own[index] ?? 0) - (next.gpus[index] ?? 0)
      }
      taken[model] = [...next.gpus]
      chosen[model] = next
    }
  }
  const settled = chosen.filter((one) => one !== undefined)
  return settled.length < problems.length ? undefined : settled
}

/** The share of a model's demand of that priority that the relaxation serves. */
function servedAt(problem: MixProblem, priority: number, relaxed: RelaxedPlan | undefined): number {
  let asked = 0
  let served = 0
  for (const demand of problem.classes) {
    if (demand.priority !== priority) continue
    asked += demand.requestsPerSecond
    served += demand.requestsPerSecond * (relaxed?.served.get(demand.id) ?? 0)
  }
  return asked > 0 ? served / asked : 0
}

/** Requests per second over all models; `shortfalls[i]` belongs to `problems[i]`. */
export function shortByPriority(
  problems: readonly MixProblem[],
  shortfalls: readonly Readonly<Record<string, number>>[],
): ReadonlyMap<number, number> {
  const short = new Map<number, number>()
  for (const [index, { classes }] of problems.entries()) {
    for (const { id, priority } of classes) {
      short.set(priority, (short.get(priority) ?? 0) + (shortfalls[index]?.[id] ?? 0))
    }
  }
  return short
}

function isLessShort(
  problems: readonly MixProblem[],
  x: readonly Proposal[],
  y: readonly Proposal[],
): boolean {
  const of = (proposals: readonly Proposal[]) =>
    shortByPriority(
      problems,
      proposals.map(({ plan }) => plan.shortfall),
    )
  const [left, right] = [of(x), of(y)]
  const differs = [...left.keys()]
    .sort((a, b) => a - b)
    .find((priority) => Math.abs((left.get(priority) ?? 0) - (right.get(priority) ?? 0)) > 1e-6)
  return differs !== undefined && (left.get(differs) ?? 0) < (right.get(differs) ?? 0)
}
