// How much demand jitters about its own level: the standard deviation of its logarithm from a mean of the last
// minutes. Steady growth and decline hardly count, a jump counts for no more than a large jitter would.
// docs/MODEL.md, "Hold".
import { elder, enterInto, type Generations } from '../generations.ts'

export type NoiseMemory = Generations<Noise>

interface Noise {
  readonly at: number
  /** Mean of the log demand. */
  readonly level: number
  readonly variance: number
}

/** What is known of it goes back one hour at least, two at most. */
export const generationSeconds = 3600

const levelSeconds = 240
const varianceSeconds = 1800
const largestDeviation = 0.15
/** Until there is something to go by. */
const assumedDeviation = 0.05

/** A wider band would hold a real day's own ups: docs/MODEL.md, "Hold", has what each costs. */
const deviationsHeld = 3
const largestBand = 0.1

/** With the demand of one more instant; unchanged where that instant was entered before. */
export function enterNoise(
  memory: NoiseMemory | undefined,
  at: number,
  requestsPerSecond: number,
): NoiseMemory {
  return enterInto(memory, at, generationSeconds, (noise) => moved(noise, at, requestsPerSecond))
}

/**
 * Requests per second up to which an earlier peak is taken for a jitter of the present level. The level follows a real
 * fall late; the highest of the last minutes, which jitter alone does not bring far below it, follows at once.
 */
export function highestJitter(memory: NoiseMemory, recentRequestsPerSecond: number): number {
  const noise = elder(memory)
  const band = Math.min(largestBand, deviationsHeld * Math.sqrt(noise.variance))
  return Math.expm1(Math.min(noise.level + band, Math.log1p(recentRequestsPerSecond) + 1.5 * band))
}

function moved(noise: Noise | undefined, at: number, requestsPerSecond: number): Noise {
  const y = Math.log1p(Math.max(0, requestsPerSecond))
  if (noise === undefined) return { at, level: y, variance: assumedDeviation ** 2 }
  if (at <= noise.at) return noise
  const seconds = at - noise.at
  const share = (timeConstant: number): number => 1 - Math.exp(-seconds / timeConstant)
  const deviation = Math.max(-largestDeviation, Math.min(largestDeviation, y - noise.level))
  return {
    at,
    level: noise.level + share(levelSeconds) * (y - noise.level),
    variance: noise.variance + share(varianceSeconds) * (deviation ** 2 - noise.variance),
  }
}
