// Why one policy has these counts, as data: what is asked and carried, what limits and binds, what one change would do.
// Nothing here decides: the decision and its plans come from decide's own functions, prices from planning again.

import { decide } from '../decide.ts'
import type { ClassDecision, PolicyDecision, VariantDecision } from '../decision.ts'
import { meanTokens } from '../demand/shape.ts'
import { type Explanation, explainMix } from '../optimize/explain.ts'
import type { MixPlan } from '../optimize/mix.ts'
import type { PolicyId, PolicySet, ServiceLevel, TrafficClass, Variant, VariantId } from '../policy.ts'
import { isMissing, type Reading } from '../reading.ts'
import type { PolicyView } from '../view.ts'
import {
  type Alternative,
  alternative,
  type Change,
  changed,
  gpusTaken,
  negligible,
  oneMoreReplica,
  type Planned,
  planned,
  planOf,
  relaxedBounds,
  type Scene,
  withoutHoldBand,
} from './alternatives.ts'
import { type ReplicaLimit, replicaLimit } from './limit.ts'
import { remedies } from './remedies.ts'
import type { Subject } from './subject.ts'

export interface PolicyExplanation {
  /** Seconds since the epoch. */
  readonly at: number
  readonly decision: PolicyDecision
  readonly classes: readonly ClassExplanation[]
  /** The variant that was asked about, or all. */
  readonly variants: readonly VariantExplanation[]
  /** All below: about the cheapest plan, the hold band aside; absent or empty where there is no plan. */
  readonly cheapest?: CheapestPlan
  readonly limits: readonly LimitUse[]
  /** Prices, what restrictions cost, the runner-up; the other policies' plans as they are. */
  readonly mix?: Explanation
  /** What else a fifth more time in one SLO, or one more replica's GPUs in a full pool, would change. */
  readonly alternatives: readonly Alternative[]
  /** Where something is short: single changes that help. */
  readonly remedies: readonly Alternative[]
}

export interface ClassExplanation {
  readonly class: string
  readonly serviceLevel: ServiceLevel
  /** Requests per second: arriving, planned for (headroom on top), and left uncarried. */
  readonly demand: Reading
  readonly plannedFor: Reading
  readonly shortfall: Reading
  readonly headroom: number
  readonly requests?: RequestShape
  /** Of latency-tolerant classes: what waits, and when the first of it is due. */
  readonly waiting?: { readonly requests: number; readonly firstDueInSeconds: number }
}

/** Means per request. */
export interface RequestShape {
  readonly promptTokens: number
  readonly outputTokens: number
  readonly prefixHitRate: number
  readonly origin: 'observed' | 'assumed'
}

export interface VariantExplanation {
  readonly decision: VariantDecision
  readonly min: number
  readonly max: number
  /** For every class that it may serve and can. */
  readonly carries: readonly Carries[]
  /** Share of its planned replicas' capacity that is used, 0..1; absent without replicas. */
  readonly load?: number
  /** Where the cheapest plan uses it: with one replica less. Else, where it may have some: with one. */
  readonly neighbour?: Alternative
}

export interface Carries {
  readonly class: string
  /** Requests per second, and as a share of what the class is planned for. */
  readonly requestsPerSecond: number
  readonly share: number
  /** One replica at most, and what limits it there. */
  readonly perReplica: number
  readonly limit: ReplicaLimit
  /** Money per hour for one request per second, the replica full. */
  readonly costPerRequestPerSecond: number
}

export interface CheapestPlan {
  readonly replicas: Readonly<Record<VariantId, number>>
  readonly costPerHour: number
  /** Present where the hold band keeps other counts. */
  readonly heldForPerHour?: number
}

export type LimitUse =
  /** GPUs; `planned` counts all policies. Without `gpus` nothing says how many there are. */
  | {
      readonly kind: 'pool'
      readonly pool: string
      readonly gpus?: number
      readonly planned: number
      readonly binds: boolean
    }
  | {
      readonly kind: 'budget'
      readonly perHour: number
      readonly plannedPerHour: number
      readonly binds: boolean
    }

/** Plans some tens of times: for people who ask, not for every tick. `subject` must be among the policies. */
export function explain(policies: PolicySet, scene: Scene, subject: Subject): PolicyExplanation {
  const { decision } = decide(policies, scene.state, scene.observation, scene.tools)
  const decided = decision.policies.find(({ id }) => id === subject.policy)
  const current = planned(policies, scene)
  const view = current.views.find(({ policy }) => policy.id === subject.policy)
  if (decided === undefined || view === undefined) throw new Error(`no policy ${subject.policy}`)
  const base = planned(changed(policies, withoutHoldBand), scene)
  const asked = view.policy.variants.filter(({ id }) => id === (subject.variant ?? id))
  return {
    at: decision.at,
    decision: decided,
    classes: view.policy.classes.map((trafficClass) => classExplanation(trafficClass, view, decided)),
    variants: asked.flatMap((variant) =>
      variantExplanation(variant, view, planOf(current, subject.policy), decided, base, scene),
    ),
    ...aboutPlan(view, planOf(current, subject.policy), base, scene),
  }
}

function aboutPlan(
  { policy }: PolicyView,
  current: MixPlan | undefined,
  base: Planned,
  scene: Scene,
): Pick<PolicyExplanation, 'cheapest' | 'limits' | 'mix' | 'alternatives' | 'remedies'> {
  const plan = planOf(base, policy.id)
  const problem = base.plans.get(policy.id)?.problem
  if (plan === undefined || problem === undefined) return { limits: [], alternatives: [], remedies: [] }
  const held = current?.binding.find((bound) => bound.kind === 'hold')
  const mix = explainMix(problem, plan, scene.tools.engines)
  const relaxed = relaxedBounds(base, policy, scene)
  const morePools = Object.entries(mix.prices?.gpu ?? {})
    .filter(([, perHour]) => perHour > negligible)
    .flatMap(([pool]) => oneMoreReplica(base, policy, pool, scene) ?? [])
    .flatMap((change) => alternative(base, policy.id, change, scene) ?? [])
  const help = plan.status === 'shortfall' ? remedies(base, policy, relaxed, scene) : []
  return {
    cheapest: {
      replicas: plan.replicas,
      costPerHour: plan.costPerHour,
      ...(held === undefined ? {} : { heldForPerHour: held.savingPerHour }),
    },
    limits: limitUses(base, policy.id, plan),
    mix,
    alternatives: [...relaxed, ...morePools].filter((each) => !help.includes(each)),
    remedies: help,
  }
}

function classExplanation(
  trafficClass: TrafficClass,
  view: PolicyView,
  decided: PolicyDecision,
): ClassExplanation {
  const { name, serviceLevel } = trafficClass
  const { demand, plannedFor, shortfall } = figuresOf(decided, trafficClass)
  const shape = view.shapes.get(trafficClass)
  const queue = view.tolerant.get(trafficClass)?.queue
  const [first] = queue?.work ?? []
  return {
    class: name,
    serviceLevel,
    demand,
    plannedFor,
    shortfall,
    headroom: view.headroomOf(trafficClass),
    ...(shape === undefined
      ? {}
      : {
          requests: {
            promptTokens: meanTokens(shape.shape.promptTokens),
            outputTokens: meanTokens(shape.shape.outputTokens),
            prefixHitRate: shape.shape.prefixHitRate,
            origin: shape.origin,
          },
        }),
    ...(queue === undefined || first === undefined
      ? {}
      : {
          waiting: {
            requests: queue.work.reduce((sum, { requests }) => sum + requests, 0),
            firstDueInSeconds: first.dueAt - queue.at,
          },
        }),
  }
}

function figuresOf({ classes }: PolicyDecision, { id }: TrafficClass): ClassDecision {
  const figures = classes.find((each) => each.id === id)
  if (figures === undefined) throw new Error(`no class ${id} in the decision`)
  return figures
}

function variantExplanation(
  variant: Variant,
  view: PolicyView,
  plan: MixPlan | undefined,
  decided: PolicyDecision,
  base: Planned,
  scene: Scene,
): readonly VariantExplanation[] {
  const decision = decided.variants.find(({ id }) => id === variant.id)
  if (decision === undefined) return []
  const { min, max } = variant.replicas
  const common = { decision, min, max }
  const seen = view.seen.some((each) => each.variant === variant)
  if (!seen || plan === undefined) return [{ ...common, carries: [] }]
  const count = plan.replicas[variant.id] ?? 0
  const carries = [...view.demand.keys()].flatMap(
    (trafficClass) => carried(trafficClass, variant, count, view, plan, decided) ?? [],
  )
  const used = carries.reduce((sum, each) => sum + each.requestsPerSecond / each.perReplica, 0)
  const neighbour = neighbouring(variant, planOf(base, view.policy.id)?.replicas[variant.id] ?? 0)
  const beside = neighbour === undefined ? undefined : alternative(base, view.policy.id, neighbour, scene)
  return [
    {
      ...common,
      carries,
      ...(count > 0 ? { load: used / count } : {}),
      ...(beside === undefined ? {} : { neighbour: beside }),
    },
  ]
}

function carried(
  trafficClass: TrafficClass,
  variant: Variant,
  count: number,
  view: PolicyView,
  plan: MixPlan,
  decided: PolicyDecision,
): Carries | undefined {
  const replicas = Math.max(1, count)
  const capacity = view.capacityOf(trafficClass, variant, replicas)
  if (capacity.kind === 'infeasible') return undefined
  const requestsPerSecond = plan.flow[trafficClass.id]?.[variant.id] ?? 0
  const { plannedFor } = figuresOf(decided, trafficClass)
  return {
    class: trafficClass.name,
    requestsPerSecond,
    share: isMissing(plannedFor) || plannedFor === 0 ? 0 : requestsPerSecond / plannedFor,
    perReplica: capacity.requestsPerSecond,
    limit: replicaLimit(view.questionOf(trafficClass, variant, replicas), capacity),
    costPerRequestPerSecond: variant.costPerHour / capacity.requestsPerSecond,
  }
}

function neighbouring({ id, replicas: { min, max } }: Variant, count: number): Change | undefined {
  if (count > 0) return { kind: 'max', variant: id, from: max, to: count - 1 }
  return max > 0 ? { kind: 'min', variant: id, from: min, to: 1 } : undefined
}

function limitUses(base: Planned, id: PolicyId, plan: MixPlan): readonly LimitUse[] {
  const policy = base.policies.policies.find((each) => each.id === id)
  if (policy === undefined) return []
  const names = [...new Set(policy.variants.map(({ pool }) => pool))].sort()
  const pools = names.map((pool): LimitUse => {
    const gpus = base.gpus.get(pool)
    const binds = plan.binding.some((bound) => bound.kind === 'pool' && bound.pool === pool)
    const known = gpus === undefined ? {} : { gpus }
    return { kind: 'pool', pool, ...known, planned: gpusTaken(base, pool), binds }
  })
  const { budgetPerHour } = policy.behavior
  if (budgetPerHour === undefined) return pools
  const binds = plan.binding.some(({ kind }) => kind === 'budget')
  return [...pools, { kind: 'budget', perHour: budgetPerHour, plannedPerHour: plan.costPerHour, binds }]
}
