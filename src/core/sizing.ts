// How much of each class one replica of each variant carries: puts policy, observed shape and profile together
// into the capacity model's question.
import { type CapacityMemo, capacityKey } from './capacity/memo.ts'
import type { Capacity, CapacityQuestion, ReplicaLimits, Shape, SizingGoal } from './capacity/question.ts'
import type { Observation } from './observation.ts'
import {
  type LatencyBound,
  type ScalingPolicy,
  type ServiceLevel,
  serves,
  type TrafficClass,
  type Variant,
} from './policy.ts'
import type { Profile } from './profile.ts'
import { isMissing } from './reading.ts'

/** vLLM's own defaults, where neither the policy nor the metrics say how an engine was started. */
const defaultMaxNumSeqs = 256
const defaultMaxNumBatchedTokens = 8192
/** A cache that nobody stated: small, so that the plan errs towards more replicas. */
const assumedKvTokens = 100_000

export type CapacityOf = (trafficClass: TrafficClass, variant: Variant, replicas: number) => Capacity

export interface Sizing {
  /** Capacity per replica when there are `replicas` of a variant. */
  readonly capacityOf: CapacityOf
  /** What the capacity model is asked for that. */
  readonly questionOf: (trafficClass: TrafficClass, variant: Variant, replicas: number) => CapacityQuestion
  /** Classes whose SLO no replica can meet, however idle. They are sized by throughput: late beats never. */
  readonly outOfReach: ReadonlySet<TrafficClass>
  /** Equal keys: equal capacities, at every count. */
  readonly capacityKey: string
}

export function sizing(
  policy: ScalingPolicy,
  variants: readonly Variant[],
  shapeOf: (trafficClass: TrafficClass) => Shape,
  dispersionOf: (trafficClass: TrafficClass) => number,
  observation: Observation,
  memo: CapacityMemo,
  profileOf: (variant: Variant) => Profile,
  lenienceOf: (trafficClass: TrafficClass) => number,
): Sizing {
  const question = (trafficClass: TrafficClass, variant: Variant, goal: SizingGoal): CapacityQuestion => ({
    role: variant.role,
    profile: profileOf(variant),
    limits: limitsOf(variant, observation),
    shape: shapeOf(trafficClass),
    goal,
    replicas: 1,
    dispersion: dispersionOf(trafficClass),
    sloMargin: policy.behavior.sloMargin,
    maxLoad: policy.behavior.maxLoad,
  })
  const withinSlo = (trafficClass: TrafficClass, variant: Variant): CapacityQuestion =>
    question(trafficClass, variant, lenient(goalOf(trafficClass, variant, policy), lenienceOf(trafficClass)))
  const serving = (trafficClass: TrafficClass) => variants.filter((variant) => serves(variant, trafficClass))
  const outOfReach = new Set(
    policy.classes.filter(
      (trafficClass) =>
        !makesAWhole(
          serving(trafficClass).filter(
            (variant) => memo.capacityOf(withinSlo(trafficClass, variant)).kind === 'feasible',
          ),
        ),
    ),
  )
  const asked = (trafficClass: TrafficClass, variant: Variant): CapacityQuestion =>
    outOfReach.has(trafficClass)
      ? question(trafficClass, variant, { kind: 'throughput' })
      : withinSlo(trafficClass, variant)
  const questionOf = (trafficClass: TrafficClass, variant: Variant, replicas: number): CapacityQuestion => ({
    ...asked(trafficClass, variant),
    replicas,
  })
  return {
    outOfReach,
    questionOf,
    capacityOf: (trafficClass, variant, replicas) =>
      serves(variant, trafficClass)
        ? memo.capacityOf(questionOf(trafficClass, variant, replicas))
        : notAllowed(trafficClass),
    capacityKey: policy.classes
      .flatMap((trafficClass) =>
        serving(trafficClass).map((variant) => capacityKey(asked(trafficClass, variant))),
      )
      .join(),
  }
}

function notAllowed({ name }: TrafficClass): Capacity {
  return { kind: 'infeasible', limitedBy: 'throughput', why: `the policy does not let it serve ${name}` }
}

/** One unified variant, or a prefill and a decode variant of one transfer group. */
export function makesAWhole(able: readonly Variant[]): boolean {
  return able.some(
    ({ role, transferGroup }) =>
      role === 'unified' ||
      (role === 'prefill' &&
        able.some((other) => other.role === 'decode' && other.transferGroup === transferGroup)),
  )
}

/** `observation`: where the size of the KV cache may be read; undefined before anything runs. */
export function limitsOf(variant: Variant, observation: Observation | undefined): ReplicaLimits {
  const observed = observation?.variants[variant.id]?.kvTokensPerReplica
  const kvTokens =
    variant.engine.kvTokens ?? (observed === undefined || isMissing(observed) ? undefined : observed)
  return {
    maxNumSeqs: variant.engine.maxNumSeqs ?? defaultMaxNumSeqs,
    maxNumBatchedTokens: variant.engine.maxNumBatchedTokens ?? defaultMaxNumBatchedTokens,
    kvTokens: kvTokens ?? variant.profile.kvTokens ?? assumedKvTokens,
  }
}

/** What a replica of this role has to keep, for this class. */
function goalOf(trafficClass: TrafficClass, variant: Variant, policy: ScalingPolicy): SizingGoal {
  const level = trafficClass.serviceLevel
  switch (level.kind) {
    case 'interactive':
      return boundsFor(variant, level)
    case 'latencyTolerant':
      return besideInteractive(variant, policy)
  }
}

/** A plan never lets more than this be late, unless the bound itself does. */
const mostLate = 0.5

/** With `factor` times as many requests late as its bounds allow. */
function lenient(goal: SizingGoal, factor: number): SizingGoal {
  if (goal.kind !== 'interactive' || factor === 1) return goal
  const loosened = (bound: LatencyBound): LatencyBound => {
    const late = 1 - bound.percentile
    return { ...bound, percentile: 1 - Math.max(late, Math.min(mostLate, late * factor)) }
  }
  const { ttft, itl, tpot } = goal
  return {
    kind: 'interactive',
    ...(ttft === undefined ? {} : { ttft: loosened(ttft) }),
    ...(itl === undefined ? {} : { itl: loosened(itl) }),
    ...(tpot === undefined ? {} : { tpot: loosened(tpot) }),
  }
}

/** The prefill side answers for the first token, the decode side for the ones after it. */
function boundsFor(variant: Variant, level: ServiceLevel & { kind: 'interactive' }): SizingGoal {
  const { ttft, itl, tpot } = level
  const bounds = {
    ...(ttft !== undefined && variant.role !== 'decode'
      ? { ttft: withoutDecode(ttft, variant, itl ?? tpot) }
      : {}),
    ...(itl !== undefined && variant.role !== 'prefill' ? { itl } : {}),
    ...(tpot !== undefined && variant.role !== 'prefill' ? { tpot } : {}),
  }
  return Object.keys(bounds).length === 0 ? { kind: 'throughput' } : { kind: 'interactive', ...bounds }
}

/** A prefill replica leaves time for the decode step that emits the first token, as slow as its SLO allows. */
function withoutDecode(ttft: LatencyBound, variant: Variant, step: LatencyBound | undefined): LatencyBound {
  if (variant.role !== 'prefill' || step === undefined || step.seconds >= ttft.seconds) return ttft
  return { percentile: ttft.percentile, seconds: ttft.seconds - step.seconds }
}

/** Tolerant work runs at throughput on its own replicas, and under the tightest token bound on shared ones. */
function besideInteractive(variant: Variant, policy: ScalingPolicy): SizingGoal {
  const levels = policy.classes.filter((other) => serves(variant, other)).map((other) => other.serviceLevel)
  const interactive = levels.filter((level) => level.kind === 'interactive')
  const itl = tightest(interactive.flatMap((level) => level.itl ?? []))
  const tpot = tightest(interactive.flatMap((level) => level.tpot ?? []))
  if (itl === undefined && tpot === undefined) return { kind: 'throughput' }
  return boundsFor(variant, {
    kind: 'interactive',
    ...(itl === undefined ? {} : { itl }),
    ...(tpot === undefined ? {} : { tpot }),
  })
}

function tightest(bounds: readonly LatencyBound[]): LatencyBound | undefined {
  return [...bounds].sort((x, y) => x.seconds - y.seconds || y.percentile - x.percentile)[0]
}

/** Requests per second, 0 where the goal cannot be met. */
export function rateOf(capacity: Capacity): number {
  return capacity.kind === 'feasible' ? capacity.requestsPerSecond : 0
}
