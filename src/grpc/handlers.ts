// KEDA's four RPCs: each asks answers.ts and passes the answer on. No handler waits for anything.
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServerErrorResponse,
  type ServerWritableStream,
  type StatusObject,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import type { Publication } from '../core/publication.ts'
import { type ActivityStream, type Pace, streamActivity } from './activity.ts'
import {
  type Answer,
  getMetricSpec,
  getMetrics,
  isActive,
  type MetadataLimits,
  type Refusal,
  refusal,
} from './answers.ts'
import type { Clock } from './clock.ts'
import type { Problem } from './problems.ts'
import type {
  GetMetricSpecResponse,
  GetMetricsRequest,
  GetMetricsResponse,
  IsActiveResponse,
  ScaledObjectRef,
} from './protocol.ts'

export interface StreamLimits {
  readonly maxStreams: number
  /** One ScaledObject has a stream per trigger, twice while its old ones still close. */
  readonly maxStreamsPerRef: number
}

interface HandlerOptions {
  readonly publication: Publication
  readonly limits: MetadataLimits & StreamLimits
  readonly pace: Pace
  readonly clock: Clock
  readonly problem: (problem: Problem) => void
  readonly streamsOpen: (count: number) => void
}

interface Handlers {
  readonly implementation: UntypedServiceImplementation
  /** Ends every StreamIsActive with OK. */
  readonly endStreams: () => void
}

export function createHandlers(options: HandlerOptions): Handlers {
  const { publication, limits } = options
  const streams = createStreams(options)

  const unary =
    <Request, Response>(
      method: string,
      answerTo: (request: Request) => Answer<Response>,
      refOf: (request: Request) => ScaledObjectRef | null,
    ): handleUnaryCall<Request, Response> =>
    (call, callback) => {
      const answer = guarded(() => answerTo(call.request))
      if (answer.kind === 'answer') {
        callback(null, answer.value)
        return
      }
      report(options, method, answer, refOf(call.request))
      callback(statusOf(answer))
    }

  const getMetricSpecHandler: handleUnaryCall<ScaledObjectRef, GetMetricSpecResponse> = unary(
    'GetMetricSpec',
    (ref) => getMetricSpec(ref, limits),
    (ref) => ref,
  )
  const getMetricsHandler: handleUnaryCall<GetMetricsRequest, GetMetricsResponse> = unary(
    'GetMetrics',
    (request) => getMetrics(request, publication, limits),
    (request) => request.scaledObjectRef,
  )
  const isActiveHandler: handleUnaryCall<ScaledObjectRef, IsActiveResponse> = unary(
    'IsActive',
    (ref) => isActive(ref, publication, limits),
    (ref) => ref,
  )
  return {
    implementation: {
      GetMetricSpec: getMetricSpecHandler,
      GetMetrics: getMetricsHandler,
      IsActive: isActiveHandler,
      StreamIsActive: streams.handle,
    },
    endStreams: streams.endAll,
  }
}

type ActivityCall = ServerWritableStream<ScaledObjectRef, IsActiveResponse>

interface Streams {
  readonly handle: handleServerStreamingCall<ScaledObjectRef, IsActiveResponse>
  readonly endAll: () => void
}

function createStreams(options: HandlerOptions): Streams {
  const { publication, limits } = options
  const open = new Set<ActivityStream>()
  const openPerRef = new Map<string, number>()

  const admit = (call: ActivityCall): Refusal | undefined => {
    const answer = guarded(() => isActive(call.request, publication, limits))
    // Not known yet is no reason to turn a stream away: it stays silent until it is.
    if (answer.kind === 'refusal' && answer.code !== 'UNAVAILABLE') return answer
    if (open.size >= limits.maxStreams) {
      return refusal('RESOURCE_EXHAUSTED', `no more than ${limits.maxStreams} streams are served at a time`)
    }
    if ((openPerRef.get(keyOf(call.request)) ?? 0) >= limits.maxStreamsPerRef) {
      return refusal('RESOURCE_EXHAUSTED', `one ScaledObject may hold ${limits.maxStreamsPerRef} streams`)
    }
    return undefined
  }

  const serve = (call: ActivityCall): void => {
    const key = keyOf(call.request)
    const stream = streamActivity(
      {
        ask: () => guarded(() => isActive(call.request, publication, limits)),
        subscribe: publication.subscribe,
      },
      { write: (response, written) => call.write(response, () => written()), end: () => call.end() },
      options.pace,
      options.clock,
    )
    open.add(stream)
    openPerRef.set(key, (openPerRef.get(key) ?? 0) + 1)
    options.streamsOpen(open.size)
    // grpc-js tells every end this way: the client's cancellation, a broken connection, and our own.
    call.once('cancelled', () => {
      stream.release()
      open.delete(stream)
      const others = (openPerRef.get(key) ?? 0) - 1
      if (others > 0) openPerRef.set(key, others)
      else openPerRef.delete(key)
      options.streamsOpen(open.size)
    })
  }

  return {
    handle: (call) => {
      const refused = admit(call)
      if (refused === undefined) {
        serve(call)
        return
      }
      report(options, 'StreamIsActive', refused, call.request)
      call.emit('error', statusOf(refused))
    },
    endAll: () => {
      for (const stream of open) stream.end()
    },
  }
}

function keyOf(ref: ScaledObjectRef): string {
  return `${ref.namespace}/${ref.name}`
}

/** A bug must not look like an answer, nor show its stack to the caller. */
function guarded<T>(ask: () => Answer<T>): Answer<T> {
  try {
    return ask()
  } catch (error) {
    return refusal('INTERNAL', 'internal error: the scaler logs it', String(error))
  }
}

function statusOf(refused: Refusal): Partial<StatusObject> & ServerErrorResponse {
  return { name: refused.code, message: refused.text, code: status[refused.code], details: refused.text }
}

/** Names come from the wire, where nothing bounds them but the message size. */
const longestName = 253

function report(
  options: HandlerOptions,
  method: string,
  refused: Refusal,
  ref: ScaledObjectRef | null,
): void {
  options.problem({
    method,
    code: refused.code,
    text: refused.detail ?? refused.text,
    namespace: (ref?.namespace ?? '').slice(0, longestName),
    name: (ref?.name ?? '').slice(0, longestName),
  })
}
