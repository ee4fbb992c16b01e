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
  const streams = new Set<GuardedCall>()
  const interceptor: ServerInterceptor = (method, next) => {
    const startedAt = clock.now()
    const call: GuardedCall = new GuardedCall(next, (code) => {
      if (method.responseStream) streams.delete(call)
      finished({ path: method.path, code: status[code], milliseconds: clock.now() - startedAt })
    })
    if (method.responseStream) streams.add(call)
    // A client that streams its requests may take its time between them.
    if (!method.requestStream) {
      call.cancelDeadline = clock.after(requestMilliseconds, () =>
        call.end(status.DEADLINE_EXCEEDED, `the request was not complete within ${requestMilliseconds} ms`),
      )
    }
    return call
  }
  const endStreams = (): void => {
    for (const call of streams) call.end(status.OK, '')
  }
  return { interceptor, endStreams }
}

type NextCall = ConstructorParameters<typeof ServerInterceptingCall>[0]
type Listener = Parameters<ServerInterceptingCall['start']>[0]

/** Passes everything straight on, which costs less per call than the listener and responder chain of grpc-js. */
class GuardedCall extends ServerInterceptingCall {
  cancelDeadline: () => void = () => undefined
  readonly #next: NextCall
  #report: ((code: status) => void) | undefined

  constructor(next: NextCall, report: (code: status) => void) {
    super(next)
    this.#next = next
    this.#report = report
  }

  end(code: status, details: string): void {
    this.sendStatus({ code, details, metadata: null })
  }

  override start(listener: Listener): void {
    this.#next.start({
      onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
      onReceiveMessage: (message) => listener.onReceiveMessage(message),
      onReceiveHalfClose: () => {
        this.cancelDeadline()
        listener.onReceiveHalfClose()
      },
      onCancel: () => {
        this.#finish(status.CANCELLED)
        listener.onCancel()
      },
    })
  }

  override sendMetadata(metadata: Parameters<NextCall['sendMetadata']>[0]): void {
    this.#next.sendMetadata(metadata)
  }

  override sendMessage(message: unknown, callback: () => void): void {
    this.#next.sendMessage(message, callback)
  }

  override sendStatus(sent: Parameters<NextCall['sendStatus']>[0]): void {
    this.#finish(sent.code)
    this.#next.sendStatus(sent)
  }

  #finish(code: status): void {
    this.cancelDeadline()
    this.#report?.(code)
    this.#report = undefined
  }
}
