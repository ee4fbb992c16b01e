// How long the reader waits for what, and the clock that it waits by. Tests shorten these; nothing else should need to.

export interface Timing {
  /** A last good answer older than this is given no more. */
  readonly staleAfterSeconds: number
  /** Every list is read anew after this, whatever the watch said. */
  readonly resyncSeconds: number
  /** Scale subresources cannot be watched: each is read this often, as the HPA itself does. */
  readonly scaleRefreshSeconds: number
  readonly requestSeconds: number
  /** The server is asked to end a watch after this, with a bookmark: a quiet cluster is told from a dead link. */
  readonly watchSeconds: number
  /** First and longest pause after a failure; it doubles in between. */
  readonly retrySeconds: { readonly first: number; readonly longest: number }
  /** Changed targets are written as Events this often, one ScaledObject's no more often than every `eventPauseSeconds`. */
  readonly eventRoundSeconds: number
  readonly eventPauseSeconds: number
}

export const defaultTiming: Timing = {
  staleAfterSeconds: 120,
  resyncSeconds: 600,
  scaleRefreshSeconds: 15,
  requestSeconds: 10,
  watchSeconds: 25,
  eventRoundSeconds: 2,
  eventPauseSeconds: 60,
  retrySeconds: { first: 1, longest: 30 },
}

/** Ages are taken on this clock: the wall clock can step. */
export function monotonicSeconds(): number {
  return performance.now() / 1000
}
