// Instant queries against Prometheus and what speaks its API (Thanos, Mimir, VictoriaMetrics): bounded in time,
// size, number and attempts. A query only reads, so repeating it is safe; the answer is for a stated instant.
import axios, { type AxiosResponse, isAxiosError } from 'axios'
import { type InstantAnswer, instantAnswer, refusal } from './answer.ts'
import { type CredentialOptions, type Credentials, credentialReader } from './credentials.ts'
import { isTransient, PrometheusError } from './error.ts'
import { slots } from './slots.ts'

export interface PrometheusOptions extends CredentialOptions {
  /** Without credentials and without `/api/v1`: `https://mimir.example/prometheus`. */
  readonly url: string
  /** For one attempt, and for one query with all its attempts and pauses. */
  readonly attemptSeconds?: number
  readonly querySeconds?: number
  readonly attempts?: number
  readonly maxResponseBytes?: number
  readonly maxConcurrentQueries?: number
}

/** What the client may not take from the world by itself. */
interface Environment {
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Resolves after so many seconds, or at once when the signal aborts. */
  readonly sleep: (seconds: number, signal: AbortSignal) => Promise<void>
}

export interface PrometheusClient {
  /** Evaluates at `at` (seconds since the epoch). Rejects with a PrometheusError, with nothing else. */
  readonly instant: (query: string, at: number, signal: AbortSignal) => Promise<InstantAnswer>
  readonly close: () => void
}

const firstPauseSeconds = 0.2
const longestPauseSeconds = 2

export function prometheusClient(options: PrometheusOptions, environment: Environment): PrometheusClient {
  const {
    attemptSeconds = 5,
    querySeconds = 10,
    attempts = 3,
    maxResponseBytes = 64 * 2 ** 20,
    maxConcurrentQueries = 8,
  } = options
  const url = queryUrl(options.url)
  const credentials = credentialReader(options)
  const turns = slots(maxConcurrentQueries)

  async function ask(query: string, at: number, ended: AbortSignal): Promise<InstantAnswer> {
    const known = await credentials.read()
    const response = await axios
      .request<string>({
        method: 'POST',
        url,
        data: new URLSearchParams({
          query,
          time: String(at),
          timeout: `${attemptSeconds}s`,
          partial_response: 'false', // Thanos: a store that is down must not look like a smaller fleet
        }).toString(),
        headers: { ...known.headers, 'Content-Type': 'application/x-www-form-urlencoded' },
        httpAgent: known.httpAgent,
        httpsAgent: known.httpsAgent,
        maxContentLength: maxResponseBytes,
        maxRedirects: 0,
        responseType: 'text',
        signal: ended,
        transformResponse: [(body: string) => body],
        validateStatus: () => true,
      })
      .catch((error: unknown) => {
        throw transportError(error, maxResponseBytes)
      })
    try {
      if (response.status === 200) return instantAnswer(response.data)
      throw statusError(response)
    } catch (error) {
      if (error instanceof Error) error.message = withoutSecrets(error.message, known)
      throw error
    }
  }

  async function attempt(
    query: string,
    at: number,
    signal: AbortSignal,
    left: number,
  ): Promise<InstantAnswer> {
    const seconds = Math.max(0, Math.min(attemptSeconds, left))
    const timeout = AbortSignal.timeout(Math.ceil(seconds * 1000))
    try {
      return await ask(query, at, AbortSignal.any([signal, timeout]))
    } catch (error) {
      if (signal.aborted) throw new PrometheusError('aborted', 'the query was stopped')
      if (timeout.aborted) throw new PrometheusError('timeout', `no answer within ${seconds.toFixed(1)} s`)
      throw error
    }
  }

  async function insist(query: string, at: number, signal: AbortSignal): Promise<InstantAnswer> {
    const end = performance.now() + querySeconds * 1000
    const left = () => (end - performance.now()) / 1000
    for (let tried = 1; ; tried++) {
      try {
        return await attempt(query, at, signal, left())
      } catch (error) {
        if (!(error instanceof PrometheusError) || !isTransient(error) || tried >= attempts) throw error
        const longest = Math.min(longestPauseSeconds, firstPauseSeconds * 2 ** (tried - 1))
        const pause = error.retryAfterSeconds ?? environment.random() * longest
        if (pause >= left()) throw error
        await environment.sleep(pause, signal)
      }
    }
  }

  return {
    instant: (query, at, signal) => turns.use(() => insist(query, at, signal)),
    close: credentials.close,
  }
}

function queryUrl(base: string): string {
  const url = URL.canParse(base) ? new URL(base) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new RangeError('the URL of Prometheus must start with http:// or https://')
  }
  if (url.username !== '' || url.password !== '') {
    throw new RangeError('the URL of Prometheus must not contain credentials: use a password or token file')
  }
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/api/v1/query`
  return url.toString()
}

function transportError(error: unknown, maxResponseBytes: number): PrometheusError {
  if (!isAxiosError(error)) return new PrometheusError('unreachable', 'the request failed')
  if (error.message.startsWith('maxContentLength')) {
    return new PrometheusError('badAnswer', `answer longer than ${maxResponseBytes} bytes`)
  }
  return new PrometheusError('unreachable', `no connection: ${error.code ?? 'the request failed'}`)
}

function statusError({ status, data, headers }: AxiosResponse<string>): PrometheusError {
  const told = refusal(data)
  if (told !== undefined && (status === 400 || status === 422)) {
    return new PrometheusError('refused', told.slice(0, 300), { status })
  }
  const wait = Number(headers['retry-after'])
  const retryAfterSeconds = Number.isFinite(wait) && wait >= 0 ? wait : undefined
  return new PrometheusError('httpStatus', `HTTP status ${status}`, { status, retryAfterSeconds })
}

/** A back end may repeat in its error what we sent. */
function withoutSecrets(text: string, { secrets }: Credentials): string {
  return secrets.reduce((clean, secret) => clean.replaceAll(secret, '***'), text)
}
