// Lengths are read from requests as they end, and long ones end late: while ever more arrive, those that end are the short
// ones of many, and where engines become faster, long ones end all at once. What ended is held against how many had begun
// when it did, so that lengths are those of what arrives (docs/MODEL.md, "Lengths of what arrives").
import { eventsPerSecond, type LengthHistogram, spanOf } from '../histogram.ts'
import type { Clock } from './answerClock.ts'

/** Requests of a length are taken to have come at no less than this part of what was usual. */
const leastShare = 0.2

/** Of output tokens. As it is where nothing is known of what was answered. */
export function asArrived(histogram: LengthHistogram, clock: Clock | undefined): LengthHistogram {
  const { perSecond, seconds, lately } = histogram
  if (clock === undefined || seconds === undefined) return histogram
  const tokens = meansOf(histogram)
  const begun = begunWith(clock, seconds, tokens, perSecond)
  const arrived = perSecond.map((rate, bucket) => rate / (begun[bucket] as number))
  const [endedMean, arrivedMean] = [meanOf(perSecond, tokens), meanOf(arrived, tokens)]
  if (!(endedMean > 0 && arrivedMean > 0)) return histogram
  const kept = eventsPerSecond(histogram) / sum(arrived)
  const corrected = {
    ...histogram,
    perSecond: arrived.map((rate) => rate * kept),
    sumPerSecond: histogram.sumPerSecond * (arrivedMean / endedMean),
  }
  if (lately === undefined) return corrected
  const factorBy = (further: number): number => {
    const begunLately = begunWith(clock, lately.seconds, tokens, perSecond, further)
    return (
      arrivedMean /
      meanOf(
        arrived.map((rate, bucket) => rate * (begunLately[bucket] as number)),
        tokens,
      )
    )
  }
  const unsure = Math.abs(Math.log(factorBy(clock.unsureTokens) / factorBy(-clock.unsureTokens))) / 2
  const sumPerSecond = lately.sumPerSecond * factorBy(0)
  return { ...corrected, lately: { ...lately, sumPerSecond, unsure } }
}

/**
 * Requests that began when those of so many tokens did that ended within the window; of those that ended, the usual is 1. `further`:
 * tokens that each had got more by now.
 */
function begunWith(
  { at, began, begun: begunBy }: Clock,
  windowSeconds: number,
  tokens: readonly number[],
  ended: readonly number[],
  further = 0,
): readonly number[] {
  const begun = tokens.map((count) => {
    const [first, last] = [began(at - windowSeconds, count - further), began(at, count - further)]
    return Math.max(0, begunBy(last) - begunBy(first))
  })
  const usual = meanOf(ended, begun)
  return begun.map((requests) => (usual > 0 ? Math.max(leastShare, requests / usual) : 1))
}

/** Tokens, by bucket: the same part of the way from its lower edge to its upper one, so that they add up to what was counted. */
function meansOf(histogram: LengthHistogram): readonly number[] {
  const { perSecond, sumPerSecond } = histogram
  const spans = perSecond.map((rate, bucket) => ({ rate, ...spanOf(histogram, bucket) }))
  const most = sum(spans.map(({ rate, lower, upper }) => rate * (upper - lower)))
  const least = sum(spans.map(({ rate, lower }) => rate * lower))
  const part = most > 0 ? Math.min(1, Math.max(0, (sumPerSecond - least) / most)) : 1
  return spans.map(({ lower, upper }) => lower + part * (upper - lower))
}

function meanOf(weights: readonly number[], values: readonly number[]): number {
  return weights.reduce((total, weight, i) => total + weight * (values[i] as number), 0) / sum(weights)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
