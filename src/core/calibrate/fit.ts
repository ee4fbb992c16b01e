// The correction that explains a window of samples best: two factors by a robust regression that is drawn to the
// profile, and the overhead of a first token. Formulas: docs/MODEL.md, "Calibration".
import type { Measured, SpeedSample } from './sample.ts'

/** What the samples say, unbounded and unrounded. */
export interface SpeedFit {
  readonly base: number
  readonly slopes: number
  /** Milliseconds by which first tokens come later than the corrected law says, beyond what it errs by; at least 0. */
  readonly overheadMs: number
  /** Measured time over predicted at the samples' typical load: what people call slower or faster. */
  readonly ratio: number
}

/** The profile counts as so many samples against the common factor. */
const priorSamples = 1

/** Relative error of the law, and how far base and slopes are expected to part. */
const lawError = 0.03
const tiltDeviation = 0.06

/** Residuals beyond so many deviations count nothing (Tukey's biweight, 95 % as good as least squares on normal errors). */
const tukey = 4.685
const leastScale = 0.02
const rounds = 8

/** The mean TTFT of a busy engine is up to so many times what the law says: only what exceeds that is an overhead. */
const ttftTolerance = 1.4

/** `samples` is not empty. */
export function fitSpeed(samples: readonly SpeedSample[]): SpeedFit {
  const points = samples.map(({ gap }) => pointOf(gap))
  let factors = { ratio: median(points.map(({ y }) => y)), tilt: 0, centre: median(points.map(({ u }) => u)) }
  for (let round = 0; round < rounds; round++) {
    const residuals = points.map(({ u, y }) => y - factors.ratio - factors.tilt * (u - factors.centre))
    const scale = Math.max(leastScale, 1.4826 * median(residuals.map(Math.abs)))
    factors = weightedFit(
      points,
      residuals.map((residual) => biweight(residual / (tukey * scale))),
    )
  }
  const { ratio, tilt, centre } = factors
  const base = ratio + tilt * (1 - centre)
  const slopes = ratio - tilt * centre
  return { base, slopes, ratio, overheadMs: overhead(samples, base, slopes) }
}

/** y: measured over predicted. u: the share of the prediction that is base. Then y = base u + slopes (1 - u). */
interface Point {
  readonly u: number
  readonly y: number
}

function pointOf({ ms, base, slopes }: Measured): Point {
  const predicted = base + slopes
  return { u: base / predicted, y: ms / predicted }
}

function weightedFit(
  points: readonly Point[],
  weights: readonly number[],
): { readonly ratio: number; readonly tilt: number; readonly centre: number } {
  const sum = (of: (point: Point) => number): number =>
    points.reduce((total, point, i) => total + (weights[i] ?? 0) * of(point), 0)
  const weight = sum(() => 1)
  if (!(weight > 0)) return { ratio: 1, tilt: 0, centre: 0.5 }
  const centre = sum(({ u }) => u) / weight
  const mean = sum(({ y }) => y) / weight
  const covariance = sum(({ u, y }) => (u - centre) * (y - mean))
  const variance = sum(({ u }) => (u - centre) ** 2)
  return {
    ratio: (priorSamples + weight * mean) / (priorSamples + weight),
    tilt: covariance / (variance + (lawError / tiltDeviation) ** 2),
    centre,
  }
}

function biweight(x: number): number {
  return Math.abs(x) >= 1 ? 0 : (1 - x * x) ** 2
}

function overhead(samples: readonly SpeedSample[], base: number, slopes: number): number {
  const extra = samples.flatMap(({ first }) =>
    first === undefined ? [] : [first.ms - ttftTolerance * (base * first.base + slopes * first.slopes)],
  )
  return extra.length === 0 ? 0 : Math.max(0, median(extra))
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y)
  const middle = (sorted.length - 1) / 2
  const low = sorted[Math.floor(middle)] ?? 0
  const high = sorted[Math.ceil(middle)] ?? 0
  return (low + high) / 2
}
