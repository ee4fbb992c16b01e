// The share of requests (TTFT) and of tokens (ITL) within a class's bounds, as the engines' own histograms say.
// Exact where the bound lies on a bucket's edge, interpolated otherwise.
import { eventsPerSecond, type Histogram, shareWithin } from './histogram.ts'
import type { Observation, VariantSignals } from './observation.ts'
import { type LatencyBound, type ScalingPolicy, serves, type TrafficClass } from './policy.ts'
import { isMissing, missing, type Reading } from './reading.ts'

export interface Attainment {
  readonly ttft: Reading
  readonly itl: Reading
}

export function attainment(
  trafficClass: TrafficClass,
  policy: ScalingPolicy,
  observation: Observation,
): Attainment {
  const level = trafficClass.serviceLevel
  if (level.kind !== 'interactive') return { ttft: notStated, itl: notStated }
  const serving = policy.variants.filter((variant) => serves(variant, trafficClass))
  const signalsOf = (left: 'prefill' | 'decode'): readonly VariantSignals[] =>
    serving.filter(({ role }) => role !== left).flatMap(({ id }) => observation.variants[id] ?? [])
  return {
    ttft: within(
      level.ttft,
      signalsOf('decode').map((signals) => signals.ttft),
    ),
    itl: within(
      level.itl,
      signalsOf('prefill').map((signals) => signals.itl),
    ),
  }
}

const notStated = missing('notReported', 'no such bound in the policy')

function within(bound: LatencyBound | undefined, readings: readonly Reading<Histogram>[]): Reading {
  if (bound === undefined) return notStated
  let events = 0
  let good = 0
  for (const reading of readings) {
    if (isMissing(reading)) continue
    const rate = eventsPerSecond(reading)
    events += rate
    good += rate * (shareWithin(reading, bound.seconds) ?? 0)
  }
  return events > 0 ? good / events : missing('idle')
}
