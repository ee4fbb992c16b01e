// What is planned for a class under its schedules: at least what they state, and times the demand from before a window. The
// demand from before is remembered, because inside the window the traffic has grown already.
import type { DemandInForce } from './inForce.ts'

/** By title: the demand that `factor` multiplies, requests per second. */
export type Bases = Readonly<Record<string, number>>

export interface Scheduled {
  readonly requestsPerSecond: number
  /** The rule that decides, where one asks for more than was planned anyway. */
  readonly by?: DemandInForce
  /** Of the windows that are near; the others are forgotten. */
  readonly bases: Bases
}

export function scheduledDemand(planned: number, rules: readonly DemandInForce[], bases: Bases): Scheduled {
  let most = planned
  let by: DemandInForce | undefined
  const known: Record<string, number> = {}
  for (const rule of rules) {
    const { title, phase, factor, atLeastPerSecond = 0 } = rule
    let asked = atLeastPerSecond
    if (factor !== undefined) {
      // Whoever meets the window open takes what is there for grown already: never twice the factor.
      const base = phase === 'ahead' ? planned : (bases[title] ?? planned / factor)
      known[title] = base
      asked = Math.max(asked, base * factor)
    }
    if (asked > most) {
      most = asked
      by = rule
    }
  }
  return { requestsPerSecond: most, ...(by === undefined ? {} : { by }), bases: known }
}
