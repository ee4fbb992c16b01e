// PromQL's functions over the samples of one series within a window: rate() with counter resets and
// extrapolation (prometheus/promql, extrapolatedRate), deriv() by least squares.

export interface Sample {
  /** Seconds. */
  readonly at: number
  readonly value: number
}

/**
 * Increase per second of a counter between `from` and `to`. What lies between the window's ends and the first
 * and last sample is extrapolated, by at most half a sampling interval where the series seems to begin or
 * end inside the window, and never to before the counter was zero.
 */
export function rate(samples: readonly Sample[], from: number, to: number): number | undefined {
  const first = samples[0]
  const last = samples.at(-1)
  if (first === undefined || last === undefined || samples.length < 2 || last.at <= first.at) return undefined
  let increase = last.value - first.value
  let previous = first.value
  for (const { value } of samples) {
    if (value < previous) increase += previous
    previous = value
  }
  return extrapolated(
    { increase, firstValue: first.value, firstAt: first.at, lastAt: last.at, samples: samples.length },
    from,
    to,
  )
}

/** What a window's samples come down to: at least two, over some time; counter resets are in `increase`. */
export interface Increase {
  readonly increase: number
  readonly firstValue: number
  readonly firstAt: number
  readonly lastAt: number
  readonly samples: number
}

export function extrapolated(seen: Increase, from: number, to: number): number {
  const { increase, firstValue, firstAt, lastAt, samples } = seen
  const sampled = lastAt - firstAt
  const interval = sampled / (samples - 1)
  let before = firstAt - from
  const after = to - lastAt
  if (increase > 0 && firstValue >= 0) before = Math.min(before, sampled * (firstValue / increase))
  const reach = (gap: number) => (gap < interval * 1.1 ? gap : interval / 2)
  return (increase * (sampled + reach(before) + reach(after))) / sampled / (to - from)
}

/** Slope per second of the least-squares line. */
export function slope(samples: readonly Sample[]): number | undefined {
  const first = samples[0]
  if (first === undefined || samples.length < 2) return undefined
  const count = samples.length
  const meanAt = samples.reduce((sum, { at }) => sum + (at - first.at), 0) / count
  const meanValue = samples.reduce((sum, { value }) => sum + value, 0) / count
  let covariance = 0
  let variance = 0
  for (const { at, value } of samples) {
    covariance += (at - first.at - meanAt) * (value - meanValue)
    variance += (at - first.at - meanAt) ** 2
  }
  return variance > 0 ? covariance / variance : undefined
}
