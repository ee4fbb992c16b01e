// Time as the loop sees it: a port, so that tests and the demo can run on a virtual clock.
import { setTimeout as wait } from 'node:timers/promises'

export interface Clock {
  /** Seconds since the epoch. */
  readonly now: () => number
  /** Resolves after so many seconds, or at once when the signal aborts; never rejects. */
  readonly sleep: (seconds: number, signal: AbortSignal) => Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now() / 1000,
  // Timers count whole milliseconds and may fire one early: then a tick would be asked for just before its time.
  sleep: (seconds, signal) =>
    wait(Math.ceil(Math.max(0, seconds) * 1000) + 1, undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error
    }),
}

/** The tick at or before `now`: ticks are the multiples of the interval since the epoch, on every server alike. */
export function tickAt(now: number, intervalSeconds: number): number {
  return Math.floor(now / intervalSeconds) * intervalSeconds
}

/** The limit was reached: whoever was waited for may never answer. */
class DeadlineError extends Error {
  constructor(what: string, seconds: number) {
    super(`${what} took longer than ${seconds} s`)
    this.name = 'DeadlineError'
  }
}

/** Work that ends in time, or is told to abort and no longer waited for. */
export async function withDeadline<T>(
  clock: Clock,
  what: string,
  seconds: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController()
  const ended = AbortSignal.any([signal, over.signal])
  const deadline = clock.sleep(seconds, ended).then(() => {
    throw signal.aborted ? new Error(`${what} was stopped`) : new DeadlineError(what, seconds)
  })
  try {
    return await Promise.race([work(ended), deadline])
  } finally {
    over.abort()
    deadline.catch(() => undefined)
  }
}
