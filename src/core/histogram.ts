// A histogram as rates per bucket: what `sum by (le) (rate(x_bucket[w]))` says, made non-cumulative.
// Quantiles interpolate linearly inside a bucket, as PromQL's histogram_quantile does, so that a number
// here and one in a Grafana panel agree.

export interface Histogram {
  /** Finite upper edges, ascending. */
  readonly upperBounds: readonly number[]
  /** Events per second in each bucket; one longer than `upperBounds`, the last being +Inf. */
  readonly perSecond: readonly number[]
  /** Sum of the observed values, per second: `rate(x_sum[w])`. */
  readonly sumPerSecond: number
}

/** A histogram over several minutes, and what came in the last of them. What is absent was not asked for by the version that recorded it. */
export interface LengthHistogram extends Histogram {
  /** What it was counted over. */
  readonly seconds?: number
  readonly lately?: Lately
}

export interface Lately {
  readonly seconds: number
  readonly eventsPerSecond: number
  readonly sumPerSecond: number
  /** Relative error of the mean, beside what chance makes of so many; absent where there is none. */
  readonly unsure?: number
}

export function eventsPerSecond(histogram: Histogram): number {
  return histogram.perSecond.reduce((total, rate) => total + rate, 0)
}

/** The edges of a bucket; the last one, which has no upper edge, is taken to end at twice its lower one. */
export function spanOf(
  { upperBounds }: Pick<Histogram, 'upperBounds'>,
  bucket: number,
): { readonly lower: number; readonly upper: number } {
  const lower = upperBounds[bucket - 1] ?? 0
  return { lower, upper: upperBounds[bucket] ?? 2 * lower }
}

/** Mean of the observed values, or undefined where nothing was observed. */
export function mean(histogram: Histogram): number | undefined {
  const events = eventsPerSecond(histogram)
  return events > 0 ? histogram.sumPerSecond / events : undefined
}

/** About the mean, each event taken at the middle of its bucket; undefined where nothing was observed. */
export function variance(histogram: Histogram): number | undefined {
  const average = mean(histogram)
  if (average === undefined) return undefined
  let sum = 0
  let lower = 0
  histogram.perSecond.forEach((rate, i) => {
    const upper = histogram.upperBounds[i] ?? lower
    sum += rate * ((lower + upper) / 2 - average) ** 2
    lower = upper
  })
  return sum / eventsPerSecond(histogram)
}

/** The q-quantile (0..1), or undefined where nothing was observed. In the +Inf bucket: the last finite edge. */
export function quantile(histogram: Histogram, q: number): number | undefined {
  const events = eventsPerSecond(histogram)
  if (!(events > 0)) return undefined
  const rank = q * events
  let below = 0
  let lower = 0
  for (let i = 0; i < histogram.upperBounds.length; i++) {
    const upper = histogram.upperBounds[i] ?? 0
    const inBucket = histogram.perSecond[i] ?? 0
    if (below + inBucket >= rank && inBucket > 0) return lower + (upper - lower) * ((rank - below) / inBucket)
    below += inBucket
    lower = upper
  }
  return lower
}

/** Share of events at or below `value`, linear inside a bucket; undefined where nothing was observed. */
export function shareWithin(histogram: Histogram, value: number): number | undefined {
  const events = eventsPerSecond(histogram)
  if (!(events > 0)) return undefined
  let below = 0
  let lower = 0
  for (let i = 0; i < histogram.upperBounds.length; i++) {
    const upper = histogram.upperBounds[i] ?? 0
    const inBucket = histogram.perSecond[i] ?? 0
    if (value < upper) return (below + inBucket * Math.max(0, (value - lower) / (upper - lower))) / events
    below += inBucket
    lower = upper
  }
  return below / events
}
