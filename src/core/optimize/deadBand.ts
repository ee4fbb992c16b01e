// Which counts the HPA acts on. It ignores a target within its tolerance of the current count
// (|target / current - 1| <= 0.1 by default), so from 10 replicas up some counts cannot be reached:
// from 20, nothing between 18 and 22 inclusive but 20 itself.
import type { Hole } from './engine.ts'
import type { MixProblem, MixVariant } from './mix.ts'

export interface DeadBand {
  /** Held if nothing changes: current, moved into [min, max] as the HPA itself does. */
  readonly hold: number
  /** The least and the most that can be reached: a minimum just below what runs is not. */
  readonly least: number
  readonly most: number
  /** What lies between and cannot be reached. */
  readonly holes: readonly Hole[]
}

export function deadBand(current: number, min: number, max: number, tolerance: number): DeadBand {
  const hold = Math.min(Math.max(current, min), max)
  // The edge itself depends on the rounding of the division in the HPA: it counts as unreachable.
  const down = Math.ceil(hold * (1 - tolerance) - 1e-9) - 1
  const up = Math.floor(hold * (1 + tolerance) + 1e-9) + 1
  const holes = [
    { below: down, above: hold },
    { below: hold, above: up },
  ]
  return {
    hold,
    least: down < min ? hold : min,
    most: up > max ? hold : max,
    holes: holes.filter(({ below, above }) => above > below + 1 && below >= min && above <= max),
  }
}

/** What runs of a variant whatever the plan, even where pool and budget are smaller. */
export function leastReplicas({ hpaTolerance }: MixProblem, { current, min, max }: MixVariant): number {
  return deadBand(current, min, max, hpaTolerance).least
}

/** Whether every count in [min, max] can be reached. */
export function reachesAll({ least, most, holes }: DeadBand, min: number, max: number): boolean {
  return least === min && most === max && holes.length === 0
}
