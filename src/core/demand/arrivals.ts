// What arrives at one variant's engines: what they finish plus what piles up inside them. Completions alone
// saturate: at overload they equal the capacity, and a plan made from them would find just enough.
import type { VariantSignals } from '../observation.ts'
import { isMissing, type Reading } from '../reading.ts'

/** Requests that wait are to be worked off within this time, on top of what arrives. */
export const drainSeconds = 60

/**
 * Requests per second to size for: completions + d(running + waiting)/dt, never below 0, plus the waiting
 * ones over `drainSeconds`. A variant known to have no replica ready receives nothing; anything else unseen stays
 * missing.
 */
export function arrivals(signals: VariantSignals): Reading {
  if (hasNoneReady(signals)) return 0
  const { completionsPerSecond, inSystemGrowthPerSecond, waiting } = signals
  if (isMissing(completionsPerSecond)) return completionsPerSecond
  if (isMissing(inSystemGrowthPerSecond)) return inSystemGrowthPerSecond
  if (isMissing(waiting)) return waiting
  return Math.max(0, completionsPerSecond + inSystemGrowthPerSecond) + waiting / drainSeconds
}

function hasNoneReady({ replicas }: VariantSignals): boolean {
  return !isMissing(replicas) && replicas.ready === 0
}
