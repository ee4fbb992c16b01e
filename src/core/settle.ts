// From the plan of one policy to what is emitted for it, with the reasons.
import { attainment } from './attainment.ts'
import type { ClassDecision, CostPerHour, PolicyDecision, VariantDecision } from './decision.ts'
import type { Forecast } from './forecast/forecast.ts'
import { headroomShown, speedShown } from './learning.ts'
import { classMemory, memoryOf } from './memory.ts'
import type { Observation, ReplicaCounts } from './observation.ts'
import type { Engines } from './optimize/engine.ts'
import type { MixPlan, MixProblem } from './optimize/mix.ts'
import { planMix } from './optimize/planMix.ts'
import type { PolicyPlan } from './plan.ts'
import { type ClassId, type ScalingPolicy, serves, type TrafficClass, type VariantId } from './policy.ts'
import type { UnseenVariant } from './readDemand.ts'
import { isMissing, missing, type Reading } from './reading.ts'
import type { Reason } from './reason.ts'
import type { SeenVariant } from './seenVariant.ts'
import { effectiveReplicas } from './stabilize/deadBand.ts'
import { askedCounts, grantedCounts } from './stabilize/growth.ts'
import { keepPairs } from './stabilize/pairs.ts'
import { type Move, moves } from './stabilize/targets.ts'
import { type ClassMemory, type State, targetBefore, type VariantMemory } from './state.ts'
import type { PolicyView } from './view.ts'
import { policyReasons, variantReasons } from './why.ts'

export interface Settled {
  readonly decision: PolicyDecision
  readonly variants: Readonly<Record<VariantId, VariantMemory>>
  readonly classes: Readonly<Record<ClassId, ClassMemory>>
}

/** `free` are the GPUs that nobody uses; what is granted here is taken out. */
export function settle(
  view: PolicyView,
  planned: PolicyPlan | undefined,
  free: Map<string, number>,
  state: State,
  observation: Observation,
  engines: Engines,
): Settled {
  const plan = planned === undefined || planned.outcome.status === 'failed' ? undefined : planned.outcome
  const asked = askedCounts(view.seen, plan?.replicas ?? {})
  const granted = grantedCounts(view.seen, asked, free)
  const drafts =
    planned === undefined || plan === undefined
      ? new Map<VariantId, Move>()
      : moves(
          view.seen.map(({ variant, current, ready, bounds }) => ({
            variant,
            wanted: asked[variant.id] ?? 0,
            granted: granted.get(variant.id) ?? 0,
            current,
            ready,
            late: bounds.late,
            lastTarget: targetBefore(state.variants[variant.id], observation.at),
          })),
          view.policy.behavior,
          observation.at,
          view.memory.since + view.policy.behavior.scaleDownHoldSeconds,
          (ready) => carries(planned.problem, plan, ready, engines),
        )
  const moved = frozen(view, state, observation.at) ?? keepPairs(view.seen, drafts)
  const failure = planned?.outcome.status === 'failed' ? planned.outcome.why : undefined
  const decided = [
    ...view.seen.map((seen) =>
      seenDecision(seen, view, plan, moved.get(seen.variant.id), failure, state, observation),
    ),
    ...view.unseen.map((unseen) => unseenDecision(unseen, view, state, observation)),
  ].sort((x, y) => order(view.policy, x.id) - order(view.policy, y.id))
  return {
    decision: {
      id: view.policy.id,
      name: view.policy.name,
      namespace: view.policy.namespace,
      model: view.policy.model,
      status: plan === undefined ? 'held' : plan.status === 'shortfall' ? 'shortfall' : 'planned',
      classes: view.policy.classes.map((trafficClass) =>
        classDecision(trafficClass, view, planned, plan, observation),
      ),
      variants: decided,
      costPerHour: costOf(decided),
      reasons: policyReasons(view, plan, failure),
    },
    variants: memoryOf(view, plan, moved, state, observation.at),
    classes: classMemory(view, plan, state),
  }
}

/** Where a schedule holds: the last targets, or the counts there are. */
function frozen(view: PolicyView, state: State, at: number): ReadonlyMap<VariantId, Move> | undefined {
  const { hold } = view.inForce
  if (hold === undefined) return undefined
  return new Map(
    view.seen.map(({ variant: { id }, current }) => [
      id,
      {
        target: targetBefore(state.variants[id], at) ?? current,
        reasons: [{ kind: 'scheduleHold', schedule: hold }],
      },
    ]),
  )
}

/** Whether these ready replicas, and no others, leave no more uncarried than the plan does. */
function carries(
  problem: MixProblem,
  plan: MixPlan,
  ready: ReadonlyMap<VariantId, number>,
  engines: Engines,
): boolean {
  const fixed = problem.variants.map((variant) => {
    const replicas = ready.get(variant.id) ?? 0
    return { ...variant, min: replicas, max: replicas, current: replicas }
  })
  const { budgetPerHour: _, ...unlimited } = problem
  const outcome = planMix(
    { ...unlimited, variants: fixed, pools: [], surviveReplicas: 0, hpaTolerance: 0 },
    engines,
  )
  if (outcome.status === 'failed') return false
  return problem.classes.every(
    ({ id, requestsPerSecond }) =>
      (outcome.shortfall[id] ?? 0) <= (plan.shortfall[id] ?? 0) + 1e-6 * (1 + requestsPerSecond),
  )
}

function seenDecision(
  { variant, current, bounds }: SeenVariant,
  view: PolicyView,
  plan: MixPlan | undefined,
  move: Move | undefined,
  failure: string | undefined,
  state: State,
  observation: Observation,
): VariantDecision {
  const replicas = observation.variants[variant.id]?.replicas ?? missing('noSeries')
  const capacity = Object.fromEntries(
    [...view.demand.keys()]
      .filter((trafficClass) => serves(variant, trafficClass))
      .map((trafficClass) => [
        trafficClass.name,
        view.capacityOf(trafficClass, variant, plan?.replicas[variant.id] ?? current),
      ]),
  )
  const common = {
    id: variant.id,
    name: variant.name,
    role: variant.role,
    replicas,
    capacity,
    speed: speedShown(view.speeds.get(variant)),
    costPerReplicaHour: variant.costPerHour,
  }
  if (plan === undefined || move === undefined) {
    const target = heldTarget(variant.id, view, state, observation, missing('stale'))
    const reasons: readonly Reason[] = [{ kind: 'holdFailure', why: failure ?? 'there is no plan' }]
    return { ...common, wanted: missing('noSeries', 'a plan'), target, effective: target, reasons }
  }
  return {
    ...common,
    wanted: plan.replicas[variant.id] ?? 0,
    target: move.target,
    effective: effectiveReplicas(current, move.target, view.policy.behavior.hpaTolerance),
    reasons: [...variantReasons(variant.id, view, plan, capacity), ...bounds.reasons, ...move.reasons],
  }
}

function unseenDecision(
  { variant, signal, why }: UnseenVariant,
  view: PolicyView,
  state: State,
  observation: Observation,
): VariantDecision {
  const target = heldTarget(variant.id, view, state, observation, why)
  return {
    id: variant.id,
    name: variant.name,
    role: variant.role,
    replicas: observation.variants[variant.id]?.replicas ?? missing('noSeries'),
    wanted: why,
    target,
    effective: target,
    capacity: {},
    speed: why,
    costPerReplicaHour: variant.costPerHour,
    reasons: [{ kind: isMissing(target) ? 'unknown' : 'holdMissing', signal, missing: why.missing }],
  }
}

/** The last target while it is backed by a plan of recent enough date or a schedule holds it, else why there is none. */
function heldTarget(
  id: VariantId,
  { policy: { behavior }, inForce }: PolicyView,
  state: State,
  observation: Observation,
  why: ReturnType<typeof missing>,
): Reading {
  const memory = state.variants[id]
  if (memory !== undefined && inForce.hold !== undefined) return memory.target
  if (memory === undefined || observation.at - memory.plannedAt > behavior.stalenessBudgetSeconds) return why
  return memory.target
}

function classDecision(
  trafficClass: TrafficClass,
  view: PolicyView,
  planned: PolicyPlan | undefined,
  plan: MixPlan | undefined,
  observation: Observation,
): ClassDecision {
  const none = view.missingDemand.get(trafficClass) ?? missing('noSeries', 'a plan')
  const plannedFor = planned?.problem.classes.find(({ id }) => id === trafficClass.id)?.requestsPerSecond
  return {
    id: trafficClass.id,
    name: trafficClass.name,
    demand: view.missingDemand.get(trafficClass) ?? view.demand.get(trafficClass)?.requestsPerSecond ?? none,
    forecast: forecastOf(trafficClass, view) ?? none,
    plannedFor: plan === undefined ? none : (plannedFor ?? none),
    shortfall: plan === undefined || plannedFor === undefined ? none : (plan.shortfall[trafficClass.id] ?? 0),
    headroom: headroomShown(trafficClass, view.policy, view.headrooms),
    workAhead: view.workAheadOf(trafficClass),
    attainment: attainment(trafficClass, view.policy, observation),
  }
}

function forecastOf(trafficClass: TrafficClass, view: PolicyView): Reading<Forecast> | undefined {
  const ahead = view.demand.get(trafficClass)?.ahead
  return ahead === undefined || isMissing(ahead) ? ahead : ahead.forecast
}

function costOf(variants: readonly VariantDecision[]): CostPerHour {
  return {
    now: total(variants, (variant) =>
      isMissing(variant.replicas) ? variant.replicas : running(variant.replicas),
    ),
    plan: total(variants, ({ wanted, target }) => (isMissing(wanted) ? target : wanted)),
    target: total(variants, (variant) => variant.target),
  }
}

function running({ ready, starting }: ReplicaCounts): number {
  return ready + starting
}

function total(variants: readonly VariantDecision[], count: (variant: VariantDecision) => Reading): Reading {
  let sum = 0
  for (const variant of variants) {
    const replicas = count(variant)
    if (isMissing(replicas)) return replicas
    sum += replicas * variant.costPerReplicaHour
  }
  return sum
}

function order(policy: ScalingPolicy, id: VariantId): number {
  return policy.variants.findIndex((variant) => variant.id === id)
}
