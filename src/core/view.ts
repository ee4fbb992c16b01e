// What can be known about one policy at this instant: which variants can be seen, what their classes ask for,
// and what a replica carries. A variant that cannot be seen leaves the plan together with its traffic.
import type { CapacityMemo } from './capacity/memo.ts'
import { type Burstiness, burstsOf } from './demand/burst.ts'
import type { ClassDemand } from './demand/demand.ts'
import { type IdleMemory, isBusy, keepsOne, proveIdle } from './demand/idle.ts'
import type { ClassShape } from './demand/shape.ts'
import type { TolerantDemand } from './demand/tolerant.ts'
import { workAhead } from './demand/workAhead.ts'
import { type Ahead, leadOfClass, lookAhead } from './forecast/ahead.ts'
import {
  type Headrooms,
  headroomShown,
  learnHeadrooms,
  learnSpeeds,
  lenienceOf,
  profileOf,
  type Speeds,
} from './learning.ts'
import type { Observation } from './observation.ts'
import { type ClassId, type ScalingPolicy, serves, type TrafficClass, type Variant } from './policy.ts'
import { type KnownDemand, readDemand, type UnseenVariant } from './readDemand.ts'
import { isMissing, type Missing, missing, type Reading } from './reading.ts'
import { scheduledDemand } from './schedule/demand.ts'
import { type InForce, inForce, withBounds } from './schedule/inForce.ts'
import { holdOf, plannedFor, policyMemory, type SeenDemand } from './seenDemand.ts'
import { countsOf, type SeenVariant } from './seenVariant.ts'
import { type Sizing, sizing } from './sizing.ts'
import type { PolicyMemory, State } from './state.ts'

export interface PolicyView extends Sizing {
  readonly policy: ScalingPolicy
  readonly seen: readonly SeenVariant[]
  readonly unseen: readonly UnseenVariant[]
  /** Classes that the seen variants can serve and whose demand is known. */
  readonly demand: ReadonlyMap<TrafficClass, SeenDemand>
  /** Classes whose demand cannot be read now; for a while the last one stands in for it above. */
  readonly missingDemand: ReadonlyMap<TrafficClass, Missing>
  readonly tolerant: ReadonlyMap<TrafficClass, TolerantDemand>
  readonly shapes: ReadonlyMap<TrafficClass, ClassShape>
  readonly bursts: ReadonlyMap<TrafficClass, Burstiness>
  readonly inForce: InForce
  readonly memory: PolicyMemory
  readonly speeds: Speeds
  readonly headrooms: Headrooms
  /** Added to the demand of a class before sizing: the policy's, and what was learnt. */
  readonly headroomOf: (trafficClass: TrafficClass) => number
  /** How many times the work of a request of now one is by the time a replica ordered now is ready: 1 and up. */
  readonly workAheadOf: (trafficClass: TrafficClass) => number
}

/** The policy with the most urgent class first. */
export function byUrgency(x: PolicyView, y: PolicyView): number {
  const urgency = ({ policy }: PolicyView): number =>
    Math.min(...policy.classes.map(({ priority }) => priority))
  return urgency(x) - urgency(y) || (x.policy.id < y.policy.id ? -1 : 1)
}

export function look(
  stated: ScalingPolicy,
  state: State,
  observation: Observation,
  memo: CapacityMemo,
): PolicyView {
  const calendar = inForce(stated, observation.at)
  const policy = withBounds(stated, calendar)
  const { variants, unseen, shapes, demand } = readDemand(policy, state, observation)
  const shapeOf = (trafficClass: TrafficClass) => (shapes.get(trafficClass) as ClassShape).shape
  const bursts = burstsOf(policy.classes, variants, observation, ({ id }) => state.classes[id]?.burst)
  const dispersionOf = (trafficClass: TrafficClass) => bursts.get(trafficClass)?.dispersion ?? 1
  const memory = policyMemory(policy, variants, state, observation.at)
  const counts = variants.map((variant) => countsOf(variant, observation, state))
  const stay = (trafficClass: TrafficClass, idle: IdleMemory | undefined) => {
    const there = counts.some(({ variant, coming }) => coming > 0 && serves(variant, trafficClass))
    const why = keepsOne(trafficClass, idle, policy.behavior.zero, there)
    return why === undefined ? {} : { keepsOne: why }
  }
  const speeds = learnSpeeds(policy, variants, observation, state)
  const sized = sizing(
    policy,
    variants,
    shapeOf,
    dispersionOf,
    observation,
    memo,
    (variant) => profileOf(variant, speeds),
    (trafficClass) => lenienceOf(trafficClass, policy, state, observation.at),
  )
  const known = sorted(policy, variants, demand, stay, (trafficClass, asked, requestsPerSecond) => {
    const { at } = observation
    const hidden = unseen.map(({ variant }) => variant)
    const past = state.classes[trafficClass.id]
    const aheadOf = (perSecond: number) =>
      lookAhead(policy, trafficClass, asked.readAt, hidden, past?.forecast, at, perSecond)
    // Where nothing is remembered, the assumed spread is that of the demand asked about.
    const factor = policy.demandFactor ?? 1
    const ahead =
      factor > 0 && past?.forecast !== undefined
        ? times(aheadOf(requestsPerSecond / factor), factor)
        : aheadOf(requestsPerSecond)
    const rules = calendar.demand[trafficClass.id] ?? []
    const scheduled = scheduledDemand(plannedFor(requestsPerSecond, ahead), rules, past?.bases ?? {})
    const busy = policy.classes.filter((other) => other !== trafficClass && isBusy(demand[other.id]))
    const idle = proveIdle(past?.idle, trafficClass, asked, variants, observation, busy)
    return {
      requestsPerSecond,
      ahead,
      ...holdOf(policy, past, memory, at, scheduled.requestsPerSecond),
      scheduled,
      ...(idle === undefined ? {} : { idle }),
      ...stay(trafficClass, idle),
      ...(asked.insteadOfGateway === undefined ? {} : { insteadOfGateway: asked.insteadOfGateway }),
    }
  })
  const headrooms = learnHeadrooms(policy, { ...sized, variants, demand: known.demand }, observation, state)
  return {
    policy,
    memory,
    seen: counts,
    inForce: calendar,
    bursts,
    unseen,
    ...known,
    shapes,
    ...sized,
    speeds,
    headrooms,
    headroomOf: (trafficClass) => headroomShown(trafficClass, policy, headrooms).planned,
    workAheadOf: (trafficClass) => {
      const { works, requests = Number.POSITIVE_INFINITY } = shapes.get(trafficClass) as ClassShape
      if (works === undefined || trafficClass.serviceLevel.kind !== 'interactive') return 1
      return workAhead(works, observation.at, requests, leadOfClass(policy, trafficClass))
    },
  }
}

function times(ahead: Reading<Ahead>, factor: number): Reading<Ahead> {
  if (factor === 1 || isMissing(ahead)) return ahead
  const { expected, atQuantile } = ahead.forecast
  return {
    ...ahead,
    forecast: { ...ahead.forecast, expected: factor * expected, atQuantile: factor * atQuantile },
  }
}

function sorted(
  policy: ScalingPolicy,
  variants: readonly Variant[],
  demand: Readonly<Record<ClassId, KnownDemand>>,
  stay: (trafficClass: TrafficClass, idle: IdleMemory | undefined) => Pick<SeenDemand, 'keepsOne'>,
  seenDemand: (trafficClass: TrafficClass, asked: ClassDemand, requestsPerSecond: number) => SeenDemand,
): Pick<PolicyView, 'demand' | 'missingDemand' | 'tolerant'> {
  const known = new Map<TrafficClass, SeenDemand>()
  const missingDemand = new Map<TrafficClass, Missing>()
  const tolerant = new Map<TrafficClass, TolerantDemand>()
  for (const trafficClass of policy.classes) {
    const asked = demand[trafficClass.id]
    if (asked === undefined) continue
    if (asked.tolerant !== undefined) tolerant.set(trafficClass, asked.tolerant)
    const { requestsPerSecond, standIn } = asked
    if (standIn !== undefined) missingDemand.set(trafficClass, standIn.why)
    if (isMissing(requestsPerSecond)) missingDemand.set(trafficClass, requestsPerSecond)
    else if (variants.some((variant) => serves(variant, trafficClass))) {
      known.set(
        trafficClass,
        standIn === undefined
          ? seenDemand(trafficClass, asked, requestsPerSecond)
          : {
              requestsPerSecond,
              ahead: standIn.why,
              window: standIn.window,
              ...stay(trafficClass, undefined),
            },
      )
    } else missingDemand.set(trafficClass, missing('noSeries', `variants that serve ${trafficClass.name}`))
  }
  return { demand: known, missingDemand, tolerant }
}
