// Does a series grow? The least-squares slope with its standard error, widened where neighbours resemble each other, so that a
// wandering series does not pass for a growing one, nor a growing one for noise.

export interface Slope {
  readonly perUnit: number
  /** Of `perUnit`. */
  readonly standardError: number
  /** Of neighbouring residuals. */
  readonly correlation: number
  readonly mean: number
}

/**
 * Of y over x, evenly spaced. The usual standard error is multiplied by sqrt((1 + r) / (1 - r)), r the lag-1 correlation of
 * the residuals where it is positive: so many fewer are the independent samples.
 */
export function slopeOf(x: readonly number[], y: readonly number[]): Slope {
  const n = x.length
  const [meanX, meanY] = [meanOf(x), meanOf(y)]
  const sxx = sum(x.map((value) => (value - meanX) ** 2))
  const sxy = sum(x.map((value, i) => (value - meanX) * ((y[i] ?? 0) - meanY)))
  const perUnit = sxx === 0 ? 0 : sxy / sxx
  const residuals = x.map((value, i) => (y[i] ?? 0) - meanY - perUnit * (value - meanX))
  const squares = sum(residuals.map((residual) => residual ** 2))
  const lagged = sum(residuals.slice(1).map((residual, i) => residual * (residuals[i] ?? 0)))
  const correlation = squares === 0 ? 0 : Math.min(0.99, Math.max(0, lagged / squares))
  const plain = Math.sqrt(squares / Math.max(1, n - 2) / sxx)
  const standardError = plain * Math.sqrt((1 + correlation) / (1 - correlation))
  return { perUnit, standardError, correlation, mean: meanY }
}

/** Within two standard errors of none, or below. */
export function isFlat({ perUnit, standardError }: Slope): boolean {
  return perUnit <= 2 * standardError
}

function meanOf(values: readonly number[]): number {
  return sum(values) / values.length
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
