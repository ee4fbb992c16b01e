// A measured value, or why there is none. Missing data is a value with a reason, never 0:
// the difference between "no load" and "no data" is the difference between saving money and an outage.

export type MissingReason =
  | 'backendDown' // Prometheus (or Kubernetes) did not answer
  | 'noSeries' // the back end answered, and knows no such series
  | 'noReplicas' // no series because nothing runs
  | 'notANumber' // 0/0: nothing happened in the window
  | 'infinite' // a ratio over zero, or a corrupt sample
  | 'stale' // the newest sample is older than the staleness budget
  | 'notScraped' // targets exist and their scrape fails
  | 'idle' // a ratio or a mean over no events
  | 'notReported' // this engine or version has no such metric

export interface Missing {
  readonly missing: MissingReason
  /** What was looked for, for people: a metric's name, a variant. Never an address or a secret. */
  readonly detail?: string
}

export type Reading<T = number> = T | Missing

export function missing(reason: MissingReason, detail?: string): Missing {
  return detail === undefined ? { missing: reason } : { missing: reason, detail }
}

export function isMissing<T>(reading: Reading<T>): reading is Missing {
  return typeof reading === 'object' && reading !== null && 'missing' in reading
}
