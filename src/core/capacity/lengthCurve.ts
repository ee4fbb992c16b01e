// Which share of requests is at most how long, between the edges of a histogram as well: a monotone curve through its
// cumulated buckets, over the logarithm of length. Formula and what it is worth: docs/MODEL.md, "Lengths".
import type { Histogram } from '../histogram.ts'

export interface Knot {
  readonly tokens: number
  /** 0..1: of the events, those at most so long. */
  readonly share: number
}

/** Lengths are whole numbers from 1 on: a bucket's edge lies half a token above the longest that it counts. */
const halfToken = 0.5

const stepsPerBucket = 16

/** Knots of the curve, rising. Events beyond the last edge are put there. `events` are those of all buckets. */
export function lengthCurve({ upperBounds, perSecond }: Histogram, events: number): readonly Knot[] {
  const edges = [halfToken, ...upperBounds.map((bound) => bound + halfToken)].map(Math.log)
  const shares = [0]
  for (const i of upperBounds.keys()) shares.push((shares.at(-1) ?? 0) + (perSecond[i] ?? 0) / events)
  const slopes = monotoneSlopes(edges, shares)
  const knots: Knot[] = [{ tokens: halfToken, share: 0 }]
  for (const i of upperBounds.keys()) {
    const [from, to] = [edges[i] ?? 0, edges[i + 1] ?? 0]
    const steps = (perSecond[i] ?? 0) > 0 ? stepsPerBucket : 1
    for (let step = 1; step <= steps; step++) {
      const t = step / steps
      const share = hermite(
        t,
        to - from,
        [shares[i] ?? 0, shares[i + 1] ?? 0],
        [slopes[i] ?? 0, slopes[i + 1] ?? 0],
      )
      knots.push({
        tokens: Math.exp(from + t * (to - from)),
        share: Math.max(knots.at(-1)?.share ?? 0, share),
      })
    }
  }
  return [...knots, { tokens: upperBounds.at(-1) ?? 0, share: 1 }]
}

/**
 * Slopes at the knots with which the cubic through them never falls: 0 at both ends and where a neighbouring piece is level,
 * else the harmonic mean of the two pieces' slopes, weighted by their widths (Fritsch and Butland, SIAM J. Sci. Stat.
 * Comput. 1984).
 */
function monotoneSlopes(xs: readonly number[], ys: readonly number[]): readonly number[] {
  return xs.map((x, i) => {
    const [before, after] = [xs[i - 1], xs[i + 1]]
    if (before === undefined || after === undefined) return 0
    const [left, right] = [x - before, after - x]
    const [falling, rising] = [
      ((ys[i] ?? 0) - (ys[i - 1] ?? 0)) / left,
      ((ys[i + 1] ?? 0) - (ys[i] ?? 0)) / right,
    ]
    if (!(falling * rising > 0)) return 0
    const [w1, w2] = [2 * right + left, right + 2 * left]
    return (w1 + w2) / (w1 / falling + w2 / rising)
  })
}

/** The cubic over a piece of the given width, `t` of the way. */
function hermite(
  t: number,
  width: number,
  [y0, y1]: readonly [number, number],
  [m0, m1]: readonly [number, number],
): number {
  const rest = 1 - t
  const blend = t * t * (3 - 2 * t)
  return y0 + (y1 - y0) * blend + width * t * rest * (m0 * rest - m1 * t)
}
