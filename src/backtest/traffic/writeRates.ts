// A rate series as text: what readRates reads back. The form in which traffic from Prometheus is played and kept.
import { figure } from '../record.ts'
import type { LengthFigures } from './lengthPoints.ts'

export interface RateRow {
  /** Since the epoch: where the window begins. */
  readonly fromSeconds: number
  readonly requestsPerSecond: number
  readonly prompt: LengthFigures
  readonly output: LengthFigures
  /** Of the time between arrivals; absent where it could not be told, in all rows alike. */
  readonly cv?: number
}

const percentiles = ['mean', 'p50', 'p95', 'p99'] as const

export function rateSeriesText(rows: readonly RateRow[]): string {
  const withCv = rows.every(({ cv }) => cv !== undefined)
  const head = [
    ...['t_s', 'rate_req_s'],
    ...(withCv ? ['cv'] : []),
    ...['prompt', 'output'].flatMap((side) => percentiles.map((name) => `${side}_${name}`)),
  ]
  const lines = rows.map(({ fromSeconds, requestsPerSecond, prompt, output, cv }) =>
    [
      String(fromSeconds),
      ...[requestsPerSecond, ...(withCv && cv !== undefined ? [cv] : [])].map(text),
      ...[prompt, output].flatMap((figures) =>
        percentiles.map((name) => text(figures[name] ?? figures.mean)),
      ),
    ].join(','),
  )
  return `${[head, ...lines].join('\n')}\n`
}

/** Six digits, never with an exponent that spreadsheets misread. */
function text(value: number): string {
  return Math.abs(value) < 1e-6 ? '0' : String(figure(value))
}
