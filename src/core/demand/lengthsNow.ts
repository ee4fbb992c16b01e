// The lengths of now, from those of the last minutes: the means move at once, and minutes of the old ones hide it
// (docs/MODEL.md, "Lengths of what arrives").
import { eventsPerSecond, type LengthHistogram, mean, variance } from '../histogram.ts'
import type { Longer } from './unfinished.ts'

/** Means that differ by less say nothing that matters: a shape stands for a turn unless they move by more, and by more than chance. */
export const materialChange = 0.05

/** How far the last minute must lie from what chance makes of so many requests, in standard errors. */
const surelyChanged = 3

/**
 * Lengths change at once, and minutes of the old ones hide it. Where the mean of the last minute differs from that of the
 * window by more than chance, and by what matters, all lengths are taken to have changed by as much.
 */
export function promptsNow(histogram: LengthHistogram): LengthHistogram {
  const { lately, upperBounds, perSecond } = histogram
  const [usual, spread] = [mean(histogram), variance(histogram)]
  if (lately === undefined || usual === undefined || spread === undefined) return histogram
  if (!(lately.eventsPerSecond > 0 && usual > 0)) return histogram
  const now = lately.sumPerSecond / lately.eventsPerSecond
  const chance = surelyChanged * Math.sqrt(spread / (lately.eventsPerSecond * lately.seconds))
  if (!(Math.abs(now - usual) > Math.max(chance, materialChange * Math.max(now, usual)))) return histogram
  const factor = now / usual
  const events = eventsPerSecond(histogram)
  return {
    upperBounds: upperBounds.map((bound) => bound * factor),
    perSecond: perSecond.map((rate) => (rate * lately.eventsPerSecond) / events),
    sumPerSecond: lately.sumPerSecond,
    seconds: lately.seconds,
  }
}

/** Capacities are worked out anew only for each so large a step. */
const driftStep = 0.01

interface Outputs {
  readonly outputs: LengthHistogram
  /** The mean is as sure as that of so many requests, of a spread as large as it. */
  readonly asSureAs: number
}

/** How far mean answers drift from what they were in the window, in the logarithm: 12 % from ten minutes to the next in ServeGen's traces. */
const usualDrift = 0.08

/**
 * The lengths of the window drawn out, or in, by what the last minute and what is being answered say, each as far as its
 * standard error lets it: the mean of normal estimates.
 */
export function answersNow(arrived: LengthHistogram, unfinished: Longer | undefined): Outputs {
  const estimates = [lastMinute(arrived), unfinished].filter((one) => one !== undefined)
  const weight = estimates.reduce((sum, { error }) => sum + error ** -2, usualDrift ** -2)
  const log = estimates.reduce((sum, each) => sum + each.log * each.error ** -2, 0) / weight
  const factor = Math.exp(Math.round(log / driftStep) * driftStep)
  const outputs = {
    ...arrived,
    upperBounds: arrived.upperBounds.map((bound) => bound * factor),
    sumPerSecond: arrived.sumPerSecond * factor,
  }
  return { outputs, asSureAs: estimates.length === 0 ? Number.POSITIVE_INFINITY : weight }
}

function lastMinute(arrived: LengthHistogram): Longer | undefined {
  const { lately } = arrived
  const [usual, spread] = [mean(arrived), variance(arrived)]
  if (lately === undefined || usual === undefined || spread === undefined) return undefined
  const requests = lately.eventsPerSecond * lately.seconds
  const now = lately.sumPerSecond / lately.eventsPerSecond
  if (!(requests > 0 && usual > 0 && now > 0 && spread > 0)) return undefined
  return {
    log: Math.log(now / usual),
    error: Math.hypot(Math.sqrt(spread / requests) / usual, lately.unsure ?? 0),
  }
}
