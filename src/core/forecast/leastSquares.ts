// Recursive least squares: a linear forecast that is refitted with each outcome and slowly forgets the old ones.
// One bad outcome moves it little, and its covariance stays bounded however long the inputs say nothing.
import { within } from './logs.ts'

export interface Fit {
  readonly theta: readonly number[]
  /** P, row by row. */
  readonly covariance: readonly number[]
}

/** Of each coefficient, in units of an error's variance of 1: small, so that it takes many outcomes to move far. */
const initialVariance = 2
const largestError = 0.5

export function newFit(size: number): Fit {
  const covariance = new Array<number>(size * size).fill(0)
  for (let i = 0; i < size; i++) covariance[i * size + i] = initialVariance
  return { theta: new Array<number>(size).fill(0), covariance }
}

export function evaluate({ theta }: Fit, x: readonly number[]): number {
  return dot(theta, x)
}

/**
 * g = P x / (forgetting + x'P x); theta += g clip(e - theta'x, +-0.5); P = (P - g x'P) / forgetting, scaled down to a
 * trace of three times the first where it exceeds that.
 */
export function refit({ theta, covariance }: Fit, x: readonly number[], e: number, forgetting: number): Fit {
  const size = x.length
  const px = x.map((_, i) => dot(covariance.slice(i * size, (i + 1) * size), x))
  const gain = px.map((value) => value / (forgetting + dot(x, px)))
  const error = within(largestError, e - dot(theta, x))
  const next = covariance.map(
    (value, index) => (value - (gain[Math.floor(index / size)] ?? 0) * (px[index % size] ?? 0)) / forgetting,
  )
  const trace = next.reduce((sum, value, index) => (index % (size + 1) === 0 ? sum + value : sum), 0)
  const largestTrace = 3 * initialVariance * size
  const scale = trace > largestTrace ? largestTrace / trace : 1
  return {
    theta: theta.map((value, i) => value + (gain[i] ?? 0) * error),
    covariance: scale === 1 ? next : next.map((value) => value * scale),
  }
}

function dot(x: readonly number[], y: readonly number[]): number {
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += (x[i] ?? 0) * (y[i] ?? 0)
  return sum
}
