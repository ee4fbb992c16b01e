// When a schedule's window is open. The core has no clock and no time zones: the loader writes each zone down as a list of
// UTC offsets (src/policy/zones.ts), and what is left is arithmetic on seconds.
import type { ScheduleWindow, ZoneOffsets } from '../policy.ts'

export interface Span {
  readonly fromSecond: number
  /** Outside the span. */
  readonly untilSecond: number
}

const daySeconds = 86_400

/** The first span that is open at `at` or opens within `aheadSeconds` of it. */
export function spanNear(when: ScheduleWindow, at: number, aheadSeconds: number): Span | undefined {
  return spansAround(when, at, aheadSeconds).find(
    ({ fromSecond, untilSecond }) => untilSecond > at && fromSecond <= at + aheadSeconds,
  )
}

export function isOpen({ fromSecond }: Span, at: number): boolean {
  return fromSecond <= at
}

/** In order of time; a weekly window that is open now began on this day or the one before. */
function spansAround(when: ScheduleWindow, at: number, aheadSeconds: number): readonly Span[] {
  if (when.kind === 'once') return [when]
  const today = Math.floor((at + offsetAt(when.zone, at)) / daySeconds)
  const daysAhead = Math.ceil(aheadSeconds / daySeconds) + 1
  const spans: Span[] = []
  for (let day = today - 1; day <= today + daysAhead; day++) {
    if (!when.days.includes(weekday(day))) continue
    const midnight = day * daySeconds
    spans.push({
      fromSecond: utcOf(when.zone, midnight + when.fromSecond),
      untilSecond: utcOf(when.zone, midnight + when.untilSecond),
    })
  }
  return spans
}

/** 0 is Sunday; day 0, the first of 1970, was a Thursday. */
function weekday(day: number): number {
  return (((day + 4) % 7) + 7) % 7
}

/**
 * The instant at which clocks of the zone show `local` (seconds since 1970 as read off a clock). An hour that is shown
 * twice is taken the first time; one that is skipped, as if the clocks had gone on: 02:30 is then 03:30.
 */
export function utcOf(zone: ZoneOffsets, local: number): number {
  const before = offsetAt(zone, local - daySeconds)
  const guess = local - before
  if (offsetAt(zone, guess) === before) return guess
  const after = local - offsetAt(zone, guess)
  return offsetAt(zone, after) === local - after ? after : guess
}

export function offsetAt(zone: ZoneOffsets, at: number): number {
  const entry = zone.findLast(({ since }) => since <= at) ?? zone[0]
  return entry?.seconds ?? 0
}
