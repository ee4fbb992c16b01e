// One variant as a peer's rule reads it from the metrics: sums over its replicas. Series that are not there count as 0,
// as KEDA's Prometheus trigger has it unless told otherwise (`ignoreNullValues: true`), and with no replica there is
// nothing to read.

import { arrivals } from '../../core/demand/arrivals.ts'
import { eventsPerSecond, type Histogram, mean } from '../../core/histogram.ts'
import type { Observation, ReplicaCounts, VariantSignals } from '../../core/observation.ts'
import type { ScalingPolicy, Variant } from '../../core/policy.ts'
import { isMissing, type Reading } from '../../core/reading.ts'
import { limitsOf } from '../../core/sizing.ts'

export interface Fleet {
  readonly replicas: ReplicaCounts
  readonly running: number
  readonly waiting: number
  /** Of all ready replicas together. */
  readonly kvTokensInUse: number
  /** 0..1, mean over replicas. */
  readonly kvUsage: number
  readonly kvTokensPerReplica: number
}

const none: ReplicaCounts = { desired: 0, ready: 0, starting: 0, terminating: 0 }

export function fleetOf(variant: Variant, observation: Observation): Fleet {
  const signals = observation.variants[variant.id]
  const counts = signals === undefined || isMissing(signals.replicas) ? none : signals.replicas
  const { kvTokens } = limitsOf(variant, observation)
  const kvUsage = orZero(signals?.kvUsage)
  return {
    replicas: counts,
    running: orZero(signals?.running),
    waiting: orZero(signals?.waiting),
    kvTokensInUse: kvUsage * kvTokens * counts.ready,
    kvUsage,
    kvTokensPerReplica: kvTokens,
  }
}

function orZero(reading: Reading | undefined): number {
  return reading === undefined || isMissing(reading) ? 0 : reading
}

/** Mean tokens per request, over the variants that report any; undefined where none does. */
export interface MeanLengths {
  readonly promptTokens: number
  readonly outputTokens: number
}

/** A decode engine counts transferred prompts as its own, and a prefill engine emits one token per request. */
export function meanLengths(policy: ScalingPolicy, observation: Observation): MeanLengths | undefined {
  const of = (
    variants: readonly Variant[],
    histogram: (signals: VariantSignals) => Reading<Histogram>,
  ): number | undefined => {
    let weight = 0
    let tokens = 0
    for (const { id } of variants) {
      const signals = observation.variants[id]
      if (signals === undefined) continue
      const observed = histogram(signals)
      if (isMissing(observed)) continue
      const rate = eventsPerSecond(observed)
      weight += rate
      tokens += rate * (mean(observed) ?? 0)
    }
    return weight > 0 ? tokens / weight : undefined
  }
  const promptTokens = of(
    policy.variants.filter(({ role }) => role !== 'decode'),
    (signals) => signals.promptTokens,
  )
  const outputTokens = of(
    policy.variants.filter(({ role }) => role !== 'prefill'),
    (signals) => signals.outputTokens,
  )
  return promptTokens === undefined || outputTokens === undefined ? undefined : { promptTokens, outputTokens }
}

/** Requests per second that reach the policy: as a gateway counts them where it is asked, else as the engines do. */
export function requestsPerSecond(policy: ScalingPolicy, observation: Observation): number {
  const counted = policy.classes.flatMap(({ id }) => {
    const reading = observation.classes[id]?.requestsPerSecond
    return reading === undefined || isMissing(reading) ? [] : [reading]
  })
  if (counted.length === policy.classes.length) return counted.reduce((sum, rate) => sum + rate, 0)
  return policy.variants
    .filter(({ role }) => role !== 'decode')
    .reduce((sum, { id }) => {
      const signals = observation.variants[id]
      return sum + (signals === undefined ? 0 : orZero(withoutBacklog(signals)))
    }, 0)
}

/** Arrivals without what our own demand adds for requests that wait. */
function withoutBacklog(signals: VariantSignals): Reading {
  return arrivals({ ...signals, waiting: 0 })
}
