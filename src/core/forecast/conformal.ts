// How far the forecast was off lately, as a quantile: rolling split-conformal prediction. It needs no law of the
// errors, only that the next one is drawn like the last ones; until there are enough of them, their scale under a
// normal law fills in. Source: docs/MODEL.md, "Forecast".
import { rounded } from './logs.ts'

/** Eight hours, one a minute. */
const mostErrors = 480

/** The first minutes after a start are a ramp, not the traffic's own error. */
const skippedErrors = 5

const halfLifeSeconds = 1800

/** From a mean absolute error to a standard deviation, under a normal law: sqrt(pi / 2). */
const deviationsPerMeanError = 1.25

/** How far the assumed scale is trusted before any error is known, in independent errors. */
const assumedFreedom = 4

export interface Errors {
  /** z - f in logarithms, oldest first. */
  readonly values: readonly number[]
  readonly skipped: number
  /** Mean absolute error, recent ones first: `s` in docs/MODEL.md. */
  readonly scale: number
}

/**
 * Until there is an error: 2 % at a minute, growing with its square root as a random walk does, and the Poisson noise of
 * two counts of a minute: s = sqrt((0.02 u)^2 minutes + 2 u / 60) / (1 + u) in ln(1 + u).
 */
export function noErrors(horizonSeconds: number, requestsPerSecond: number): Errors {
  const walk = (0.02 * requestsPerSecond) ** 2 * (horizonSeconds / 60)
  const counting = (2 * requestsPerSecond) / 60
  return { values: [], skipped: 0, scale: Math.sqrt(walk + counting) / (1 + requestsPerSecond) }
}

/** The assumed scale counts as much as the errors of one horizon. */
export function enterError(
  errors: Errors,
  error: number,
  horizonSeconds: number,
  sinceLastSeconds: number,
): Errors {
  if (errors.skipped < skippedErrors) return { ...errors, skipped: errors.skipped + 1 }
  const { values, scale } = errors
  const size = Math.min(Math.abs(error), Math.max(8 * scale, 0.04))
  const part = sinceLastSeconds / (horizonSeconds + (values.length + 1) * sinceLastSeconds)
  const keep = 1 - Math.max(part, 1 - 0.5 ** (sinceLastSeconds / halfLifeSeconds))
  return {
    values: [...values.slice(Math.max(0, values.length + 1 - mostErrors)), rounded(error)],
    skipped: errors.skipped,
    scale: keep * scale + (1 - keep) * size,
  }
}

/**
 * The `q`-quantile of the error: sorted[ceil(q (m + k)) - 1] of m errors of which k overlap, as there are k in a horizon.
 * While they hold fewer than twenty horizons, t_q 1.25 s takes the rest of the weight. Until they hold one, up to half of
 * s^2 is that of the provisional scale, where that is larger.
 */
export function errorQuantile(
  errors: Errors,
  q: number,
  errorsPerHorizon: number,
  provisionalScale = 0,
): number {
  const { values } = errors
  const part = Math.max(0, 1 - values.length / errorsPerHorizon) / 2
  const scale = Math.max(
    errors.scale,
    Math.sqrt((1 - part) * errors.scale ** 2 + part * provisionalScale ** 2),
  )
  const m = values.length
  const freedom = assumedFreedom + m / errorsPerHorizon
  const assumed = studentQuantile(q, freedom) * deviationsPerMeanError * scale
  if (m === 0) return assumed
  const sorted = Float64Array.from(values).sort()
  const rank = Math.min(m, Math.max(1, Math.ceil(q * (m + errorsPerHorizon))))
  const seen = sorted[rank - 1] ?? 0
  const experience = experienceOf(errors, errorsPerHorizon)
  return experience * seen + (1 - experience) * assumed
}

/**
 * How far demand has climbed since forecasts whose time has not come yet, carried on to the horizon as a random walk:
 * s = sqrt(2 n^2 + mean of (2 max(0, d)^2 - 2 n^2) horizon / age) / 1.25, with n^2 = u/60 / (1 + u)^2 the noise of a minute's
 * count. Climbs alone: it widens upper quantiles, and a fall is no reason to plan for more.
 */
export function provisionalScale(
  changes: readonly { readonly change: number; readonly ageSeconds: number }[],
  horizonSeconds: number,
  requestsPerSecond: number,
): number {
  const old = changes.filter(({ ageSeconds }) => ageSeconds >= 60)
  if (old.length === 0) return 0
  const counting = (2 * requestsPerSecond) / 60 / (1 + requestsPerSecond) ** 2
  const walk = old.reduce(
    (sum, { change, ageSeconds }) =>
      sum + (2 * Math.max(0, change) ** 2 - counting) * (horizonSeconds / ageSeconds),
    0,
  )
  return Math.sqrt(counting + Math.max(0, walk / old.length)) / deviationsPerMeanError
}

/** 1 once there are errors of twenty horizons, that is about twenty independent ones. */
export function experienceOf({ values }: Errors, errorsPerHorizon: number): number {
  return Math.min(1, values.length / (20 * errorsPerHorizon))
}

/**
 * A scale known from few independent errors is itself in doubt: Student's law instead of the normal one. Abramowitz and
 * Stegun 26.7.5, the first two terms: within 1 % of the 95 % quantile for five degrees of freedom, 5 % of the 99 % one.
 */
function studentQuantile(q: number, freedom: number): number {
  const z = normalQuantile(q)
  const first = (z ** 3 + z) / 4
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96
  return z + first / freedom + second / freedom ** 2
}

/** Abramowitz and Stegun 26.2.23: within 4.5e-4. */
function normalQuantile(q: number): number {
  if (q === 0.5) return 0
  const t = Math.sqrt(-2 * Math.log(Math.min(q, 1 - q)))
  const above = 2.515517 + t * (0.802853 + t * 0.010328)
  const below = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308))
  const z = t - above / below
  return q < 0.5 ? -z : z
}
