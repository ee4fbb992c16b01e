// How long calls wait at a server: one every few milliseconds, whether the last one was answered or not, so that each waits as long
// as the server's event loop does.
import { connect } from 'node:http2'
import { call, type Frames, type Method } from './keda.ts'

interface Pinging {
  /** Resolves once all are answered: their milliseconds, sorted. */
  readonly stop: () => Promise<readonly number[]>
}

export function pinging(
  url: string,
  method: Exclude<Method, 'StreamIsActive'>,
  frames: Frames,
  everyMilliseconds: number,
): Pinging {
  const session = connect(url)
  const waits: number[] = []
  const under = new Set<Promise<void>>()
  const timer = setInterval(() => {
    const begun = performance.now()
    const one = call(session, method, frames[method])
      .then(() => void waits.push(performance.now() - begun))
      .finally(() => under.delete(one))
    under.add(one)
  }, everyMilliseconds)
  return {
    stop: async () => {
      clearInterval(timer)
      await Promise.all(under)
      session.destroy()
      return waits.sort((x, y) => x - y)
    },
  }
}
