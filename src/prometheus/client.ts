// Queries against Prometheus and what speaks its API (Thanos, Mimir, VictoriaMetrics): bounded in time,
// size, number and attempts. A query only reads, so repeating it is safe; the answer is for a stated instant, or for each of a range.
import axios, { type AxiosResponse, isAxiosError } from 'axios'
import type { Span } from '../core/span.ts'
import { type InstantAnswer, instantAnswer, type RangeAnswer, rangeAnswer, refusal } from './answer.ts'
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
  /** Of all answers that are being read together; the one that would exceed it is given up. */
  readonly maxBytesUnderWay?: number
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
  /** Evaluates at each instant of the span, exactly as `instant` would. Rejects likewise. */
  readonly range: (query: string, span: Span, signal: AbortSignal) => Promise<RangeAnswer>
  readonly close: () => void
}

/** One question, and how its answer is read. */
interface Question<T> {
  readonly path: 'query' | 'query_range'
  readonly form: Readonly<Record<string, string>>
  readonly read: (body: string) => T
}

const firstPauseSeconds = 0.2
const longestPauseSeconds = 2

export function prometheusClient(options: PrometheusOptions, environment: Environment): PrometheusClient {
  const {
    attemptSeconds = 5,
    querySeconds = 10,
    attempts = 3,
    maxResponseBytes = 64 * 2 ** 20,
    maxBytesUnderWay = 128 * 2 ** 20,
    maxConcurrentQueries = 8,
  } = options
  const api = apiUrl(options.url)
  const credentials = credentialReader(options)
  const turns = slots(maxConcurrentQueries)
  let bytesUnderWay = 0

  /** The whole text, unless the answers that are read beside it leave no room. */
  async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
    const chunks: Buffer[] = []
    let bytes = 0
    try {
      for await (const chunk of body) {
        chunks.push(chunk)
        bytes += chunk.length
        bytesUnderWay += chunk.length
        if (bytesUnderWay > maxBytesUnderWay)
          throw new PrometheusError('badAnswer', `answers longer than ${maxBytesUnderWay} bytes together`)
      }
      return Buffer.concat(chunks).toString('utf8')
    } catch (error) {
      throw error instanceof PrometheusError ? error : transportError(error, maxResponseBytes)
    } finally {
      bytesUnderWay -= bytes
    }
  }

  async function ask<T>({ path, form, read }: Question<T>, ended: AbortSignal): Promise<T> {
    const known = await credentials.read()
    const response = await axios
      .request<AsyncIterable<Buffer>>({
        method: 'POST',
        url: `${api}/${path}`,
        data: new URLSearchParams({
          ...form,
          timeout: `${attemptSeconds}s`,
          partial_response: 'false', // Thanos: a store that is down must not look like a smaller fleet
        }).toString(),
        headers: { ...known.headers, 'Content-Type': 'application/x-www-form-urlencoded' },
        httpAgent: known.httpAgent,
        httpsAgent: known.httpsAgent,
        maxContentLength: maxResponseBytes,
        maxRedirects: 0,
        responseType: 'stream',
        signal: ended,
        validateStatus: () => true,
      })
      .catch((error: unknown) => {
        throw transportError(error, maxResponseBytes)
      })
    const body = await textOf(response.data)
    try {
      if (response.status === 200) return read(body)
      throw statusError(response, body)
    } catch (error) {
      if (error instanceof Error) error.message = withoutSecrets(error.message, known)
      throw error
    }
  }

  async function attempt<T>(question: Question<T>, signal: AbortSignal, left: number): Promise<T> {
    const seconds = Math.max(0, Math.min(attemptSeconds, left))
    const timeout = AbortSignal.timeout(Math.ceil(seconds * 1000))
    try {
      return await ask(question, AbortSignal.any([signal, timeout]))
    } catch (error) {
      if (signal.aborted) throw new PrometheusError('aborted', 'the query was stopped')
      if (timeout.aborted) throw new PrometheusError('timeout', `no answer within ${seconds.toFixed(1)} s`)
      throw error
    }
  }

  async function insist<T>(question: Question<T>, signal: AbortSignal): Promise<T> {
    const end = performance.now() + querySeconds * 1000
    const left = () => (end - performance.now()) / 1000
    for (let tried = 1; ; tried++) {
      try {
        return await attempt(question, signal, left())
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
    instant: (query, at, signal) => {
      const form = { query, time: String(at) }
      return turns.use(() => insist({ path: 'query', form, read: instantAnswer }, signal))
    },
    range: (query, { from, until, stepSeconds }, signal) => {
      const form = { query, start: String(from), end: String(until), step: String(stepSeconds) }
      return turns.use(() => insist({ path: 'query_range', form, read: rangeAnswer }, signal))
    },
    close: credentials.close,
  }
}

function apiUrl(base: string): string {
  const url = URL.canParse(base) ? new URL(base) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new RangeError('the URL of Prometheus must start with http:// or https://')
  }
  if (url.username !== '' || url.password !== '') {
    throw new RangeError('the URL of Prometheus must not contain credentials: use a password or token file')
  }
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/api/v1`
  return url.toString()
}

function transportError(error: unknown, maxResponseBytes: number): PrometheusError {
  if (!isAxiosError(error)) return new PrometheusError('unreachable', 'the request failed')
  if (error.message.startsWith('maxContentLength')) {
    return new PrometheusError('badAnswer', `answer longer than ${maxResponseBytes} bytes`)
  }
  return new PrometheusError('unreachable', `no connection: ${error.code ?? 'the request failed'}`)
}

function statusError({ status, headers }: AxiosResponse, body: string): PrometheusError {
  const told = refusal(body)
  if (told !== undefined && (status === 400 || status === 422)) {
    // The two paths word it differently, and the same mistake is to read the same.
    const what = told.replace(/^invalid parameter "query": /, '')
    return new PrometheusError('refused', what.slice(0, 300), { status })
  }
  const wait = Number(headers['retry-after'])
  const retryAfterSeconds = Number.isFinite(wait) && wait >= 0 ? wait : undefined
  return new PrometheusError('httpStatus', `HTTP status ${status}`, { status, retryAfterSeconds })
}

/** A back end may repeat in its error what we sent. */
function withoutSecrets(text: string, { secrets }: Credentials): string {
  return secrets.reduce((clean, secret) => clean.replaceAll(secret, '***'), text)
}
