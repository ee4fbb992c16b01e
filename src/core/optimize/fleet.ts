// The cheapest mix for many models that share pools. Models meet only where a pool is short: each is solved
// alone with all of every pool; only the models that use an over-subscribed pool are then solved together, until no
// pool is over. What was solved once for the same input is remembered by the caller's memo.

import { planByPrices } from './columnGeneration.ts'
import { leastReplicas } from './deadBand.ts'
import type { EngineLimits, Engines } from './engine.ts'
import { compare } from './instance.ts'
import type { LeastShort } from './leastShort.ts'
import type { MixFailure, MixPlan, MixPool, MixProblem } from './mix.ts'
import { modelLimits } from './planMix.ts'
import { type JointPlan, planTogether } from './planTogether.ts'
import { planByRations, shortByPriority } from './ration.ts'

export interface FleetModel {
  readonly id: string
  readonly problem: MixProblem
  /** Whatever `problem.capacity` depends on: equal keys mean equal capacities. */
  readonly capacityKey: string
}

/** Kept by the caller between calls; entries that a call did not use are dropped. */
export type FleetMemo = Map<string, GroupPlan | MixFailure>

/** `leastShort` only where many models were rationed: then what is short is not proven to be the least. */
type GroupPlan = JointPlan & { readonly leastShort?: readonly LeastShort[] }

/** Over all rationed models, in requests per second. */
export interface Rationed {
  readonly priority: number
  readonly short: number
  /** Proven: no plan that is as good at the more urgent priorities leaves less short. */
  readonly atLeast: number
}

export interface FleetPlan {
  readonly plans: ReadonlyMap<string, MixPlan | MixFailure>
  /** Cost and starts per hour over all models, and a proven bound: no fleet plan with these shortfalls costs less. */
  readonly objective: number
  readonly lowerBound: number
  /** Ids of the models that were solved together. */
  readonly coupled: readonly (readonly string[])[]
  /** Most urgent first; empty where nobody was rationed. */
  readonly rationed: readonly Rationed[]
  /** Programs solved in this call, as opposed to remembered. */
  readonly solved: number
}

/** Coupled models: within 0.2 % of their bound, or the best after so many nodes. */
export const coupledLimits: EngineLimits = { relativeGap: 2e-3, maxNodes: 400 }

/** Up to here a joint program with whole numbers ends within seconds. */
const fewModels = 6

export function planFleet(
  models: readonly FleetModel[],
  pools: readonly MixPool[],
  engines: Engines,
  memo: FleetMemo,
): FleetPlan {
  const sorted = [...models].sort((x, y) => compare(x.id, y.id))
  const solver = remembering(pools, engines, memo)
  let groups: readonly Group[] = sorted.map((model) => solver.solve([model]))
  for (;;) {
    const merged = mergeOverSubscribed(groups, pools)
    if (merged.every((members) => members.length === 1)) break
    groups = merged.map((members) => {
      const only = members[0]
      if (members.length === 1 && only !== undefined) return only
      return solver.solve(members.flatMap((group) => group.models).sort((x, y) => compare(x.id, y.id)))
    })
  }
  solver.forgetUnused()
  return summed(groups, solver.solved())
}

interface Group {
  readonly models: readonly FleetModel[]
  readonly outcome: GroupPlan | MixFailure
}

interface Remembering {
  readonly solve: (models: readonly FleetModel[]) => Group
  readonly solved: () => number
  readonly forgetUnused: () => void
}

function remembering(pools: readonly MixPool[], engines: Engines, memo: FleetMemo): Remembering {
  const used = new Set<string>()
  let solved = 0
  return {
    solve: (models) => {
      const reachable = poolsOf(models, pools)
      const key = JSON.stringify([models.map(keyOf), reachable])
      const known = memo.get(key)
      used.add(key)
      if (known !== undefined) return { models, outcome: known }
      solved++
      const problems = models.map((model) => model.problem)
      const outcome =
        models.length === 1
          ? planTogether(problems, reachable, engines, modelLimits)
          : planCoupled(problems, reachable, engines)
      memo.set(key, outcome)
      return { models, outcome }
    },
    solved: () => solved,
    forgetUnused: () => {
      for (const key of memo.keys()) if (!used.has(key)) memo.delete(key)
    },
  }
}

/** By prices where everything can be served; else exactly for a few models, by rations for many. */
function planCoupled(
  problems: readonly MixProblem[],
  pools: readonly MixPool[],
  engines: Engines,
): GroupPlan | MixFailure {
  const priced = planByPrices(problems, pools, engines)
  if (priced !== undefined) return priced
  if (problems.length > fewModels) {
    const rationed = planByRations(problems, pools, engines)
    return rationed ?? { status: 'failed', why: 'no joint plan passed its check' }
  }
  return planTogether(problems, pools, engines, coupledLimits)
}

/** What was wanted last is no part of a program: it decides afterwards whether a change is worth making. */
function keyOf({ id, problem, capacityKey }: FleetModel): readonly unknown[] {
  const { capacity: _, pools: __, ...data } = problem
  const variants = problem.variants.map(({ last: ___, ...variant }) => variant)
  return [id, { ...data, variants }, capacityKey]
}

function poolsOf(models: readonly FleetModel[], pools: readonly MixPool[]): readonly MixPool[] {
  const names = new Set(models.flatMap((model) => model.problem.variants.map((variant) => variant.pool)))
  return pools.filter((pool) => names.has(pool.name))
}

/** Groups that use one over-subscribed pool belong together; the rest stays as it is. */
function mergeOverSubscribed(
  groups: readonly Group[],
  pools: readonly MixPool[],
): readonly (readonly Group[])[] {
  const parent = groups.map((_, index) => index)
  const rootOf = (index: number): number => {
    const above = parent[index] ?? index
    return above === index ? index : rootOf(above)
  }
  const users = new Map<string, { index: number; gpus: number; least: number }[]>()
  for (const [index, group] of groups.entries()) {
    for (const [pool, taken] of usage(group))
      users.set(pool, [...(users.get(pool) ?? []), { index, ...taken }])
  }
  for (const pool of pools) {
    const taking = users.get(pool.name) ?? []
    const taken = taking.reduce((sum, user) => sum + user.gpus, 0)
    const least = taking.reduce((sum, user) => sum + user.least, 0)
    if (taken <= Math.max(pool.gpus, least) + 1e-9) continue
    const first = taking[0]
    for (const user of taking) if (first !== undefined) parent[rootOf(user.index)] = rootOf(first.index)
  }
  const merged = new Map<number, Group[]>()
  for (const [index, group] of groups.entries()) {
    const root = rootOf(index)
    merged.set(root, [...(merged.get(root) ?? []), group])
  }
  return [...merged.values()]
}

/** GPUs that a group's plans take from each pool, and that what must run takes anyway. */
function usage(group: Group): ReadonlyMap<string, { readonly gpus: number; readonly least: number }> {
  const used = new Map<string, { gpus: number; least: number }>()
  if (group.outcome.status === 'failed') return used
  for (const [index, { problem }] of group.models.entries()) {
    const replicas = group.outcome.plans[index]?.replicas ?? {}
    for (const variant of problem.variants) {
      const before = used.get(variant.pool) ?? { gpus: 0, least: 0 }
      used.set(variant.pool, {
        gpus: before.gpus + variant.gpusPerReplica * (replicas[variant.id] ?? 0),
        least: before.least + variant.gpusPerReplica * leastReplicas(problem, variant),
      })
    }
  }
  for (const [pool, taken] of used) if (taken.gpus === 0) used.delete(pool)
  return used
}

function summed(groups: readonly Group[], solved: number): FleetPlan {
  const plans = new Map<string, MixPlan | MixFailure>()
  let objective = 0
  let lowerBound = 0
  for (const { models, outcome } of groups) {
    for (const [index, model] of models.entries()) {
      const plan = outcome.status === 'failed' ? outcome : outcome.plans[index]
      if (plan !== undefined) plans.set(model.id, plan)
    }
    if (outcome.status === 'failed') continue
    objective += outcome.objective
    lowerBound += outcome.lowerBound
  }
  const coupled = groups
    .filter((group) => group.models.length > 1)
    .map((group) => group.models.map((model) => model.id))
  return { plans, objective, lowerBound, coupled, rationed: rationedIn(groups), solved }
}

function rationedIn(groups: readonly Group[]): readonly Rationed[] {
  const total = new Map<number, { short: number; atLeast: number }>()
  for (const { models, outcome } of groups) {
    if (outcome.status === 'failed' || outcome.leastShort === undefined) continue
    const short = shortByPriority(
      models.map(({ problem }) => problem),
      outcome.plans.map(({ shortfall }) => shortfall),
    )
    for (const { priority, requestsPerSecond } of outcome.leastShort) {
      const before = total.get(priority) ?? { short: 0, atLeast: 0 }
      const own = short.get(priority) ?? 0
      total.set(priority, {
        short: before.short + own,
        atLeast: before.atLeast + Math.min(own, requestsPerSecond),
      })
    }
  }
  return [...total].sort(([x], [y]) => x - y).map(([priority, sums]) => ({ priority, ...sums }))
}
