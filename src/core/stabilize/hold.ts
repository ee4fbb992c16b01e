// Up at once, down late: the highest count wanted within the hold window is the least that stays.
import type { VariantMemory, WantedAt } from '../state.ts'

/** The window's wanted counts with the newest added. One entry per run of equal counts keeps it short. */
export function remember(
  memory: VariantMemory | undefined,
  wanted: number,
  at: number,
  holdSeconds: number,
): readonly WantedAt[] {
  const since = at - holdSeconds
  const kept = (memory?.wanted ?? []).filter(
    (entry) => entry.at > since && entry.at <= at && entry.replicas > wanted,
  )
  return [...kept, { at, replicas: wanted }]
}

/** The highest count of the window. */
export function heldCount(window: readonly WantedAt[]): number {
  return window.reduce((highest, entry) => Math.max(highest, entry.replicas), 0)
}
