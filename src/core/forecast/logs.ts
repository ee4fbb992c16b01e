// The forecast works on y = ln(1 + requests per second): ratios above one request per second, differences below it,
// and a logarithm of no demand at all.

export function logOf(requestsPerSecond: number): number {
  return Math.log1p(Math.max(0, requestsPerSecond))
}

/** Demand once its logarithm has changed by so much: exactly as it was after no change. */
export function changed(requestsPerSecond: number, change: number): number {
  return Math.max(0, requestsPerSecond + (1 + requestsPerSecond) * Math.expm1(change))
}

/** To a hundredth of a percent: state is copied and written down at every tick. */
export function rounded(y: number): number {
  return Math.round(y * 1e4) / 1e4
}

export function within(most: number, change: number): number {
  return Math.max(-most, Math.min(most, change))
}
