// Requests that get longer are demand that grows: each is more work by the time a replica ordered now is ready. Lengths are
// read from requests that have ended, so what is seen of them is late as well (docs/MODEL.md, "Work ahead").
import { replicaModel } from '../capacity/capacity.ts'
import { workload } from '../capacity/lengths.ts'
import type { Shape } from '../capacity/question.ts'
import type { Variant } from '../policy.ts'
import { limitsOf } from '../sizing.ts'

export interface WorkAt {
  readonly at: number
  /** Of a request of the lengths read then: dollars, at saturation, were it served once by every variant that may. */
  readonly work: number
}

/** A climb is what the work of a request rose by within this time. */
const climbSeconds = 180

/** At its own pace, as far as chance does not explain it, so much of a climb is taken to go on. */
const goesOn = 0.6

/** Until a change of lengths shows: half the window they are read over, and the time that requests take. */
const seenLateSeconds = 50

/** Less is what lengths do all the time, and so many standard errors of two readings may be chance. */
const leastClimb = 0.05
const noiseDeviations = 2.5

/** A factor of two. */
const largestClimb = 0.7

/** Closer readings are not kept. */
const spacingSeconds = 10

/** Undefined where none of these variants can serve such requests at all. */
export function workOf(shape: Shape, variants: readonly Variant[]): number | undefined {
  let work = 0
  for (const variant of variants) {
    const { role, profile, costPerHour } = variant
    const limits = limitsOf(variant, undefined)
    const load = workload(profile, limits, shape)
    const { lmax } = replicaModel({ role, profile, limits }, load)
    if (load.N >= 1 && lmax > 0) work += costPerHour / 3_600_000 / lmax
  }
  return work > 0 && Number.isFinite(work) ? work : undefined
}

/** The readings with one more; the first is the newest that is at least as old as a climb is long, where there is one. */
export function enterWork(works: readonly WorkAt[], at: number, work: number | undefined): readonly WorkAt[] {
  const last = works.at(-1)
  if (work === undefined || (last !== undefined && at - last.at < spacingSeconds)) return works
  const all = [...works, { at, work }]
  const old = all.findLastIndex((one) => one.at <= at - climbSeconds)
  return all.slice(Math.max(0, old))
}

/**
 * How many times the work of a request of now one is by the time a replica ordered now is ready: 1 and up. `requests`: that lengths
 * are read from.
 */
export function workAhead(
  works: readonly WorkAt[],
  at: number,
  requests: number,
  leadSeconds: number,
): number {
  const now = works.at(-1)
  const before = works.findLast((one) => one.at <= at - climbSeconds) ?? works[0]
  if (now === undefined || before === undefined) return 1
  const least = Math.max(leastClimb, noiseDeviations * Math.sqrt(2 / requests))
  const climb = Math.min(largestClimb, Math.log(now.work / before.work) - least)
  if (!(climb > 0)) return 1
  return Math.exp((goesOn * climb * (leadSeconds + seenLateSeconds)) / climbSeconds)
}
