// The pattern of the day: a mean of the log demand for each ten minutes of it, recent days first. What counts is the
// difference between two times of day, so that a day that is busier as a whole changes nothing.
import { rounded, within } from './logs.ts'

const slotSeconds = 600
const slotsPerDay = 144

/** Of the weight of the day after it: s = sum_d 0.8^d y_d / sum_d 0.8^d. */
const dayWeight = 0.8

/** One day moves the mean of a slot by no more than a factor of two: an outage is not a pattern. */
const largestMove = Math.log(2)

export interface Season {
  /** The slot being filled, counted from the epoch, with the sum and the number of its values so far. */
  readonly slot: number
  readonly sum: number
  readonly count: number
  /** Mean of the slot before it. It is entered one slot late, so that s(t) is made of earlier days alone. */
  readonly previous?: number
  readonly days: Days
}

/** By slot of the day; weight 0 where no day had values. Two plain arrays: state is copied at every tick. */
interface Days {
  readonly mean: readonly number[]
  readonly weight: readonly number[]
}

export function newSeason(at: number, y: number): Season {
  const none = new Array<number>(slotsPerDay).fill(0)
  return { slot: Math.floor(at / slotSeconds), sum: y, count: 1, days: { mean: none, weight: none } }
}

/** The season with the log demand `y` of a later time. */
export function enterSeason(season: Season, at: number, y: number): Season {
  const slot = Math.floor(at / slotSeconds)
  if (slot === season.slot) return { ...season, sum: season.sum + y, count: season.count + 1 }
  const filled = season.sum / season.count
  const days =
    season.previous === undefined ? season.days : enterDay(season.days, season.slot - 1, season.previous)
  return slot === season.slot + 1
    ? { slot, sum: y, count: 1, previous: filled, days }
    : { slot, sum: y, count: 1, days: enterDay(days, season.slot, filled) }
}

/** s(at + seconds) - s(at), linear between the middles of slots; 0 where no day has shown it yet. */
export function seasonalChange({ days }: Season, at: number, seconds: number): number {
  const now = seasonal(days, at)
  const then = seasonal(days, at + seconds)
  return now === undefined || then === undefined ? 0 : then - now
}

function seasonal(days: Days, at: number): number | undefined {
  const position = at / slotSeconds - 0.5
  const slot = Math.floor(position)
  const before = slotOfDay(days, slot)
  const after = slotOfDay(days, slot + 1)
  if (before.weight === 0 || after.weight === 0) return undefined
  return before.mean + (position - slot) * (after.mean - before.mean)
}

function enterDay(days: Days, slot: number, y: number): Days {
  const known = slotOfDay(days, slot)
  const weight = dayWeight * known.weight + 1
  const move = known.weight === 0 ? y - known.mean : within(largestMove, y - known.mean)
  return {
    mean: days.mean.with(slot % slotsPerDay, rounded(known.mean + move / weight)),
    weight: days.weight.with(slot % slotsPerDay, rounded(weight)),
  }
}

function slotOfDay({ mean, weight }: Days, slot: number): { readonly mean: number; readonly weight: number } {
  return { mean: mean[slot % slotsPerDay] ?? 0, weight: weight[slot % slotsPerDay] ?? 0 }
}
