// What can go wrong between us and Prometheus, told apart because the cures differ. Messages name the failure
// and never an address, a header or a credential: they end up in observations and bug reports.

export type PrometheusFailure =
  /** No complete answer in time. */
  | 'timeout'
  /** No connection, a broken one, or a certificate that does not verify. */
  | 'unreachable'
  /** A status that says nothing about the query: 401, 404, 429, 5xx. */
  | 'httpStatus'
  /** The query itself is at fault: it does not parse (400) or cannot be evaluated (422). */
  | 'refused'
  /** An answer that is not Prometheus' format. */
  | 'badAnswer'
  /** A token, password or certificate file that cannot be read. */
  | 'credentials'
  /** The caller gave up. */
  | 'aborted'

export class PrometheusError extends Error {
  readonly failure: PrometheusFailure
  /** The HTTP status, where there was one. */
  readonly status: number | undefined
  /** How long the server asks us to stay away, where it does. */
  readonly retryAfterSeconds: number | undefined

  constructor(
    failure: PrometheusFailure,
    message: string,
    detail: { readonly status?: number; readonly retryAfterSeconds?: number | undefined } = {},
  ) {
    super(message)
    this.name = 'PrometheusError'
    this.failure = failure
    this.status = detail.status
    this.retryAfterSeconds = detail.retryAfterSeconds
  }
}

/** Whether the same question may succeed a moment later. */
export function isTransient({ failure, status }: PrometheusError): boolean {
  if (failure === 'timeout' || failure === 'unreachable') return true
  return failure === 'httpStatus' && status !== undefined && (status === 429 || status >= 500)
}
