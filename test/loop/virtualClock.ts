// A clock that moves only when a test says so: sleepers wake in the order of their times.
import type { Clock } from '../../src/loop/clock.ts'

export interface VirtualClock extends Clock {
  /** Moves on, waking sleepers on the way; work that they start gets its turn before the next one wakes. */
  readonly advance: (seconds: number) => Promise<void>
  /** The clock is set, as by an administrator: nobody has slept. */
  readonly set: (now: number) => void
}

interface Sleeper {
  left: number
  readonly wake: () => void
}

export function virtualClock(start: number): VirtualClock {
  let now = start
  const sleepers = new Set<Sleeper>()
  return {
    now: () => now,
    sleep: (seconds, signal) =>
      new Promise((resolve) => {
        const sleeper = {
          left: seconds,
          wake: () => {
            sleepers.delete(sleeper)
            signal.removeEventListener('abort', sleeper.wake)
            resolve()
          },
        }
        if (signal.aborted) resolve()
        else {
          sleepers.add(sleeper)
          signal.addEventListener('abort', sleeper.wake, { once: true })
        }
      }),
    advance: async (seconds) => {
      await settled()
      let left = seconds
      for (;;) {
        const soonest = Math.min(left, ...[...sleepers].map((sleeper) => sleeper.left))
        now += soonest
        left -= soonest
        for (const sleeper of sleepers) sleeper.left -= soonest
        const due = [...sleepers].filter((sleeper) => sleeper.left <= 0)
        for (const sleeper of due) sleeper.wake()
        await settled()
        if (left <= 0 && due.length === 0) return
      }
    },
    set: (to) => {
      now = to
    },
  }
}

/** All promises that can settle without time passing have settled. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
