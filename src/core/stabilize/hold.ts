// Up at once, down late: the plan is made for the highest demand of the hold window, and longer for a peak that may
// be noise around the present level. It is the demand that is held, not each variant's count: the maxima of counts
// over a window add up to more than any plan ever wanted. Formulas and what they cost: docs/MODEL.md, "Hold".

import { generationSeconds, highestJitter, type NoiseMemory } from './noise.ts'

export interface PeakAt {
  readonly at: number
  readonly requestsPerSecond: number
}

/** A peak within the noise of the present level is planned for this long: what comes every hour is kept ready. */
const noiseHoldSeconds = 3600

/** How far back what is planned for depends on demand: the oldest peak, and the noise by which it was kept. */
export const holdReachSeconds = noiseHoldSeconds + 2 * generationSeconds

/** Of the peaks beyond the hold, one is kept for each so large a step: a long decline stays a short list. */
const olderStep = 0.005

/**
 * The window with the newest value added, falling from its oldest entry to its newest. Kept is what may be planned for:
 * the peaks of the hold, and older ones that may be a jitter of them. What is once let go does not come back, or a peak
 * at the edge of the noise would come and go with it.
 */
export function remember(
  window: readonly PeakAt[],
  requestsPerSecond: number,
  at: number,
  holdSeconds: number,
  noise: NoiseMemory,
): readonly PeakAt[] {
  const higher = window.filter((entry) => entry.at <= at && entry.requestsPerSecond > requestsPerSecond)
  const recent = higher.filter((entry) => entry.at > at - holdSeconds)
  // A class at rest has no noise: what it asked for before is let go with the hold, so that it can go to zero.
  const jitter =
    requestsPerSecond > 0 ? highestJitter(noise, recent[0]?.requestsPerSecond ?? requestsPerSecond) : 0
  const older: PeakAt[] = []
  for (const entry of higher) {
    if (entry.at > at - holdSeconds) break
    if (entry.at <= at - noiseHoldSeconds || entry.requestsPerSecond > jitter) continue
    const before = older.at(-1)?.requestsPerSecond ?? Number.POSITIVE_INFINITY
    if (entry.requestsPerSecond <= before * (1 - olderStep)) older.push(entry)
  }
  return [...older, ...recent, { at, requestsPerSecond }]
}

export interface PlannedPeak extends PeakAt {
  readonly heldAs: 'recent' | 'noise'
  readonly untilSecond: number
}

/** What is planned for: the highest, which is the oldest. */
export function plannedPeak(window: readonly PeakAt[], holdSeconds: number): PlannedPeak {
  const [peak] = window
  const newest = window.at(-1)
  if (peak === undefined || newest === undefined) throw new Error('a window of demand holds the present')
  return peak.at > newest.at - holdSeconds || peak === newest
    ? { ...peak, heldAs: 'recent', untilSecond: peak.at + holdSeconds }
    : { ...peak, heldAs: 'noise', untilSecond: peak.at + noiseHoldSeconds }
}
