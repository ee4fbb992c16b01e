// What can be known about one policy at this instant: which variants can be seen, what their classes ask for,
// and what a replica carries. A variant that cannot be seen leaves the plan together with its traffic.
import type { CapacityMemo } from './capacity/memo.ts'
import { arrivals } from './demand/arrivals.ts'
import { arrivingNow, type Burstiness, burstiness } from './demand/burst.ts'
import { type ClassDemand, classDemand } from './demand/demand.ts'
import { type IdleMemory, type KeepsOne, keepsOne, proveIdle } from './demand/idle.ts'
import { requestSeconds } from './demand/pace.ts'
import { scaleDemand } from './demand/scale.ts'
import { type ClassShape, classShape, meanTokens } from './demand/shape.ts'
import type { TolerantDemand } from './demand/tolerant.ts'
import { type Ahead, lookAhead } from './forecast/ahead.ts'
import {
  type Headrooms,
  headroomShown,
  learnHeadrooms,
  learnSpeeds,
  profileOf,
  type Speeds,
} from './learning.ts'
import type { Observation, ReplicaCounts } from './observation.ts'
import { type ClassId, type ScalingPolicy, serves, type TrafficClass, type Variant } from './policy.ts'
import { isMissing, type Missing, missing, type Reading } from './reading.ts'
import { type Scheduled, scheduledDemand } from './schedule/demand.ts'
import { type InForce, inForce, withBounds } from './schedule/inForce.ts'
import { limitsOf, type Sizing, sizing } from './sizing.ts'
import { type CountBounds, countBounds, existing } from './stabilize/bounds.ts'
import { type PeakAt, type PlannedPeak, plannedPeak, remember } from './stabilize/hold.ts'
import { enterNoise, type NoiseMemory } from './stabilize/noise.ts'
import type { ClassMemory, PolicyMemory, State } from './state.ts'

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
}

export interface SeenDemand {
  /** Requests per second now. */
  readonly requestsPerSecond: number
  /** By the time a replica ordered now is ready. */
  readonly ahead: Reading<Ahead>
  /** What was asked for lately, this instant included: the highest of demand, forecast and schedules, falling to the newest. */
  readonly window: readonly PeakAt[]
  /** This instant included; absent while something stands in for demand. */
  readonly noise?: NoiseMemory
  readonly idle?: IdleMemory
  /** Why one replica stays although nothing arrives. */
  readonly keepsOne?: KeepsOne
  /** Why engines stand in for the class's gateway. */
  readonly insteadOfGateway?: Missing
  readonly scheduled?: Scheduled
}

export interface SeenVariant {
  readonly variant: Variant
  /** Replicas ready or starting; the surge of a rolling update is not counted. */
  readonly current: number
  readonly ready: number
  /** Those and what was asked for last, which may not show yet; without those that do not come. */
  readonly coming: number
  /** Replicas whose GPUs are taken or promised. */
  readonly held: number
  readonly bounds: CountBounds
}

export interface UnseenVariant {
  readonly variant: Variant
  /** What is missing, by name. */
  readonly signal: string
  readonly why: Missing
}

/** Of the window, what is planned for now. */
export function peakOf({ window }: SeenDemand, { behavior }: ScalingPolicy): PlannedPeak {
  return plannedPeak(window, behavior.scaleDownHoldSeconds)
}

/** The policy with the most urgent class first. */
export function byUrgency(x: PolicyView, y: PolicyView): number {
  const urgency = ({ policy }: PolicyView): number =>
    Math.min(...policy.classes.map(({ priority }) => priority))
  return urgency(x) - urgency(y) || (x.policy.id < y.policy.id ? -1 : 1)
}

/** What can be read of a policy's demand at an instant. */
export interface ReadDemand {
  /** Those that can be seen. */
  readonly variants: readonly Variant[]
  readonly unseen: readonly UnseenVariant[]
  readonly shapes: ReadonlyMap<TrafficClass, ClassShape>
  readonly demand: Readonly<Record<ClassId, KnownDemand>>
}

export function readDemand(policy: ScalingPolicy, state: State, observation: Observation): ReadDemand {
  let unseen = withPartners(
    policy,
    policy.variants.flatMap((variant) => unseenFor(variant, observation)),
  )
  for (;;) {
    const variants = policy.variants.filter((variant) => !unseen.some((other) => other.variant === variant))
    const shapes = new Map(
      policy.classes.map((trafficClass) => [
        trafficClass,
        classShape(trafficClass, variants, observation, state.classes[trafficClass.id]?.shape),
      ]),
    )
    const asked = scaleDemand(observation, policy.demandFactor ?? 1)
    const measured = classDemand(policy, variants, asked, state.classes, (trafficClass) => {
      const { shape } = shapes.get(trafficClass) as ClassShape
      const serving = variants.filter((variant) => serves(variant, trafficClass))
      return {
        outputTokens: meanTokens(shape.outputTokens),
        seconds: requestSeconds(shape, serving, (variant) => limitsOf(variant, observation)),
      }
    })
    const demand = withStandIns(policy, measured, state, observation.at)
    const blocked = blockedBy(policy, variants, demand)
    if (blocked.length === 0) return { variants, unseen, shapes, demand }
    unseen = withPartners(policy, [...unseen, ...blocked])
  }
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
  const bursts = burstsOf(policy, variants, state, observation)
  const dispersionOf = (trafficClass: TrafficClass) => bursts.get(trafficClass)?.dispersion ?? 1
  const memory = policyMemory(policy, variants, state, observation.at)
  const counts = variants.map((variant) => countsOf(variant, observation, state))
  const stay = (trafficClass: TrafficClass, idle: IdleMemory | undefined) => {
    const there = counts.some(({ variant, coming }) => coming > 0 && serves(variant, trafficClass))
    const why = keepsOne(trafficClass, idle, policy.behavior.zero, there)
    return why === undefined ? {} : { keepsOne: why }
  }
  const speeds = learnSpeeds(policy, variants, observation, state)
  const sized = sizing(policy, variants, shapeOf, dispersionOf, observation, memo, (variant) =>
    profileOf(variant, speeds),
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
  }
}

function burstsOf(
  policy: ScalingPolicy,
  variants: readonly Variant[],
  state: State,
  observation: Observation,
): ReadonlyMap<TrafficClass, Burstiness> {
  return new Map(
    policy.classes.map((trafficClass) => {
      const rate = arrivingNow(trafficClass, variants, observation)
      const before = state.classes[trafficClass.id]?.burst
      return [trafficClass, burstiness(trafficClass, rate, before, observation.at)]
    }),
  )
}

/** What a class is held at once `planned` is entered. A what-if multiplies demand; what is remembered stays as it was. */
export function holdOf(
  policy: ScalingPolicy,
  past: ClassMemory | undefined,
  { since }: PolicyMemory,
  at: number,
  planned: number,
): Pick<SeenDemand, 'window' | 'noise'> {
  const factor = policy.demandFactor ?? 1
  if (factor <= 0) return { window: [{ at, requestsPerSecond: planned }] }
  const noise = enterNoise(past?.noise, at, planned / factor)
  const known = (past?.demand ?? []).filter((entry) => entry.at >= since)
  const window = remember(known, planned / factor, at, policy.behavior.scaleDownHoldSeconds, noise)
  return { window: scaled(window, factor), noise }
}

function times(ahead: Reading<Ahead>, factor: number): Reading<Ahead> {
  if (factor === 1 || isMissing(ahead)) return ahead
  const { expected, atQuantile } = ahead.forecast
  return {
    ...ahead,
    forecast: { ...ahead.forecast, expected: factor * expected, atQuantile: factor * atQuantile },
  }
}

/** Never below what is there now. A class at rest is started by its first request, not by a forecast. */
export function plannedFor(requestsPerSecond: number, ahead: Reading<Ahead>): number {
  if (isMissing(ahead) || requestsPerSecond <= 0) return requestsPerSecond
  return Math.max(requestsPerSecond, ahead.forecast.atQuantile)
}

function isBusy(demand: ClassDemand | undefined): boolean {
  return demand !== undefined && demand.requestsPerSecond !== 0
}

function unseenFor(variant: Variant, observation: Observation): readonly UnseenVariant[] {
  const signals = observation.variants[variant.id]
  if (signals === undefined) return [{ variant, signal: 'every signal', why: missing('noSeries') }]
  if (isMissing(signals.replicas))
    return [{ variant, signal: 'the number of replicas', why: signals.replicas }]
  const arriving = arrivals(signals)
  return isMissing(arriving) ? [{ variant, signal: 'the arrival rate', why: arriving }] : []
}

/** A transfer group is seen whole or not at all: half a pair carries nothing. */
function withPartners(policy: ScalingPolicy, unseen: readonly UnseenVariant[]): readonly UnseenVariant[] {
  const partners = policy.variants.flatMap((variant) => {
    if (variant.transferGroup === undefined || unseen.some((other) => other.variant === variant)) return []
    const lost = unseen.find((other) => other.variant.transferGroup === variant.transferGroup)
    return lost === undefined
      ? []
      : [{ variant, signal: `${lost.signal} of ${lost.variant.name}`, why: lost.why }]
  })
  return [...unseen, ...partners]
}

/** Demand of a class, or for a while what was planned for it last: `standIn` says what is missing. */
interface KnownDemand extends ClassDemand {
  readonly standIn?: { readonly why: Missing; readonly window: readonly PeakAt[] }
}

/** A query that fails for a moment is no reason to forget a class: for the staleness budget its last demand stands. */
function withStandIns(
  policy: ScalingPolicy,
  measured: Readonly<Record<ClassId, ClassDemand>>,
  state: State,
  at: number,
): Readonly<Record<ClassId, KnownDemand>> {
  const known: Record<ClassId, KnownDemand> = {}
  for (const trafficClass of policy.classes) {
    const asked = measured[trafficClass.id]
    if (asked === undefined) continue
    const window = windowOf(policy, trafficClass, state)
    const newest = window.at(-1)
    const why = asked.requestsPerSecond
    known[trafficClass.id] =
      isMissing(why) && newest !== undefined && at - newest.at <= policy.behavior.stalenessBudgetSeconds
        ? { ...asked, requestsPerSecond: newest.requestsPerSecond, standIn: { why, window } }
        : asked
  }
  return known
}

/** Memory holds demand as it was: a what-if multiplies what came, what comes and what is held alike. */
function windowOf(policy: ScalingPolicy, { id }: TrafficClass, state: State): readonly PeakAt[] {
  return scaled(state.classes[id]?.demand ?? [], policy.demandFactor ?? 1)
}

function scaled(window: readonly PeakAt[], factor: number): readonly PeakAt[] {
  return factor === 1
    ? window
    : window.map((entry) => ({ ...entry, requestsPerSecond: factor * entry.requestsPerSecond }))
}

/**
 * The variants that serve a class of unknown demand: how much of it they carry cannot be told. Tolerant work that
 * cannot be seen does not hold up the interactive classes beside it.
 */
function blockedBy(
  policy: ScalingPolicy,
  variants: readonly Variant[],
  demand: Readonly<Record<ClassId, ClassDemand>>,
): readonly UnseenVariant[] {
  for (const trafficClass of policy.classes) {
    const asked = demand[trafficClass.id]?.requestsPerSecond
    if (asked === undefined || !isMissing(asked)) continue
    const serving = variants.filter(
      (variant) =>
        serves(variant, trafficClass) &&
        (trafficClass.serviceLevel.kind === 'interactive' || !servesKnown(variant, policy, demand)),
    )
    if (serving.length > 0) {
      return serving.map((variant) => ({ variant, signal: `the demand of ${trafficClass.name}`, why: asked }))
    }
  }
  return []
}

function servesKnown(
  variant: Variant,
  policy: ScalingPolicy,
  demand: Readonly<Record<ClassId, ClassDemand>>,
): boolean {
  return policy.classes.some((trafficClass) => {
    const asked = demand[trafficClass.id]?.requestsPerSecond
    return serves(variant, trafficClass) && asked !== undefined && !isMissing(asked)
  })
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

const none: ReplicaCounts = { desired: 0, ready: 0, starting: 0, terminating: 0 }

function countsOf(variant: Variant, observation: Observation, state: State): SeenVariant {
  const replicas = observation.variants[variant.id]?.replicas
  const counts = replicas === undefined || isMissing(replicas) ? none : replicas
  const bounds = countBounds(variant, counts, observation.pauses?.[variant.id], observation.at)
  const current = existing(counts)
  const asked = Math.max(current, state.variants[variant.id]?.target ?? 0) - bounds.late
  const coming = bounds.late > 0 ? Math.min(bounds.max, asked) : asked
  const { ready, starting, terminating, unschedulable } = counts
  const scheduled = ready + starting + terminating - (unschedulable?.replicas ?? 0)
  return { variant, current, ready, coming, held: Math.max(coming, scheduled), bounds }
}

export function policyMemory(
  policy: ScalingPolicy,
  variants: readonly Variant[],
  state: State,
  at: number,
): PolicyMemory {
  const known = state.policies[policy.id]
  const seen = variants.map(({ id }) => id)
  return known !== undefined && known.seen.join() === seen.join() ? known : { seen, since: at }
}
