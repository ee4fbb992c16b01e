// What a policy has learnt from what was measured: how fast its engines are, and how much headroom its classes need.
// Pure functions of the memory and of one more observation; what is switched off has no memory.
import { advance as advanceSpeed, leastSamples, type SpeedMemory } from './calibrate/calibrate.ts'
import { corrected } from './calibrate/correction.ts'
import type { Headroom, Speed } from './decision.ts'
import { type Kept, keptBy } from './feedback/broken.ts'
import {
  advance as advanceHeadroom,
  type HeadroomMemory,
  learntHeadroom,
  lenience,
} from './feedback/feedback.ts'
import type { Observation } from './observation.ts'
import { type ScalingPolicy, serves, type TrafficClass, type Variant } from './policy.ts'
import type { Profile } from './profile.ts'
import { isMissing, missing, type Reading } from './reading.ts'
import { type CapacityOf, limitsOf, rateOf } from './sizing.ts'
import type { State } from './state.ts'

/** By variant, of those that can be seen. */
export type Speeds = ReadonlyMap<Variant, SpeedMemory>

/** By class, of interactive ones. */
export type Headrooms = ReadonlyMap<TrafficClass, LearntHeadroom>

export interface LearntHeadroom {
  /** Within the last minute. */
  readonly kept: Reading<Kept>
  readonly memory: HeadroomMemory
}

export function learnSpeeds(
  { behavior }: ScalingPolicy,
  variants: readonly Variant[],
  observation: Observation,
  state: State,
): Speeds {
  if (behavior.learn.speed === 'off') return new Map()
  return new Map(
    variants.map((variant) => {
      const { id, role, profile } = variant
      const input = {
        role,
        profile,
        limits: limitsOf(variant, observation),
        signals: observation.variants[id],
      }
      return [variant, advanceSpeed(state.variants[id]?.speed, observation.at, input)]
    }),
  )
}

/** The profile that a variant is sized by. */
export function profileOf(variant: Variant, speeds: Speeds): Profile {
  const learnt = speeds.get(variant)?.learnt
  return learnt === undefined ? variant.profile : corrected(variant.profile, learnt.applied)
}

/** What is known of the fleet at this instant, as far as headroom depends on it. */
interface Standing {
  readonly variants: readonly Variant[]
  readonly demand: ReadonlyMap<TrafficClass, { readonly requestsPerSecond: number }>
  readonly outOfReach: ReadonlySet<TrafficClass>
  readonly capacityOf: CapacityOf
}

export function learnHeadrooms(
  { classes, behavior }: ScalingPolicy,
  standing: Standing,
  observation: Observation,
  state: State,
): Headrooms {
  if (behavior.learn.headroom === 'off') return new Map()
  return new Map(
    classes
      .filter(({ serviceLevel }) => serviceLevel.kind === 'interactive')
      .map((trafficClass) => {
        const kept = keptBy(trafficClass, standing.variants, observation, behavior.attainment)
        const memory = advanceHeadroom(state.classes[trafficClass.id]?.headroom, observation.at, {
          base: behavior.headroom,
          requestsPerSecond:
            standing.demand.get(trafficClass)?.requestsPerSecond ?? missing('noSeries', 'demand'),
          kept,
          load: loadOf(trafficClass, standing, observation),
          coming: comingFor(trafficClass, standing, observation),
          reach: standing.outOfReach.has(trafficClass) ? 'outOfReach' : 'withinReach',
        })
        return [trafficClass, { kept, memory }]
      }),
  )
}

/** How many times as many requests of a class as its bounds allow sizing lets be late, by what was learnt before. */
export function lenienceOf(
  { id }: TrafficClass,
  { behavior }: ScalingPolicy,
  state: State,
  at: number,
): number {
  return behavior.learn.headroom === 'off' ? 1 : lenience(state.classes[id]?.headroom, at)
}

/** Whether replicas for a class start that the scheduler has found room for. */
function comingFor(
  trafficClass: TrafficClass,
  { variants }: Standing,
  observation: Observation,
): 'some' | 'none' {
  const comes = variants.some((variant) => {
    const replicas = observation.variants[variant.id]?.replicas
    if (!serves(variant, trafficClass) || replicas === undefined || isMissing(replicas)) return false
    return replicas.starting > (replicas.unschedulable?.replicas ?? 0)
  })
  return comes ? 'some' : 'none'
}

/** What arrives over what the ready replicas carry, of this class and of those that share variants with it. */
function loadOf(trafficClass: TrafficClass, standing: Standing, observation: Observation): Reading {
  const { variants, demand, capacityOf } = standing
  const mine = variants.filter((variant) => serves(variant, trafficClass))
  let load = 0
  for (const [other, { requestsPerSecond }] of demand) {
    if (!mine.some((variant) => serves(variant, other))) continue
    const carried = { entering: 0, leaving: 0 }
    for (const variant of variants) {
      const replicas = observation.variants[variant.id]?.replicas
      if (replicas === undefined || isMissing(replicas) || replicas.ready === 0) continue
      const rate = replicas.ready * rateOf(capacityOf(other, variant, replicas.ready))
      if (variant.role !== 'decode') carried.entering += rate
      if (variant.role !== 'prefill') carried.leaving += rate
    }
    const carries = Math.min(carried.entering, carried.leaving)
    if (requestsPerSecond > 0 && !(carries > 0)) return missing('noReplicas', 'ready replicas')
    load += requestsPerSecond > 0 ? requestsPerSecond / carries : 0
  }
  return demand.has(trafficClass) ? load : missing('noSeries', 'demand')
}

/** As the decision shows it. */
export function headroomShown(
  trafficClass: TrafficClass,
  { behavior }: ScalingPolicy,
  headrooms: Headrooms,
): Headroom {
  const found = headrooms.get(trafficClass)
  if (found === undefined) {
    const broken = missing('notReported', 'headroom is not learnt')
    return { planned: behavior.headroom, learnt: 0, broken, verdict: 'off' }
  }
  const { kept, memory } = found
  const learnt = learntHeadroom(memory)
  return {
    planned: behavior.headroom + learnt,
    learnt,
    broken: isMissing(kept) ? kept : kept.broken,
    verdict: memory.verdict,
  }
}

/** As the decision shows it. */
export function speedShown(memory: SpeedMemory | undefined): Reading<Speed> {
  if (memory === undefined) return missing('notReported', 'speed is not learnt')
  const { samples, learnt } = memory
  if (learnt === undefined) return missing('idle', `${samples.length} of ${leastSamples} samples`)
  const { ratio, applied, offSince } = learnt
  return { ratio, correction: applied, ...(offSince === undefined ? {} : { offSince }) }
}
