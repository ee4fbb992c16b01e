// The requests that are made of the Kubernetes API: GET an object, watch a list, and, for Events alone, write. All end: a
// server that accepts and then says nothing runs into a time limit, and stopping ends what is under way.
import {
  HttpMethod,
  IsomorphicFetchHttpLibrary,
  type KubeConfig,
  RequestContext,
} from '@kubernetes/client-node'

export type Query = Readonly<Record<string, string>>

export interface KubernetesApi {
  /**
   * The body, an object of this `kind`: a proxy's `{}` must not pass for an empty list or a count of 0.
   * Throws `ApiError`, or what the network threw.
   */
  readonly get: (path: string, kind: string, query: Query, limits: RequestLimits) => Promise<object>
  /**
   * One event per line until the server closes (returns) or something fails (throws). `onOpen` is called when the
   * server has accepted. `limits.seconds` bounds each silence, not the whole.
   */
  readonly watch: (path: string, query: Query, limits: RequestLimits, sink: WatchSink) => Promise<void>
  /** POST creates, PUT replaces. Throws `ApiError`, 409 where somebody was faster, or what the network threw. */
  readonly write: (method: 'POST' | 'PUT', path: string, body: object, limits: RequestLimits) => Promise<void>
}

export interface RequestLimits {
  readonly seconds: number
  /** Ends the request when aborted. */
  readonly signal: AbortSignal
}

export interface WatchSink {
  readonly onOpen: () => void
  readonly onEvent: (event: unknown) => void
}

/** The server refused. The text holds its status, never its body: that can name users. */
export class ApiError extends Error {
  readonly status: number

  constructor(status: number) {
    super(`HTTP ${status}`)
    this.name = 'ApiError'
    this.status = status
  }
}

/** Short text for logs and readings: a status or the kind of network failure, without addresses. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return 'the request failed'
  const cause = error.cause
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
  return `${error.message}${code}`
}

export function kubernetesApi(config: KubeConfig): KubernetesApi {
  const library = new IsomorphicFetchHttpLibrary()
  // The client would open new connections for each request; one dispatcher keeps them, until one fails.
  let connections: ReturnType<RequestContext['getDispatcher']>

  async function open(path: string, query: Query, signal: AbortSignal, written?: Written) {
    const server = config.getCurrentCluster()?.server ?? ''
    const method = written === undefined ? HttpMethod.GET : HttpMethod[written.method]
    const request = new RequestContext(`${server}${path}?${new URLSearchParams(query)}`, method)
    if (written !== undefined) {
      request.setHeaderParam('Content-Type', 'application/json')
      request.setBody(JSON.stringify(written.body))
    }
    await config.applySecurityAuthentication(request)
    if (connections === undefined) connections = request.getDispatcher()
    else request.setDispatcher(connections)
    request.setHeaderParam('Accept', 'application/json')
    request.setSignal(signal)
    const response = await library.send(request).toPromise()
    if (response.httpStatusCode !== 200 && !(written !== undefined && response.httpStatusCode === 201)) {
      await response.body.stream()?.cancel()
      throw new ApiError(response.httpStatusCode)
    }
    return response.body
  }

  async function forgettingConnections<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      if (!(error instanceof ApiError)) connections = undefined
      throw error
    }
  }

  return {
    get: (path, kind, query, limits) =>
      forgettingConnections(() =>
        withTimeLimit(limits, async (signal) => {
          const body: unknown = JSON.parse(await (await open(path, query, signal)).text())
          if (isOfKind(body, kind)) return body
          throw new Error(`the answer is not a ${kind}`)
        }),
      ),
    write: (method, path, body, limits) =>
      forgettingConnections(() =>
        withTimeLimit(limits, async (signal) => {
          await (await open(path, {}, signal, { method, body })).stream()?.cancel()
        }),
      ),
    watch: (path, query, limits, sink) =>
      forgettingConnections(() =>
        withTimeLimit(limits, async (signal, restart) => {
          const body = await open(path, { ...query, watch: 'true' }, signal)
          sink.onOpen()
          restart()
          for await (const line of lines(body.stream(), restart)) sink.onEvent(JSON.parse(line))
        }),
      ),
  }
}

interface Written {
  readonly method: 'POST' | 'PUT'
  readonly body: object
}

function isOfKind(body: unknown, kind: string): body is object {
  return typeof body === 'object' && body !== null && 'kind' in body && body.kind === kind
}

async function* lines(
  stream: ReadableStream<Uint8Array> | null,
  onBytes: () => void,
): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream ?? []) {
    onBytes()
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    yield* parts.filter((part) => part.trim() !== '')
  }
  // What is left has no end of line: the connection broke inside an event, which the next watch brings again.
}

/** Gives `run` a signal that is aborted after `seconds` without a `restart`, or with the caller's signal. */
async function withTimeLimit<T>(
  limits: RequestLimits,
  run: (signal: AbortSignal, restart: () => void) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const stop = () => controller.abort(limits.signal.reason)
  const expire = () => controller.abort(new Error(`no answer within ${limits.seconds} s`))
  const timer = setTimeout(expire, limits.seconds * 1000)
  limits.signal.addEventListener('abort', stop, { once: true })
  if (limits.signal.aborted) stop()
  try {
    return await run(controller.signal, () => timer.refresh())
  } finally {
    clearTimeout(timer)
    limits.signal.removeEventListener('abort', stop)
  }
}
