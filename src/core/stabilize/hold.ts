// Up at once, down late: the plan is made for the highest demand of the hold window. It is the demand that is
// held, not each variant's count: the maxima of counts over a window add up to more than any plan ever wanted.

export interface PeakAt {
  readonly at: number
  readonly requestsPerSecond: number
}

/** The window with the newest value added; only what can still become the highest is kept. */
export function remember(
  window: readonly PeakAt[],
  requestsPerSecond: number,
  at: number,
  holdSeconds: number,
): readonly PeakAt[] {
  const since = at - holdSeconds
  const kept = window.filter(
    (entry) => entry.at > since && entry.at <= at && entry.requestsPerSecond > requestsPerSecond,
  )
  return [...kept, { at, requestsPerSecond }]
}

export function highest(window: readonly PeakAt[]): number {
  return window.reduce((peak, entry) => Math.max(peak, entry.requestsPerSecond), 0)
}
