// The pattern of the day: a mean of the log demand for each ten minutes of the last seven days, recent days first.
// What counts is the difference between two times of day, so that a day that is busier as a whole changes nothing.
// The means themselves are kept, not a running one: a week of them is an exact window, and any server can rebuild it.
import { rounded, within } from './logs.ts'

export const seasonSlotSeconds = 600
const slotsPerDay = 144

/** Days that count: with `dayWeight` the seventh weighs a quarter of the first. */
const seasonDays = 7

/** Of the weight of the day after it: s = sum_d 0.8^d y_d / sum_d 0.8^d over d = 1..7 days ago. */
const dayWeight = 0.8

/** One day counts as no more than a factor of two off the median of the days: an outage is not a pattern. */
const largestDistance = Math.log(2)

/** How far back the slots are looked up, and one more for the interpolation between two of them. */
const keptSlots = seasonDays * slotsPerDay + 1

/** What the season at an instant depends on began so much earlier. */
export const seasonSeconds = (keptSlots + 1) * seasonSlotSeconds

export interface Season {
  /** The slot being filled, counted from the epoch, with the sum and the number of its values so far. */
  readonly slot: number
  readonly sum: number
  readonly count: number
  /** Of the newest value: no instant counts twice. */
  readonly at: number
  /** Means of the slots before it, oldest first: a gap ends one run and begins another. */
  readonly runs: readonly Run[]
}

interface Run {
  readonly from: number
  readonly means: readonly number[]
}

/** The season with the log demand `y` of a later time; unchanged where that time is known already. */
export function enterSeason(season: Season | undefined, at: number, y: number): Season {
  const slot = Math.floor(at / seasonSlotSeconds)
  if (season === undefined) return { slot, sum: y, count: 1, at, runs: [] }
  if (at <= season.at) return season
  if (slot === season.slot) return { ...season, sum: season.sum + y, count: season.count + 1, at }
  const filled = appended(season.runs, season.slot, rounded(season.sum / season.count))
  return { slot, sum: y, count: 1, at, runs: since(filled, slot - keptSlots) }
}

/** s(at + seconds) - s(at), linear between the middles of slots; 0 where no day has shown it yet. */
export function seasonalChange(season: Season | undefined, at: number, seconds: number): number {
  if (season === undefined) return 0
  const now = seasonal(season, at)
  const then = seasonal(season, at + seconds)
  return now === undefined || then === undefined ? 0 : then - now
}

function seasonal(season: Season, at: number): number | undefined {
  const position = at / seasonSlotSeconds - 0.5
  const slot = Math.floor(position)
  const before = usual(season, slot)
  const after = usual(season, slot + 1)
  return before === undefined || after === undefined
    ? undefined
    : before + (position - slot) * (after - before)
}

/**
 * What earlier days say of a slot; the day itself is left out, or a forecast would be judged by what it came from. All of
 * the instants of a slot ask for the same: it is worked out once for the runs that it follows from.
 */
function usual({ runs }: Season, slot: number): number | undefined {
  const known = usualOf.get(runs) ?? new Map<number, number | undefined>()
  usualOf.set(runs, known)
  if (!known.has(slot)) known.set(slot, usualIn(runs, slot))
  return known.get(slot)
}

const usualOf = new WeakMap<readonly Run[], Map<number, number | undefined>>()

function usualIn(runs: readonly Run[], slot: number): number | undefined {
  const days: { readonly y: number; readonly weight: number }[] = []
  for (let ago = 1; ago <= seasonDays; ago++) {
    const y = meanOf(runs, slot - ago * slotsPerDay)
    if (y !== undefined) days.push({ y, weight: dayWeight ** (ago - 1) })
  }
  const middle = days.map(({ y }) => y).sort((x, y) => x - y)[Math.floor(days.length / 2)]
  if (middle === undefined) return undefined
  let sum = 0
  let weights = 0
  for (const { y, weight } of days) {
    sum += weight * (middle + within(largestDistance, y - middle))
    weights += weight
  }
  return sum / weights
}

function meanOf(runs: readonly Run[], slot: number): number | undefined {
  const run = runs.findLast(({ from }) => from <= slot)
  return run?.means[slot - run.from]
}

function appended(runs: readonly Run[], slot: number, mean: number): readonly Run[] {
  const last = runs.at(-1)
  return last !== undefined && last.from + last.means.length === slot
    ? [...runs.slice(0, -1), { from: last.from, means: [...last.means, mean] }]
    : [...runs, { from: slot, means: [mean] }]
}

function since(runs: readonly Run[], slot: number): readonly Run[] {
  return runs.flatMap(({ from, means }) => {
    if (from >= slot) return [{ from, means }]
    const kept = means.slice(slot - from)
    return kept.length === 0 ? [] : [{ from: slot, means: kept }]
  })
}
