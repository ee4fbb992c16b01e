// How far a law is from what was measured: each sample predicted from its load alone, errors relative.
import { applied, decodeCounts, prefillCounts } from './equations.ts'
import { quantile } from './leastSquares.ts'
import { decodeSteps, gapOf, type LawCoefficients, type Sample, ttftOf } from './measurement.ts'
import { runLatency } from './runLatency.ts'

/** `saturation` is the time per output token of a burst: by how much it is off, the saturation rate is. */
export type FittedMetric = 'itl' | 'ttft' | 'e2e' | 'saturation'

export interface FittedPoint {
  readonly sample: Sample
  readonly metric: FittedMetric
  readonly measuredMs: number
  /** Infinite where the law says that the load cannot be carried. */
  readonly predictedMs: number
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
    case 'run': {
      const { run } = sample
      const latency = runLatency(law, run)
      const of = (ms: (stable: { gapMs: number; ttftMs: number }) => number): number =>
        latency.kind === 'stable' ? ms(latency) : Number.POSITIVE_INFINITY
      const gap = gapOf(run)
      if (run.load.kind === 'burst')
        return point(
          sample,
          'saturation',
          gap,
          of(({ gapMs }) => gapMs),
        )
      const ttft = ttftOf(run)
      const whole = of(({ gapMs, ttftMs }) => ttftMs + decodeSteps(run) * gapMs)
      return [
        ...point(
          sample,
          'itl',
          gap,
          of(({ gapMs }) => gapMs),
        ),
        ...point(
          sample,
          'ttft',
          ttft,
          of(({ ttftMs }) => ttftMs),
        ),
        ...(gap === undefined ? point(sample, 'e2e', run.e2eMs, whole) : []),
      ]
    }
  }
}

export function summary(points: readonly FittedPoint[]): ErrorSummary {
  const of = (metric: FittedMetric): readonly FittedPoint[] => points.filter((each) => each.metric === metric)
  const ttft = of('ttft')
  const gap = [of('itl'), of('e2e'), ttft].find(({ length }) => length > 0) ?? []
  return { gap: missesOf(gap), ttft: missesOf(ttft), saturation: missesOf(of('saturation')) }
}

/** Relative error, signed; infinite where the law cannot carry the load. */
export function errorOf({ measuredMs, predictedMs }: FittedPoint): number {
  return predictedMs / measuredMs - 1
}

function missesOf(points: readonly FittedPoint[]): Misses {
  const misses = points.map((each) => Math.abs(errorOf(each)))
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
