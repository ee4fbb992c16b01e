// Which counts the HPA acts on. It ignores a target within its tolerance of the current count
// (|target / current - 1| <= 0.1 by default), so from 10 replicas up some counts cannot be reached:
// from 20, nothing between 18 and 22 inclusive but 20 itself.

export interface DeadBand {
  /** Held if nothing changes: current, moved into [min, max] as the HPA itself does. */
  readonly hold: number
  /** The largest count below that the HPA acts on, and the smallest above. */
  readonly down: number
  readonly up: number
}

export function deadBand(current: number, min: number, max: number, tolerance: number): DeadBand {
  const hold = Math.min(Math.max(current, min), max)
  // The edge itself depends on the rounding of the division in the HPA: it counts as unreachable.
  const down = Math.ceil(hold * (1 - tolerance) - 1e-9) - 1
  const up = Math.floor(hold * (1 + tolerance) + 1e-9) + 1
  return { hold, down, up }
}

/** Whether a count in [min, max] lies between: without, every count can be reached. */
export function skipsCounts({ hold, down, up }: DeadBand, min: number, max: number): boolean {
  return (up > hold + 1 && hold < max) || (down < hold - 1 && hold > min)
}
