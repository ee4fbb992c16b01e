// Whether the replicas of a variant have been the same for long enough that their rates are those of warm engines: an exact
// function of the last minutes, so that a server that starts judges as one that never stopped.

/** Plain: the counts since `settleSeconds` before the last instant at which they were seen. */
export interface Steadiness {
  readonly at: number
  /** Oldest first. */
  readonly runs: readonly Run[]
}

/** Instants of equal counts. */
interface Run {
  readonly since: number
  readonly ready: number
  readonly terminating: number
}

/** Of the replicas so many may come or go: the median engine is then not one of them. */
const changingShare = 0.2

/** The window of the rates, and as long again for a new engine to warm up. What was not seen for so long begins anew. */
const settleSeconds = 120

/** No older instant has a part in whether replicas are settled. */
export const steadinessSeconds = 2 * settleSeconds

export function advanceSteadiness(
  before: Steadiness | undefined,
  at: number,
  { ready, terminating }: { readonly ready: number; readonly terminating: number },
): Steadiness {
  const known = before === undefined || at - before.at > settleSeconds ? [] : before.runs
  const last = known.at(-1)
  const same = last?.ready === ready && last.terminating === terminating
  const runs = same ? known : [...known, { since: at, ready, terminating }]
  const from = at - settleSeconds
  const begun = runs.findLast(({ since }) => since <= from)
  const later = runs.filter(({ since }) => since > from)
  return { at, runs: begun === undefined ? later : [{ ...begun, since: from }, ...later] }
}

export function isSettled({ at, runs }: Steadiness): boolean {
  const [first, now] = [runs[0], runs.at(-1)]
  if (first === undefined || now === undefined || now.ready === 0 || at - first.since < settleSeconds)
    return false
  return runs.every(
    ({ ready, terminating }) => Math.max(Math.abs(now.ready - ready), terminating) <= changingShare * ready,
  )
}
