// Requests that get longer are demand that grows: each is more work by the time a replica ordered now is ready. Lengths are
// read from requests that have ended, so what is seen of them is late as well (docs/MODEL.md, "Work ahead").
import { replicaModel } from '../capacity/capacity.ts'
import { workload } from '../capacity/lengths.ts'
import type { Shape } from '../capacity/question.ts'
import { beyondChance } from '../forecast/climb.ts'
import { climbSeconds, moveRecent } from '../forecast/levels.ts'
import type { Variant } from '../policy.ts'
import { limitsOf } from '../sizing.ts'

export interface WorkAt {
  readonly at: number
  /** Of a request of the lengths read then: dollars, at saturation, were it served once by every variant that may. */
  readonly work: number
}

/** At its own pace, as far as chance does not explain it, so much of a climb is taken to go on. */
const goesOn = 0.6

/** Until a change of lengths shows: half the window they are read over, and the time that requests take. */
const seenLateSeconds = 50

/** Less is what lengths do all the time. */
const leastClimb = 0.05

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

/** The readings of the last minutes with one more, where there is one. */
export function enterWork(works: readonly WorkAt[], at: number, work: number | undefined): readonly WorkAt[] {
  return work === undefined ? works : moveRecent(works, { at, work })
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
  const climb = beyondChance(Math.log(now.work / before.work), leastClimb, Math.sqrt(2 / requests))
  return Math.exp((goesOn * climb * (leadSeconds + seenLateSeconds)) / climbSeconds)
}
