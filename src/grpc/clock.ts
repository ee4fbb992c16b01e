// Time as the server uses it, passed in so that tests of pace and age need not wait.

export interface Clock {
  /** Milliseconds, monotonic. */
  readonly now: () => number
  /** Calls back once after that many milliseconds, unless the returned function is called first. */
  readonly after: (milliseconds: number, callback: () => void) => () => void
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds)
    return () => clearTimeout(timer)
  },
}
