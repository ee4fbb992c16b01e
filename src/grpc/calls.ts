// Around every call, whatever its service: a request must be complete in time (KEDA sets no deadlines of its
// own), each end is reported with its code, and open streams can be ended cleanly when the server stops.
import { ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js'
import type { Clock } from './clock.ts'

export interface FinishedCall {
  /** `/package.Service/Method`. */
  readonly path: string
  /** gRPC's name of the code: `OK`, `UNAVAILABLE`, ... `CANCELLED`: the client left, or sent what cannot be read. */
  readonly code: string
  readonly milliseconds: number
}

interface CallGuard {
  readonly interceptor: ServerInterceptor
  /** Ends every open response stream with OK. */
  readonly endStreams: () => void
}

/**
 * Handlers answer from memory in the tick in which the request is complete, so the time a request may take to
 * arrive is all the time there is to limit.
 */
export function guardCalls(
  requestMilliseconds: number,
  finished: (call: FinishedCall) => void,
  clock: Clock,
): CallGuard {
  const endings = new Set<() => void>()

  const interceptor: ServerInterceptor = (method, call) => {
    const startedAt = clock.now()
    let open = true
    const finish = (code: status): void => {
      if (!open) return
      open = false
      cancelDeadline()
      endings.delete(endCleanly)
      finished({ path: method.path, code: status[code], milliseconds: clock.now() - startedAt })
    }
    const end = (code: status, details: string): void => {
      finish(code)
      call.sendStatus({ code, details, metadata: null })
    }
    const endCleanly = (): void => end(status.OK, '')
    // A client that streams its requests may take its time between them.
    const cancelDeadline = method.requestStream
      ? () => undefined
      : clock.after(requestMilliseconds, () =>
          end(status.DEADLINE_EXCEEDED, `the request was not complete within ${requestMilliseconds} ms`),
        )
    if (method.responseStream) endings.add(endCleanly)
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveHalfClose: (proceed) => {
            cancelDeadline()
            proceed()
          },
          onCancel: () => finish(status.CANCELLED),
        }),
      sendStatus: (sent, next) => {
        finish(sent.code)
        next(sent)
      },
    })
  }

  const endStreams = (): void => {
    for (const end of endings) end()
  }

  return { interceptor, endStreams }
}
