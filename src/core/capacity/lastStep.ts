// The last of many steps at which what gets worse from step to step is still allowed: bisection's answer, for fewer looks.
// A look costs a whole queueing model. ITP (Oliveira and Takahashi, ACM Transactions on Mathematical Software 47(1), 2020):
// interpolate, draw the point a little towards the middle, and never go further from it than bisection's worst case allows.

/** Excess over what is allowed, as a logarithm: 0 and less is allowed. */
export interface Ends {
  readonly atFirst: number
  readonly atLast: number
}

/** Of the distance between the ends, to the second power: how far an interpolated point is drawn towards the middle. */
const drawn = 0.2

/** So much excess either way says no more than its sign: shares of nothing, rates that cannot be sustained. */
const extreme = 12

/**
 * The largest i in [0, steps) with `excessAt(i) <= 0`, where it is so at 0, is not at `steps` and changes once; in at most one
 * look more than bisection takes.
 */
export function lastStep(steps: number, { atFirst, atLast }: Ends, excessAt: (i: number) => number): number {
  let [low, high] = [0, steps]
  let [below, above] = [clipped(atFirst), clipped(atLast)]
  const looks = Math.ceil(Math.log2(steps)) + 1
  for (let look = 0; high - low > 1; look++) {
    const middle = (low + high) / 2
    const interpolated = below < above ? low + ((high - low) * -below) / (above - below) : middle
    const towards = Math.sign(middle - interpolated)
    const drawnIn =
      interpolated +
      towards * Math.min(Math.max(1, (drawn / steps) * (high - low) ** 2), Math.abs(middle - interpolated))
    const furthest = Math.max(0, 2 ** (looks - look - 1) - (high - low) / 2)
    const point = Math.min(middle + furthest, Math.max(middle - furthest, drawnIn))
    const next = Math.min(high - 1, Math.max(low + 1, Math.round(point)))
    const excess = clipped(excessAt(next))
    if (excess <= 0) [low, below] = [next, excess]
    else [high, above] = [next, excess]
  }
  return low
}

function clipped(excess: number): number {
  return Math.max(-extreme, Math.min(extreme, excess))
}
