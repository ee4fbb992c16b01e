// Long work on the event loop that answers KEDA, in slices: what waits gets its turn every few milliseconds, and work
// that is shorter pays nothing.
import { setImmediate as turn } from 'node:timers/promises'

const sliceMilliseconds = 10

/** To be awaited often: lets what waits run once the slice is used up. */
export function breather(): () => Promise<void> {
  let begun = performance.now()
  return async () => {
    if (performance.now() - begun < sliceMilliseconds) return
    await turn()
    begun = performance.now()
  }
}
