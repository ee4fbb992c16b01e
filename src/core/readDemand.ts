// What can be read of a policy's demand at this instant, and through which variants. A variant that cannot be seen leaves
// together with its traffic.
import { arrivals } from './demand/arrivals.ts'
import { type ClassDemand, classDemand } from './demand/demand.ts'
import { requestSeconds } from './demand/pace.ts'
import { scaleDemand } from './demand/scale.ts'
import { type ClassShape, classShape, meanTokens } from './demand/shape.ts'
import type { Observation } from './observation.ts'
import { type ClassId, type ScalingPolicy, serves, type TrafficClass, type Variant } from './policy.ts'
import { isMissing, type Missing, missing } from './reading.ts'
import { windowOf } from './seenDemand.ts'
import { limitsOf } from './sizing.ts'
import type { PeakAt } from './stabilize/hold.ts'
import type { State } from './state.ts'

/** What can be read of a policy's demand at an instant. */
export interface ReadDemand {
  /** Those that can be seen. */
  readonly variants: readonly Variant[]
  readonly unseen: readonly UnseenVariant[]
  readonly shapes: ReadonlyMap<TrafficClass, ClassShape>
  readonly demand: Readonly<Record<ClassId, KnownDemand>>
}

export interface UnseenVariant {
  readonly variant: Variant
  /** What is missing, by name. */
  readonly signal: string
  readonly why: Missing
}

/** Demand of a class, or for a while what was planned for it last: `standIn` says what is missing. */
export interface KnownDemand extends ClassDemand {
  readonly standIn?: { readonly why: Missing; readonly window: readonly PeakAt[] }
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
        classShape(
          trafficClass,
          policy.variants,
          variants,
          observation,
          state.classes[trafficClass.id]?.shape,
        ),
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
