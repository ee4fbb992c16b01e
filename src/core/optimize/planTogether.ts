// The cheapest mix for models that share pools, as one program: solved in the strict order of objectives, verified
// against the problems by independent code, with what binds. Equal inputs give equal plans in any order.
import type { ClassId, VariantId } from '../policy.ts'
import { afterLosses, type Survived } from './afterLosses.ts'
import { bindings, unmetShares } from './binding.ts'
import { checkPlan, checkPools, type LossFlows } from './check.ts'
import type { EngineLimits, Engines } from './engine.ts'
import { type CapacityAt, type Solution, sizingAt, solveFixedPoint } from './fixedPoint.ts'
import { flowTable } from './flows.ts'
import { InvalidCapacity, invalid, memoized, toInstance, unservable } from './instance.ts'
import type { Binding, MixFailure, MixPlan, MixPool, MixProblem } from './mix.ts'
import type { Block, Instance } from './program.ts'
import { trim } from './trim.ts'
import { splitCounts, splitFlows } from './twins.ts'

export interface JointPlan {
  readonly status: 'planned'
  /** In the order of the problems. */
  readonly plans: readonly MixPlan[]
  /** What the plans were chosen by (`weighed`), and the least it can be with these shortfalls. */
  readonly objective: number
  readonly lowerBound: number
}

/** Several models in one program, coupled by the pools; `problem.pools` is not read. */
export function planTogether(
  problems: readonly MixProblem[],
  pools: readonly MixPool[],
  engines: Engines,
  limits: EngineLimits,
): JointPlan | MixFailure {
  const wrong = problems.map((problem) => invalid(problem, pools)).find((why) => why !== undefined)
  if (wrong !== undefined) return { status: 'failed', why: wrong }
  try {
    const capacityAt = memoized()
    const instance = toInstance(problems, pools, capacityAt)
    const solved = solveFixedPoint(instance, capacityAt, engines, limits)
    if (solved.status === 'failed') return solved
    const solution = trim(instance, solved, capacityAt, engines, limits)
    const survived = instance.blocks.map((block) => afterEach(block, solution, capacityAt, engines))
    const known = survived.filter((losses) => losses !== undefined)
    if (known.length < survived.length) return { status: 'failed', why: 'no engine solved a loss' }
    return verified(instance, solution, known)
  } catch (error) {
    if (error instanceof InvalidCapacity) return { status: 'failed', why: error.message }
    throw error
  }
}

function afterEach(
  block: Block,
  solution: Solution,
  capacityAt: CapacityAt,
  engines: Engines,
): readonly Survived[] | undefined {
  const short = shortOf(solution)
  return afterLosses(block, solution.counts, short, sizingAt(solution.reference, capacityAt), engines)
}

function verified(
  instance: Instance,
  solution: Solution,
  survived: readonly (readonly Survived[])[],
): JointPlan | MixFailure {
  const planned = instance.blocks.map((block, index) => ({
    problem: block.problem,
    ...toPlan(instance, block, solution, survived[index] ?? []),
  }))
  const broken = [
    ...planned.flatMap(({ problem, plan, lossFlows }) => checkPlan(problem, plan, lossFlows)),
    ...checkPools(instance.pools, planned),
  ]
  if (broken.length > 0) return { status: 'failed', why: `the plan fails its check: ${broken.join('; ')}` }
  const objective = planned.reduce((sum, { problem, plan }) => sum + weighed(problem, plan), 0)
  return {
    status: 'planned',
    plans: planned.map(({ plan }) => plan),
    objective,
    lowerBound: Math.min(withoutTieBreak(solution.lowerBound), objective),
  }
}

function toPlan(
  instance: Instance,
  block: Block,
  solution: Solution,
  survived: readonly Survived[],
): { readonly plan: MixPlan; readonly lossFlows: LossFlows } {
  const counts = new Map(block.variants.map(({ id }) => [id, solution.counts.get(id) ?? 0]))
  const split = splitCounts(block, counts)
  const variants = block.variants.flatMap((variant) => block.twins.get(variant.id) ?? variant)
  const replicas: Record<VariantId, number> = {}
  let costPerHour = 0
  for (const variant of variants) {
    const count = split.get(variant.id) ?? 0
    replicas[variant.id] = count
    costPerHour += count * variant.costPerHour
  }
  const merged = flowTable(
    solution.mix.flows.filter((flow) => counts.has(flow.variant.id)),
    solution.values,
    (id) => counts.get(id) ?? 0,
    shortOf(solution),
  )
  const flow = splitFlows(block, merged, split)
  const shortfall = shortfallOf(block, solution)
  const unmet = [...unsurvived(survived), ...unmetShares(solution.mix, solution.values, block)]
  const free = freeGpus(instance, solution)
  const outcome = {
    block: { ...block, variants },
    pools: instance.pools,
    replicas,
    shortfall,
    flow,
    freeGpus: free,
  }
  const short = Object.values(shortfall).some((rate) => rate > 0)
  const bound =
    short || unmet.length > 0 || instance.blocks.length > 1
      ? {}
      : { lowerBoundPerHour: withoutTieBreak(solution.lowerBound) }
  return {
    plan: {
      status: short ? 'shortfall' : 'optimal',
      replicas,
      flow: Object.fromEntries(
        block.classes.map((demand) => [demand.id, Object.fromEntries(flow.get(demand.id) ?? [])]),
      ),
      shortfall,
      costPerHour,
      ...bound,
      binding: [...bindings(outcome), ...unmet],
    },
    lossFlows: lossFlows(survived),
  }
}

/** The tie-break adds at most a millionth to a program's objective. */
function withoutTieBreak(bound: number): number {
  return bound > 0 ? bound / (1 + 1e-6) : bound
}

/** Engines miss a row by a ten-millionth of a class: that is no demand left unserved. */
const leastShort = 1e-6

function shortfallOf(block: Block, solution: Solution): Record<ClassId, number> {
  const shortfall: Record<ClassId, number> = {}
  for (const demand of block.problem.classes) shortfall[demand.id] = 0
  for (const demand of unservable(block)) shortfall[demand.id] = demand.requestsPerSecond
  for (const demand of block.classes) {
    const share = shortOf(solution)(demand.id)
    if (share > leastShort) shortfall[demand.id] = share * demand.requestsPerSecond
  }
  return shortfall
}

/** As a share of the class. */
function shortOf({ mix, values }: Solution): (demand: ClassId) => number {
  return (id) => values[mix.short.get(id) ?? -1] ?? 0
}

function unsurvived(survived: readonly Survived[]): readonly Binding[] {
  return survived
    .filter(({ uncarried }) => uncarried > 0)
    .map(({ lost, uncarried }) => ({ kind: 'redundancy', variant: lost, requestsPerSecond: uncarried }))
}

/** Only losses that are survived in full are promised, and so checked; the others are in `binding`. */
function lossFlows(survived: readonly Survived[]): LossFlows {
  return new Map(survived.filter(({ uncarried }) => uncarried === 0).map(({ lost, flow }) => [lost, flow]))
}

function freeGpus(instance: Instance, solution: Solution): ReadonlyMap<string, number> {
  const free = new Map(instance.pools.map((pool) => [pool.name, pool.gpus]))
  for (const block of instance.blocks) {
    for (const variant of block.variants) {
      const left = free.get(variant.pool)
      const taken = variant.gpusPerReplica * (solution.counts.get(variant.id) ?? 0)
      if (left !== undefined) free.set(variant.pool, left - taken)
    }
  }
  return free
}

/** What a plan is chosen by: cost per hour, starts, and the GPU prices where they are set. */
export function weighed(problem: MixProblem, plan: MixPlan): number {
  return problem.variants.reduce((sum, variant) => {
    const count = plan.replicas[variant.id] ?? 0
    const starts = Math.max(0, count - variant.current) * variant.startCost
    return sum + starts + count * (variant.gpuPrice ?? 0) * variant.gpusPerReplica
  }, plan.costPerHour)
}
