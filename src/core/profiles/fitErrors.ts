// How far a law is from what was measured: each sample predicted from its load alone, errors relative.
import { applied, decodeCounts, prefillCounts } from './equations.ts'
import { quantile } from './leastSquares.ts'
import { decodeSteps, gapOf, type LawCoefficients, type Run, type Sample, ttftOf } from './measurement.ts'
import { runLatency } from './runLatency.ts'

/** `saturation` is the time per output token of a burst: by how much it is off, the saturation rate is. */
export type FittedMetric = 'itl' | 'ttft' | 'e2e' | 'saturation'

export interface FittedPoint {
  readonly sample: Sample
  readonly metric: FittedMetric
  readonly measuredMs: number
  /** Infinite where the law says that the load cannot be carried. */
  readonly predictedMs: number
  /** Of a rate: by how much the rate is off at which the law gives the measured time; infinite where none does. */
  readonly rateError?: number
}

export interface Misses {
  /** Shares: 0.05 is 5 %. */
  readonly median: number
  readonly p90: number
  readonly misses: readonly number[]
  readonly worst?: FittedPoint
}

export interface ErrorSummary {
  /** Time per output token; of whole requests or of TTFT where nothing else was measured. */
  readonly gap: Misses
  readonly ttft: Misses
  readonly saturation: Misses
}

export interface HeldOut extends ErrorSummary {
  readonly leftOut: 'shape' | 'load' | 'point'
}

export function errorsOf(sample: Sample, law: LawCoefficients): readonly FittedPoint[] {
  const kappa = law.mixtureOfExperts?.kappa ?? 0
  switch (sample.kind) {
    case 'decode': {
      const predictedMs = applied(law, decodeCounts(sample.point, kappa))
      return [{ sample, metric: 'itl', measuredMs: sample.point.itlMs, predictedMs }]
    }
    case 'prefill': {
      const predictedMs = applied(law, prefillCounts(sample.point, kappa))
      return [{ sample, metric: 'ttft', measuredMs: sample.point.ttftMs, predictedMs }]
    }
    case 'run':
      return runErrors(sample, sample.run, law)
  }
}

function runErrors(sample: Sample, run: Run, law: LawCoefficients): readonly FittedPoint[] {
  const latency = runLatency(law, run)
  const [gapMs, ttftMs] =
    latency.kind === 'stable'
      ? [latency.gapMs, latency.ttftMs]
      : [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  const gap = gapOf(run)
  if (run.load.kind === 'burst') return point(sample, 'saturation', gap, gapMs)
  const far = run.load.kind === 'rate' && gap !== undefined && Math.abs(gapMs / gap - 1) > nearEnough
  const rateError = far ? rateErrorOf(law, run, gap) : undefined
  return [
    ...point(sample, 'itl', gap, gapMs).map((each) =>
      rateError === undefined ? each : { ...each, rateError },
    ),
    ...point(sample, 'ttft', ttftOf(run), ttftMs),
    ...(gap === undefined ? point(sample, 'e2e', run.e2eMs, ttftMs + decodeSteps(run) * gapMs) : []),
  ]
}

export function summary(points: readonly FittedPoint[]): ErrorSummary {
  const of = (metric: FittedMetric): readonly FittedPoint[] => points.filter((each) => each.metric === metric)
  const ttft = of('ttft')
  const gap = [of('itl'), of('e2e'), ttft].find(({ length }) => length > 0) ?? []
  return { gap: missesOf(gap), ttft: missesOf(ttft), saturation: missesOf(of('saturation')) }
}

/** Relative error of the time, signed; infinite where the law cannot carry the load. */
export function errorOf({ measuredMs, predictedMs }: FittedPoint): number {
  return predictedMs / measuredMs - 1
}

/**
 * How far a point is from the law's curve: in time at its rate, or in rate at its time, whichever is nearer. Near
 * saturation one percent of rate is ten of time, and what is planned with is the rate within a time.
 */
function missOf(point: FittedPoint): number {
  return Math.min(Math.abs(errorOf(point)), Math.abs(point.rateError ?? Number.POSITIVE_INFINITY))
}

function missesOf(points: readonly FittedPoint[]): Misses {
  const misses = points.map(missOf)
  const most = Math.max(...misses)
  const worst = points[misses.indexOf(most)]
  return {
    median: quantile(misses, 0.5),
    p90: quantile(misses, 0.9),
    misses,
    ...(worst === undefined ? {} : { worst }),
  }
}

function point(
  sample: Sample,
  metric: FittedMetric,
  measuredMs: number | undefined,
  predictedMs: number,
): readonly FittedPoint[] {
  return measuredMs === undefined ? [] : [{ sample, metric, measuredMs, predictedMs }]
}

/** In time: the rate need not be looked for. */
const nearEnough = 0.02
const halvings = 12

/** The rate at which the law gives this gap, over the run's own, less 1; infinite where no rate is low enough. */
function rateErrorOf(law: LawCoefficients, run: Run, gapMs: number): number {
  const exceeds = (share: number): boolean => {
    const latency = runLatency(law, atShare(run, share))
    return latency.kind === 'saturated' || latency.gapMs > gapMs
  }
  if (exceeds(0.01)) return Number.POSITIVE_INFINITY
  let [low, high] = exceeds(1) ? [0.01, 1] : [1, 4]
  for (let i = 0; i < halvings; i++) {
    const middle = (low + high) / 2
    if (exceeds(middle)) high = middle
    else low = middle
  }
  return low - 1
}

function atShare(run: Run, share: number): Run {
  const { load, achievedPerSecond } = run
  if (load.kind !== 'rate') return run
  return {
    ...run,
    load: { ...load, requestsPerSecond: share * load.requestsPerSecond },
    ...(achievedPerSecond === undefined ? {} : { achievedPerSecond: share * achievedPerSecond }),
  }
}
