// Longer answers show in how many are being answered before any of them has ended: by which factor are they longer than
// those that were counted, for as many to be there (docs/MODEL.md, "Lengths of what arrives")?
import { eventsPerSecond, type LengthHistogram, mean, spanOf } from '../histogram.ts'
import type { Clock, Cohort } from './answerClock.ts'

/** An estimate in the logarithm: how many times as long, and its standard error. */
export interface Longer {
  readonly log: number
  readonly error: number
}

/** Beyond a factor of two it is something else that is wrong. */
const largest = Math.LN2
const steps = 5
const nudge = 0.05

/** `arrived`: output tokens of what arrives, by what ended. Undefined where too little is known. */
export function longerBy(arrived: LengthHistogram, clock: Clock | undefined): Longer | undefined {
  const livedBy = livedOf(arrived)
  if (clock === undefined || livedBy === undefined) return undefined
  const { running, unsureTokens } = clock
  const cohorts = clock.cohorts.filter(({ requests, most, least }) => requests > 0 && most > least)
  /** Of each cohort, the share that is still answered were all answers exp(log) times as long, and had they got so many tokens more. */
  const sharesLeft = (log: number, further: number): readonly number[] => {
    const factor = Math.exp(log)
    const lived = (tokens: number): number => factor * livedBy(Math.max(0, tokens + further) / factor)
    return cohorts.map(({ most, least }) => Math.min(1, (lived(most) - lived(least)) / (most - least)))
  }
  const expected = (log: number, further = 0): number =>
    sharesLeft(log, further).reduce((sum, share, i) => sum + share * (cohorts[i] as Cohort).requests, 0)
  let [low, high] = [-largest, largest]
  let [under, over] = [expected(low) - running, expected(high) - running]
  if (!(under < over)) return undefined
  // Regula falsi, and a halving where it is stuck to one end: what is expected hardly bends.
  for (let i = 0; i < steps && under < 0 && over > 0; i++) {
    const at = low - ((high - low) * under) / (over - under)
    const middle = i % 2 === 0 ? at : (at + (low + high) / 2) / 2
    const off = expected(middle) - running
    if (off < 0) [low, under] = [middle, off]
    else [high, over] = [middle, off]
  }
  const log = under >= 0 ? low : over <= 0 ? high : low - ((high - low) * under) / (over - under)
  const slope = (expected(log + nudge) - expected(log - nudge)) / (2 * nudge)
  const byClock = (expected(log, -unsureTokens) - expected(log, unsureTokens)) / 2
  const variance = sharesLeft(log, 0).reduce(
    (sum, share, i) => sum + (cohorts[i] as Cohort).requests * share * (1 - share),
    byClock ** 2,
  )
  const error = Math.sqrt(variance) / slope
  return slope > 0 && error > 0 && Number.isFinite(error) ? { log, error } : undefined
}

/**
 * Mean of min(length, tokens), by tokens: the integral of the share that is longer, lengths evenly inside their bucket and all
 * scaled to the histogram's mean.
 */
function livedOf(arrived: LengthHistogram): ((tokens: number) => number) | undefined {
  const [events, tokens] = [eventsPerSecond(arrived), mean(arrived)]
  if (tokens === undefined || !(tokens > 0)) return undefined
  const buckets = arrived.perSecond.flatMap((rate, bucket) =>
    rate > 0 ? [{ share: rate / events, ...spanOf(arrived, bucket) }] : [],
  )
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
