// Request lengths as a few weighted points, from a histogram or from a mean alone. Points are finer in the tail,
// where the percentiles of an SLO are decided: equal parts up to the 90th percentile, then the 95th, 99th and 100th.
import { eventsPerSecond, type Histogram, mean } from '../histogram.ts'
import { type Knot, lengthCurve } from './lengthCurve.ts'
import type { LengthBin } from './question.ts'

/**
 * Points of a histogram that has events, along a smooth curve through its buckets, then scaled so that their mean is the
 * histogram's own (its sum is exact, its buckets are coarse). Events beyond the last edge count as at that edge.
 */
export function lengthBins(histogram: Histogram, count: number): readonly LengthBin[] {
  return binsAlong(curveOf(histogram), histogram, count)
}

function curveOf(histogram: Histogram): readonly Knot[] {
  const events = eventsPerSecond(histogram)
  if (!(events > 0)) throw new RangeError(`lengths need a histogram with events: got ${events} per second`)
  return lengthCurve(histogram, events)
}

function binsAlong(curve: readonly Knot[], histogram: Histogram, count: number): readonly LengthBin[] {
  const edges = edgesOf(count)
  const below = partialMeans(curve, edges)
  const bins = parts(edges).map(({ from, to }, i) => ({
    tokens: ((below[i + 1] ?? 0) - (below[i] ?? 0)) / (to - from),
    weight: to - from,
  }))
  const observed = mean(histogram) ?? 0
  const read = below.at(-1) ?? 0
  const scale = read > 0 && observed > 0 ? observed / read : 1
  return bins.map(({ tokens, weight }) => ({ tokens: Math.max(1, tokens * scale), weight }))
}

/**
 * Points for lengths to come, of which `requests` are in the histogram: as long as those seen, and by the standard error
 * `sd / sqrt(requests)` of their mean longer, since a few say little of the many (docs/MODEL.md, "Lengths to come").
 */
export function lengthsToCome(histogram: Histogram, count: number, requests: number): readonly LengthBin[] {
  const curve = curveOf(histogram)
  const { mean, standardDeviation } = momentsOf(curve)
  const longer = mean > 0 ? 1 + standardDeviation / mean / Math.sqrt(requests) : 1
  return binsAlong(curve, histogram, count).map(({ tokens, weight }) => ({ tokens: tokens * longer, weight }))
}

/**
 * Points for lengths of which only the mean is known: one token and an exponential rest. On known workloads that
 * sized 84 % of cases within 10 %, a lognormal with the true spread 85 % (modelling notes, "inputs needed").
 */
export function assumedLengths(meanTokens: number, count = 12): readonly LengthBin[] {
  const rest = Math.max(0, meanTokens - 1)
  // Partial mean of the unit exponential below its quantile u: 1 - (1 - u)(1 - log(1 - u)).
  const below = (u: number): number => u + (u < 1 ? (1 - u) * Math.log(1 - u) : 0)
  return parts(edgesOf(count)).map(({ from, to }) => ({
    tokens: 1 + (rest * (below(to) - below(from))) / (to - from),
    weight: to - from,
  }))
}

/** Quantiles between which the points lie, from 0 to 1. */
function edgesOf(count: number): readonly number[] {
  const body = Math.max(1, count - 3)
  return [...Array.from({ length: body + 1 }, (_, i) => (0.9 * i) / body), 0.95, 0.99, 1]
}

interface Part {
  readonly from: number
  readonly to: number
}

function parts(edges: readonly number[]): readonly Part[] {
  return edges.slice(1).map((to, i) => ({ from: edges[i] ?? 0, to }))
}

/** E[X; X below its u-quantile] for every u of `edges`, which rise: straight between knots that are close. */
function partialMeans(knots: readonly Knot[], edges: readonly number[]): readonly number[] {
  let i = 1
  let sum = 0
  return edges.map((u) => {
    for (; (knots[i]?.share ?? 2) <= u; i++) sum += pieceBelow(u, knots[i - 1], knots[i])
    return sum + pieceBelow(u, knots[i - 1], knots[i])
  })
}

/** Straight between knots. */
function momentsOf(knots: readonly Knot[]): { readonly mean: number; readonly standardDeviation: number } {
  let [mean, square] = [0, 0]
  for (const [i, to] of knots.entries()) {
    const from = knots[i - 1]
    if (from === undefined) continue
    const weight = to.share - from.share
    mean += (weight * (from.tokens + to.tokens)) / 2
    square += (weight * (from.tokens ** 2 + from.tokens * to.tokens + to.tokens ** 2)) / 3
  }
  return { mean, standardDeviation: Math.sqrt(Math.max(0, square - mean ** 2)) }
}

/** The part of it that lies between two knots. */
function pieceBelow(u: number, from: Knot | undefined, to: Knot | undefined): number {
  if (from === undefined || to === undefined || to.share <= from.share) return 0
  const taken = Math.min(u, to.share) - from.share
  const within = taken / (to.share - from.share)
  return taken * (from.tokens + ((to.tokens - from.tokens) * within) / 2)
}
