// From what is seen to what is wanted: the cheapest mix for every policy, pools shared between them.
import type { Gpus } from './inventory.ts'
import type { Engines } from './optimize/engine.ts'
import { type FleetModel, planFleet } from './optimize/fleet.ts'
import { fewer, held } from './optimize/hold.ts'
import type { MixFailure, MixPlan, MixPool, MixProblem } from './optimize/mix.ts'
import { type ClassId, type PolicyId, serves, type Variant, type VariantId } from './policy.ts'
import { peakOf } from './seenDemand.ts'
import { makesAWhole, rateOf } from './sizing.ts'
import type { Tools } from './tools.ts'
import type { PolicyView } from './view.ts'

export interface PolicyPlan {
  readonly problem: MixProblem
  readonly outcome: MixPlan | MixFailure
  /** Since when fewer of the replicas that are kept would have done, at every tick; absent: they would not. */
  readonly spareSince?: number
}

/**
 * A start is worth its start-up time at full price; spread over this, it weighs against a cost per hour: what
 * is started should pay off within a quarter of an hour (measured: reference in docs/MODEL.md).
 */
const switchingHorizonSeconds = 900

/** Enough to keep one replica somewhere, and too little to ask for a second. */
const leastDemand = 1e-3

/** Policies are planned apart where their pools hold all of it, together where they do not. */
export function plans(
  views: readonly PolicyView[],
  plannable: Gpus,
  at: number,
  { engines, plans: memo }: Tools,
): ReadonlyMap<PolicyId, PolicyPlan> {
  const pools = [...plannable].map(([name, gpus]) => ({ name, gpus: Math.max(0, gpus) }))
  const models = views
    .filter((view) => view.seen.length > 0)
    .map((view) => ({ id: view.policy.id, capacityKey: view.capacityKey, problem: problemOf(view) }))
  const memories = new Map(views.map(({ policy, memory }) => [policy.id, memory]))
  const outcomes = new Map(planFleet(models, pools, engines, memo).plans)
  const planned = new Map<PolicyId, PolicyPlan>()
  for (const { id, problem } of models) {
    const outcome = outcomes.get(id) ?? { status: 'failed', why: 'the fleet has no plan for it' }
    const own = { ...problem, pools: leftFor(id, pools, models, outcomes) }
    const { spareSince } = memories.get(id) ?? {}
    const kept = outcome.status === 'failed' ? { outcome } : stable(own, outcome, spareSince, at, engines)
    outcomes.set(id, kept.outcome)
    planned.set(id, { problem: own, ...kept })
  }
  return planned
}

/** A small saving is not worth a change, but for what has been too much for so long that starts would have paid off. */
function stable(
  problem: MixProblem,
  plan: MixPlan,
  spareSince: number | undefined,
  at: number,
  engines: Engines,
): Pick<PolicyPlan, 'outcome' | 'spareSince'> {
  const current = held(problem, plan, engines)
  if (current === undefined) return { outcome: plan }
  const less = fewer(problem, engines)
  if (less === undefined) return { outcome: current }
  const since = spareSince ?? at
  const spareUntil = since + switchingHorizonSeconds
  return { outcome: at >= spareUntil ? less : told(current, spareUntil), spareSince: since }
}

function told(current: MixPlan, spareUntil: number): MixPlan {
  const binding = current.binding.map((bound) => (bound.kind === 'hold' ? { ...bound, spareUntil } : bound))
  return { ...current, binding }
}

function problemOf(view: PolicyView): MixProblem {
  const { behavior } = view.policy
  const classes = [...view.demand].map(([trafficClass, seen]) => ({
    id: trafficClass.id,
    priority: trafficClass.priority,
    requestsPerSecond:
      Math.max(peakOf(seen, view.policy).requestsPerSecond, seen.keepsOne === undefined ? 0 : leastDemand) *
      (1 + view.headroomOf(trafficClass)) *
      view.workAheadOf(trafficClass),
    tolerant: trafficClass.serviceLevel.kind === 'latencyTolerant',
  }))
  const byClass = new Map([...view.demand.keys()].map((trafficClass) => [trafficClass.id, trafficClass]))
  const byVariant = new Map(view.seen.map(({ variant }) => [variant.id, variant]))
  return {
    classes,
    variants: view.seen.map(({ variant, coming, bounds, lastWanted: last }) => ({
      id: variant.id,
      role: variant.role,
      ...(variant.transferGroup === undefined ? {} : { transferGroup: variant.transferGroup }),
      pool: variant.pool,
      gpusPerReplica: variant.accelerator.countPerReplica,
      costPerHour: variant.costPerHour,
      min: bounds.min,
      max: Math.max(bounds.min, Math.min(bounds.max, mostReplicas(view, variant, coming))),
      current: coming,
      ...(last === undefined ? {} : { last }),
      startCost: (variant.costPerHour * variant.startupSeconds) / switchingHorizonSeconds,
      maxShare: variant.maxShare,
      minShare: variant.minShare,
    })),
    pools: [],
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

/** Woken from zero, a class waits for no slow variant where a fast one can start; both are planned with once one is there. */
function mostReplicas(view: PolicyView, variant: Variant, coming: number): number {
  const { startWithinSeconds } = view.policy.behavior.zero
  if (startWithinSeconds === undefined || variant.startupSeconds <= startWithinSeconds)
    return variant.replicas.max
  const waking = [...view.demand.keys()].some((trafficClass) => {
    const serving = view.seen.filter((seen) => serves(seen.variant, trafficClass))
    return (
      serves(variant, trafficClass) &&
      trafficClass.serviceLevel.kind === 'interactive' &&
      serving.every((seen) => seen.ready === 0) &&
      startInTime(serving, startWithinSeconds)
    )
  })
  return waking ? Math.max(variant.replicas.min, coming) : variant.replicas.max
}

/** A whole engine, or a pair, among those that start in time. */
function startInTime(serving: PolicyView['seen'], startWithinSeconds: number): boolean {
  const fast = serving
    .map(({ variant }) => variant)
    .filter(({ startupSeconds, replicas }) => startupSeconds <= startWithinSeconds && replicas.max > 0)
  return makesAWhole(fast)
}

/** What the plans of the others leave of each pool. */
function leftFor(
  id: PolicyId,
  pools: readonly MixPool[],
  models: readonly FleetModel[],
  outcomes: ReadonlyMap<PolicyId, MixPlan | MixFailure>,
): readonly MixPool[] {
  const left = new Map(pools.map(({ name, gpus }) => [name, gpus]))
  for (const other of models) {
    const outcome = outcomes.get(other.id)
    if (other.id === id || outcome === undefined || outcome.status === 'failed') continue
    for (const variant of other.problem.variants) {
      const gpus = left.get(variant.pool)
      const taken = (outcome.replicas[variant.id] ?? 0) * variant.gpusPerReplica
      if (gpus !== undefined) left.set(variant.pool, Math.max(0, gpus - taken))
    }
  }
  return [...left].map(([name, gpus]) => ({ name, gpus }))
}
