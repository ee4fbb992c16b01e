// Request lengths as a few weighted points, from a histogram or from a mean alone. Points are finer in the tail,
// where the percentiles of an SLO are decided: equal parts up to the 90th percentile, then the 95th, 99th and 100th.
import { eventsPerSecond, type Histogram, mean } from '../histogram.ts'
import { lengthCurve } from './lengthCurve.ts'
import type { LengthBin } from './question.ts'

/**
 * Points of a histogram that has events, along a smooth curve through its buckets, then scaled so that their mean is the
 * histogram's own (its sum is exact, its buckets are coarse). Events beyond the last edge count as at that edge.
 */
export function lengthBins(histogram: Histogram, count: number): readonly LengthBin[] {
  const events = eventsPerSecond(histogram)
  if (!(events > 0)) throw new RangeError(`lengths need a histogram with events: got ${events} per second`)
  const below = partialMeans(histogram, events)
  const bins = parts(count).map(({ from, to }) => ({
    tokens: (below(to) - below(from)) / (to - from),
    weight: to - from,
  }))
  const observed = mean(histogram) ?? 0
  const read = below(1)
  const scale = read > 0 && observed > 0 ? observed / read : 1
  return bins.map(({ tokens, weight }) => ({ tokens: Math.max(1, tokens * scale), weight }))
}

/**
 * Points for lengths of which only the mean is known: one token and an exponential rest. On known workloads that
 * sized 84 % of cases within 10 %, a lognormal with the true spread 85 % (modelling notes, "inputs needed").
 */
export function assumedLengths(meanTokens: number, count = 12): readonly LengthBin[] {
  const rest = Math.max(0, meanTokens - 1)
  // Partial mean of the unit exponential below its quantile u: 1 - (1 - u)(1 - log(1 - u)).
  const below = (u: number): number => u + (u < 1 ? (1 - u) * Math.log(1 - u) : 0)
  return parts(count).map(({ from, to }) => ({
    tokens: 1 + (rest * (below(to) - below(from))) / (to - from),
    weight: to - from,
  }))
}

interface Part {
  readonly from: number
  readonly to: number
}

function parts(count: number): readonly Part[] {
  const body = Math.max(1, count - 3)
  const edges = [...Array.from({ length: body + 1 }, (_, i) => (0.9 * i) / body), 0.95, 0.99, 1]
  return edges.slice(1).map((to, i) => ({ from: edges[i] ?? 0, to }))
}

/** E[X; X below its u-quantile] as a function of u: straight between knots that are close. */
function partialMeans(histogram: Histogram, events: number): (u: number) => number {
  const knots = lengthCurve(histogram, events)
  return (u) => {
    let sum = 0
    for (const [i, { tokens, share }] of knots.entries()) {
      const before = knots[i - 1]
      if (before === undefined || share <= before.share) continue
      if (before.share >= u) break
      const taken = Math.min(u, share) - before.share
      const within = taken / (share - before.share)
      sum += taken * (before.tokens + ((tokens - before.tokens) * within) / 2)
    }
    return sum
  }
}
