// A latency distribution as weighted pieces, each `shift + gamma`, none longer than `cap`. Feasibility needs only
// its distribution function; a percentile is found by bisection, which lands on a jump where there is one.
import { gammaCdf } from './gamma.ts'

export interface Piece {
  readonly weight: number
  readonly shift: number
  readonly mean: number
  readonly variance: number
  readonly cap: number
}

export type Mixture = readonly Piece[]

/** A value taken with certainty. */
export function atom(weight: number, at: number, cap = Number.POSITIVE_INFINITY): Piece {
  return { weight, shift: at, mean: 0, variance: 0, cap }
}

/** Share of the weight at or below x. */
export function cdf(mixture: Mixture, x: number): number {
  let below = 0
  let total = 0
  for (const { weight, shift, mean, variance, cap } of mixture) {
    total += weight
    if (x >= cap) below += weight
    else if (x >= shift) below += weight * gammaCdf(mean, variance, x - shift)
  }
  return total > 0 ? below / total : 1
}

/** The weight above x, of a mixture that is part of a larger one. */
export function shareAbove(mixture: Mixture, x: number): number {
  return totalWeight(mixture) * (1 - cdf(mixture, x))
}

export function totalWeight(mixture: Mixture): number {
  return mixture.reduce((sum, { weight }) => sum + weight, 0)
}

/** Caps left aside: they cut what a matched gamma adds beyond a full step. */
export function mean(mixture: Mixture): number {
  let sum = 0
  let total = 0
  for (const piece of mixture) {
    sum += piece.weight * (piece.shift + piece.mean)
    total += piece.weight
  }
  return total > 0 ? sum / total : 0
}

/** The smallest x with cdf(x) >= q, to one part in 10^9. */
export function percentile(mixture: Mixture, q: number): number {
  let high = 1
  while (cdf(mixture, high) < q && high < 1e300) high *= 2
  let low = 0
  for (let i = 0; i < 100 && high - low > 1e-9 * high; i++) {
    const middle = (low + high) / 2
    if (cdf(mixture, middle) >= q) high = middle
    else low = middle
  }
  return high
}
