// Longer answers show in how many are being answered before any of them has ended: by which factor are they longer than
// those that were counted, for as many to be there (docs/MODEL.md, "Lengths of what arrives")?
import { eventsPerSecond, type LengthHistogram, mean } from '../histogram.ts'
import { type Answering, clockOf } from './answering.ts'

/** An estimate in the logarithm: how many times as long, and its standard error. */
export interface Longer {
  readonly log: number
  readonly error: number
}

/** Beyond a factor of two it is something else that is wrong. */
const largest = Math.LN2
const halvings = 10
const nudge = 0.05

/** Requests that began one after the other, by the tokens that the first and the last of them have. */
interface Cohort {
  readonly requests: number
  readonly most: number
  readonly least: number
}

/** `arrived`: output tokens of what arrives, by what ended. Undefined where too little is known. */
export function longerBy(arrived: LengthHistogram, readings: readonly Answering[]): Longer | undefined {
  const [cohorts, running] = [cohortsOf(readings), readings.at(-1)?.running]
  const livedBy = livedOf(arrived)
  if (cohorts.length === 0 || running === undefined || livedBy === undefined) return undefined
  /** Of a cohort, the share that is still answered were all answers exp(log) times as long. */
  const shareLeft = ({ most, least }: Cohort, log: number): number => {
    const factor = Math.exp(log)
    return (factor * (livedBy(most / factor) - livedBy(least / factor))) / (most - least)
  }
  const expected = (log: number): number =>
    cohorts.reduce((sum, cohort) => sum + cohort.requests * shareLeft(cohort, log), 0)
  let [low, high] = [-largest, largest]
  for (let i = 0; i < halvings; i++) {
    const middle = (low + high) / 2
    if (expected(middle) < running) low = middle
    else high = middle
  }
  const log = (low + high) / 2
  const slope = (expected(log + nudge) - expected(log - nudge)) / (2 * nudge)
  const variance = cohorts.reduce((sum, cohort) => {
    const left = shareLeft(cohort, log)
    return sum + cohort.requests * left * (1 - left)
  }, 0)
  const error = Math.sqrt(variance) / slope
  return slope > 0 && error > 0 && Number.isFinite(error) ? { log, error } : undefined
}

function cohortsOf(readings: readonly Answering[]): readonly Cohort[] {
  const clock = clockOf(readings)
  if (clock === undefined) return []
  return clock.instants.slice(1).flatMap((to, i): readonly Cohort[] => {
    const from = clock.instants[i] as number
    const requests = clock.begun(to) - clock.begun(from)
    const [most, least] = [clock.tokensSince(from), clock.tokensSince(to)]
    return requests > 0 && most > least ? [{ requests, most, least }] : []
  })
}

/**
 * Mean of min(length, tokens), by tokens: the integral of the share that is longer, lengths evenly inside their bucket and all
 * scaled to the histogram's mean.
 */
function livedOf(arrived: LengthHistogram): ((tokens: number) => number) | undefined {
  const { upperBounds, perSecond } = arrived
  const [events, tokens] = [eventsPerSecond(arrived), mean(arrived)]
  if (tokens === undefined || !(tokens > 0)) return undefined
  const buckets = perSecond.flatMap((rate, i) => {
    const lower = upperBounds[i - 1] ?? 0
    return rate > 0 ? [{ share: rate / events, lower, upper: upperBounds[i] ?? 2 * lower }] : []
  })
  const scale =
    tokens / buckets.reduce((sum, { share, lower, upper }) => sum + (share * (lower + upper)) / 2, 0)
  return (count) => {
    const at = count / scale
    let lived = 0
    for (const { share, lower, upper } of buckets) {
      const inside = Math.min(Math.max(0, at - lower), upper - lower)
      lived += share * (Math.min(at, lower) + inside - inside ** 2 / (2 * (upper - lower)))
    }
    return lived * scale
  }
}
