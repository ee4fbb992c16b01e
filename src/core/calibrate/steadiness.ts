// Whether the replicas of a variant have been the same for long enough that their rates are those of warm engines.

/** Plain: the count that others are compared with, and since when it has held. */
export interface Steadiness {
  readonly ready: number
  readonly since: number
}

/** Of the replicas so many may come or go: the median engine is then not one of them. */
const changingShare = 0.2

/** The window of the rates, and as long again for a new engine to warm up. */
const settleSeconds = 120

export function advanceSteadiness(
  before: Steadiness | undefined,
  at: number,
  { ready, terminating }: { readonly ready: number; readonly terminating: number },
): Steadiness {
  if (before === undefined) return { ready, since: at }
  const changing = Math.max(Math.abs(ready - before.ready), terminating)
  return changing > changingShare * before.ready ? { ready, since: at } : before
}

export function isSettled({ ready, since }: Steadiness, at: number): boolean {
  return ready > 0 && at - since >= settleSeconds
}
