// Which work of a latency-tolerant class waits, and since when. Aggregates only tell how much waits; the ledger keeps
// lots of it by the time they came, as the class's deadlines need them. One deadline per class makes the oldest
// lot the most urgent one, so what was served is taken from there.

export interface Lot {
  /** Output tokens that wait. */
  readonly tokens: number
  /** All of it came at this time or later, in seconds since the epoch. */
  readonly since: number
}

export interface Ledger {
  /** When the work was last read. */
  readonly at: number
  /** Oldest first. */
  readonly lots: readonly Lot[]
  /** Tokens per second that were served, smoothed as the engines' own rates are. */
  readonly servedPerSecond: number
}

export interface WorkReading {
  readonly at: number
  /** Output tokens per second that arrive; 0 where that is not known. */
  readonly arrivingPerSecond: number
  readonly left: WorkLeft
}

/** What is left over from before: seen in full, or inferred from what was served since the last reading. */
export type WorkLeft =
  | { readonly kind: 'seen'; readonly tokens: number }
  | { readonly kind: 'served'; readonly tokensPerSecond: number }

/** Lots that came within one such part of the window stand as one, as old as its oldest. */
const binsPerWindow = 48

/** Time constant of `servedPerSecond`: about the window of the rates that it is compared with. */
const servedSeconds = 60

/**
 * The ledger after a reading. What arrives, and a backlog above what the ledger expects, came at an unknown moment since
 * the last reading and counts from that reading on, but from no longer ago than half the window: so a class seen for
 * the first time, or again after long, has half of its time left. At most `binsPerWindow` + 2 lots.
 */
export function enter(
  ledger: Ledger | undefined,
  { at, arrivingPerSecond, left }: WorkReading,
  completeWithinSeconds: number,
): Ledger {
  const earliest = at - completeWithinSeconds / 2
  const since = Math.min(at, Math.max(ledger?.at ?? earliest, earliest))
  const old = (ledger?.lots ?? []).map((lot) => ({ ...lot, since: Math.min(lot.since, at) }))
  const came = arrivingPerSecond * (at - since)
  const expected = total(old) + came
  const remaining =
    left.kind === 'seen' ? left.tokens : Math.max(0, expected - left.tokensPerSecond * (at - since))
  const fresh = { tokens: came + Math.max(0, remaining - expected), since }
  const lots = newest([...old, fresh], remaining)
  const before = ledger?.servedPerSecond ?? 0
  const served = at > since ? Math.max(0, expected - remaining) / (at - since) : before
  return {
    at,
    lots: binned(lots, at, completeWithinSeconds),
    servedPerSecond: before + (served - before) * -Math.expm1((since - at) / servedSeconds),
  }
}

function total(lots: readonly Lot[]): number {
  return lots.reduce((sum, { tokens }) => sum + tokens, 0)
}

/** The youngest lots that add up to `tokens`: whatever else there was has been served. */
function newest(lots: readonly Lot[], tokens: number): readonly Lot[] {
  const kept: Lot[] = []
  let missing = tokens
  for (const lot of [...lots].reverse()) {
    if (missing <= 0) break
    kept.push({ ...lot, tokens: Math.min(lot.tokens, missing) })
    missing -= lot.tokens
  }
  return kept.reverse()
}

/** One lot for all that is overdue, and one per bin of the window: no deadline moves to a later time. */
function binned(lots: readonly Lot[], at: number, completeWithinSeconds: number): readonly Lot[] {
  const binOf = ({ since }: Lot): number =>
    since <= at - completeWithinSeconds
      ? Number.NEGATIVE_INFINITY
      : Math.floor((since * binsPerWindow) / completeWithinSeconds)
  const merged: Lot[] = []
  for (const lot of lots) {
    if (!(lot.tokens > 0)) continue
    const last = merged.at(-1)
    if (last !== undefined && binOf(last) === binOf(lot)) {
      merged[merged.length - 1] = { ...last, tokens: last.tokens + lot.tokens }
    } else merged.push(lot)
  }
  return merged
}
