// Where demand stands, on several time scales: exponentially weighted means of the log demand y, and y of the last minutes.
// Their differences say how fast it is moving, and are what the linear expert forecasts from.

/** 30 %, 6 %, 1.5 % and 0.4 % of a new value every 15 s. */
const timeConstants = { fast: 42, middle: 242, slow: 992, verySlow: 3742 }

/** 15 % every 15 s: the expert that takes the last minutes' mean. */
const smoothSeconds = 92

const minuteSeconds = 60

/** A climb is what y rose by within this time. */
export const climbSeconds = 180

/** Closer values than this are not kept: the last three minutes are at most twenty values. */
const spacingSeconds = 10

export interface Levels {
  readonly y: number
  readonly smooth: number
  readonly fast: number
  readonly middle: number
  readonly slow: number
  readonly verySlow: number
  /** Oldest first; the first is the newest that is at least as old as a climb is long, where there is one. */
  readonly recent: readonly { readonly at: number; readonly y: number }[]
}

export function newLevels(at: number, y: number): Levels {
  return { y, smooth: y, fast: y, middle: y, slow: y, verySlow: y, recent: [{ at, y }] }
}

export function moveLevels(levels: Levels, at: number, y: number, seconds: number): Levels {
  const moved = (level: number, timeConstant: number): number =>
    level + (1 - Math.exp(-seconds / timeConstant)) * (y - level)
  return {
    y,
    smooth: moved(levels.smooth, smoothSeconds),
    fast: moved(levels.fast, timeConstants.fast),
    middle: moved(levels.middle, timeConstants.middle),
    slow: moved(levels.slow, timeConstants.slow),
    verySlow: moved(levels.verySlow, timeConstants.verySlow),
    recent: moveRecent(levels.recent, { at, y }),
  }
}

/** x of the linear expert; `seasonal` is s(t + h) - s(t). */
export function features(levels: Levels, seasonal: number): readonly number[] {
  const { y, fast, middle, slow, verySlow, recent } = levels
  const now = recent.at(-1)?.at ?? 0
  const minuteAgo = recent.findLast(({ at }) => at <= now - minuteSeconds)?.y ?? recent[0]?.y ?? y
  return [0.1, y - fast, fast - middle, middle - slow, slow - verySlow, seasonal, y - minuteAgo]
}

export const featureCount = 7

/** The values of the last minutes with one more; the first is the newest that is at least as old as a climb is long, where there is one. */
export function moveRecent<T extends { readonly at: number }>(recent: readonly T[], value: T): readonly T[] {
  const { at } = value
  const last = recent.at(-1)
  const all = last !== undefined && at - last.at < spacingSeconds ? recent : [...recent, value]
  const old = all.findLastIndex((one) => one.at <= at - climbSeconds)
  return all.slice(Math.max(0, old))
}
