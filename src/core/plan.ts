// From what is seen to what is wanted: one mixed-integer program per policy, GPUs shared between policies.
import type { Observation } from './observation.ts'
import type { Engines } from './optimize/engine.ts'
import type { MixFailure, MixPlan, MixPool, MixProblem } from './optimize/mix.ts'
import { planMix } from './optimize/planMix.ts'
import type { ClassId, PolicyId, Pool, Variant, VariantId } from './policy.ts'
import { isMissing, valueOr } from './reading.ts'
import { rateOf } from './sizing.ts'
import { highest } from './stabilize/hold.ts'
import type { State } from './state.ts'
import type { PolicyView } from './view.ts'

export interface PolicyPlan {
  readonly problem: MixProblem
  readonly outcome: MixPlan | MixFailure
}

/**
 * A start is worth its start-up time at full price; spread over this, it weighs against a cost per hour: what
 * is started should pay off within a quarter of an hour (measured: reference in docs/MODEL.md).
 */
const switchingHorizonSeconds = 900

/** An engine cannot report requests that no replica receives: such a class keeps one replica somewhere. */
const leastEngineDemand = 1e-3

/**
 * Plans the policies one after the other, the one with the most urgent class first. GPUs that run something keep
 * running it; what is free goes to whoever comes first.
 */
export function plans(
  views: readonly PolicyView[],
  pools: readonly Pool[],
  state: State,
  observation: Observation,
  engines: Engines,
): ReadonlyMap<PolicyId, PolicyPlan> {
  const free = freeGpus(views, pools, state, observation)
  const planned = new Map<PolicyId, PolicyPlan>()
  const inOrder = [...views].sort((x, y) => urgency(x) - urgency(y) || (x.policy.id < y.policy.id ? -1 : 1))
  for (const view of inOrder) {
    if (view.seen.length === 0) continue
    const problem = problemOf(view, free)
    const outcome = planMix(problem, engines)
    planned.set(view.policy.id, { problem, outcome })
    if (outcome.status !== 'failed') take(view, outcome, free)
  }
  return planned
}

function problemOf(view: PolicyView, free: ReadonlyMap<string, number>): MixProblem {
  const { behavior } = view.policy
  const classes = [...view.demand].map(([trafficClass, { window }]) => ({
    id: trafficClass.id,
    priority: trafficClass.priority,
    requestsPerSecond:
      Math.max(highest(window), trafficClass.demand.kind === 'engine' ? leastEngineDemand : 0) *
      (1 + behavior.headroom),
    tolerant: trafficClass.serviceLevel.kind === 'latencyTolerant',
  }))
  const byClass = new Map([...view.demand.keys()].map((trafficClass) => [trafficClass.id, trafficClass]))
  const byVariant = new Map(view.seen.map(({ variant }) => [variant.id, variant]))
  return {
    classes,
    variants: view.seen.map(({ variant, coming }) => ({
      id: variant.id,
      role: variant.role,
      ...(variant.transferGroup === undefined ? {} : { transferGroup: variant.transferGroup }),
      pool: variant.pool,
      gpusPerReplica: variant.accelerator.countPerReplica,
      costPerHour: variant.costPerHour,
      min: variant.replicas.min,
      max: variant.replicas.max,
      current: coming,
      startCost: (variant.costPerHour * variant.startupSeconds) / switchingHorizonSeconds,
      maxShare: variant.maxShare,
      minShare: variant.minShare,
    })),
    pools: poolsOf(view, free),
    ...(behavior.budgetPerHour === undefined ? {} : { budgetPerHour: behavior.budgetPerHour }),
    surviveReplicas: behavior.surviveReplicas,
    hpaTolerance: behavior.hpaTolerance,
    holdBand: behavior.holdBand,
    capacity: (classId: ClassId, variantId: VariantId, replicas: number): number => {
      const trafficClass = byClass.get(classId)
      const variant = byVariant.get(variantId)
      if (trafficClass === undefined || variant === undefined) return 0
      return rateOf(view.capacityOf(trafficClass, variant, replicas))
    },
  }
}

function urgency(view: PolicyView): number {
  return Math.min(...view.policy.classes.map((trafficClass) => trafficClass.priority))
}

/** Inventory less everything that runs or is asked for now; pools without a known inventory are absent. */
function freeGpus(
  views: readonly PolicyView[],
  pools: readonly Pool[],
  state: State,
  observation: Observation,
): Map<string, number> {
  const free = new Map<string, number>()
  for (const pool of pools) {
    const discovered = observation.pools[pool.name]
    const gpus =
      pool.gpus ??
      (discovered === undefined ? Number.POSITIVE_INFINITY : valueOr(discovered, Number.POSITIVE_INFINITY))
    if (Number.isFinite(gpus)) free.set(pool.name, gpus)
  }
  const hold = (variant: Variant, replicas: number): void => {
    const left = free.get(variant.pool)
    if (left !== undefined) free.set(variant.pool, left - replicas * variant.accelerator.countPerReplica)
  }
  for (const view of views) {
    for (const { variant, coming } of view.seen) hold(variant, coming)
    for (const { variant } of view.unseen) {
      const replicas = observation.variants[variant.id]?.replicas
      const running = replicas === undefined || isMissing(replicas) ? 0 : replicas.ready + replicas.starting
      hold(variant, Math.max(running, state.variants[variant.id]?.target ?? 0))
    }
  }
  return free
}

/** What a policy may use of each pool: its own replicas' GPUs and the free ones. */
function poolsOf(view: PolicyView, free: ReadonlyMap<string, number>): readonly MixPool[] {
  return [...free].map(([name, gpus]) => {
    const own = view.seen
      .filter(({ variant }) => variant.pool === name)
      .reduce((sum, { variant, coming }) => sum + coming * variant.accelerator.countPerReplica, 0)
    return { name, gpus: Math.max(0, own + gpus) }
  })
}

/** GPUs for growth are taken; what a plan gives back becomes free only once it has really gone. */
function take(view: PolicyView, plan: MixPlan, free: Map<string, number>): void {
  for (const { variant, coming } of view.seen) {
    const grown = Math.max(0, (plan.replicas[variant.id] ?? 0) - coming)
    const left = free.get(variant.pool)
    if (left !== undefined) free.set(variant.pool, left - grown * variant.accelerator.countPerReplica)
  }
}
