// Demand that has climbed lately often climbs on, and by the time a replica ordered now is ready it is that which is
// late. How much of a climb to carry on is learnt from climbs alone: docs/MODEL.md, "Forecast".
import { climbSeconds, type Levels } from './levels.ts'
import { within } from './logs.ts'

/** Less than a tenth is what the experts are for. */
const leastClimb = 0.1

/** So many deviations may be noise. */
const noiseDeviations = 2.5

/** A factor of two. */
const largestClimb = 0.7

/** Of a climb's pace, before any climb was seen to its end. At most a climb goes on at its pace. */
const firstShare = 0.3

/** One climb of ten may go on further than is planned for. */
export const climbQuantile = 0.9

/** By how much the share moves at most with one outcome, which is that of a climb of `fullClimb` or more. */
const step = 0.1
const fullClimb = 0.2

/** How far y has climbed within the last minutes beyond what noise makes of `requestsPerSecond`; 0 where it has not. */
export function climbOf({ y, recent }: Levels, requestsPerSecond: number): number {
  const before = recent[0]?.y ?? y
  const noise = Math.sqrt((2 * requestsPerSecond) / 60) / (1 + requestsPerSecond)
  return beyondChance(y - before, leastClimb, noise)
}

/** What is a climb of a rise in logarithms, of which `least` is usual and `noise` is the deviation that chance gives it. */
export function beyondChance(rise: number, least: number, noise: number): number {
  return within(largestClimb, Math.max(0, rise - Math.max(least, noiseDeviations * noise)))
}

/** What part of a climb is carried on over a horizon, before any was seen. */
export function firstCarry(horizonSeconds: number): number {
  return (firstShare * horizonSeconds) / climbSeconds
}

/**
 * The part, after a forecast on record whose time has come: more where demand came out above its upper quantile, less
 * where it did not, so that it does once in ten climbs.
 */
export function learnCarry(carry: number, climb: number, exceeded: boolean, horizonSeconds: number): number {
  const gain = step * Math.min(1, climb / fullClimb)
  const most = horizonSeconds / climbSeconds
  return Math.min(most, Math.max(0, carry + gain * (exceeded ? climbQuantile : climbQuantile - 1)))
}
