// How fast a backlog has to be worked off so that it is done in time.

/** A backlog past its deadline, or due at once, is spread over this: nothing can be done in no time. */
export const overdueDrainSeconds = 60

/**
 * Requests per second that finish `requests` by the deadline. The whole backlog is taken to be as old as its
 * oldest part, which the aggregate cannot tell apart: early, never late. Asked again at every tick, so the rate
 * rises as the deadline nears.
 */
export function backlogRate(requests: number, secondsLeft: number): number {
  return requests / Math.max(secondsLeft, overdueDrainSeconds)
}
