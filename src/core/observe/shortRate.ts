// Rates over seconds, for burstiness: a sixth of the rate window where the scrape interval allows it (10 s of 60 s), else
// half of it. A rate over a window that holds k samples is one over (k - 1)/k of the window; so samples are counted too.
import type { ShortRate } from '../observation.ts'
import { isMissing, missing, type Reading } from '../reading.ts'
import type { Part, SeriesRead } from './series.ts'

const windows = [
  { rate: 'fineRate', samples: 'fineSamples', part: 1 / 6 },
  { rate: 'coarseRate', samples: 'coarseSamples', part: 1 / 2 },
] as const

export type ShortPart = (typeof windows)[number]['rate' | 'samples']

export function shortParts(
  rateWindowSeconds: number,
  part: (name: ShortPart, read: (metrics: readonly string[]) => SeriesRead) => Part,
): readonly Part[] {
  return windows.flatMap(({ rate, samples, part: share }) => {
    const windowSeconds = Math.round(rateWindowSeconds * share)
    const counted = part(samples, (metrics) => ({ kind: 'samples', metrics, windowSeconds }))
    return [
      part(rate, (metrics) => ({ kind: 'rate', metrics, windowSeconds })),
      { ...counted, aggregate: 'max' as const },
    ]
  })
}

/** `sum` and `most` of a part's rows; missing where even the longer window holds too few samples. */
export function shortRate(
  rateWindowSeconds: number,
  sum: (part: ShortPart) => Reading,
  most: (part: ShortPart) => Reading,
): Reading<ShortRate> {
  let why = missing('noSeries', 'arrivals over seconds: too few samples')
  for (const { rate, samples, part } of windows) {
    const requestsPerSecond = sum(rate)
    const count = most(samples)
    if (isMissing(requestsPerSecond)) why = requestsPerSecond
    if (isMissing(requestsPerSecond) || isMissing(count) || count < 2) continue
    const seconds = Math.round(rateWindowSeconds * part) * ((count - 1) / count)
    return { requestsPerSecond, seconds }
  }
  return why
}
