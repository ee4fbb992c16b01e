// The JSON of Prometheus' HTTP API as rows. Nothing is taken on trust: a proxy's error page, a truncated body
// or a series that is there twice is a bad answer, not a smaller fleet.
import type { Row } from '../core/observe/series.ts'
import { PrometheusError } from './error.ts'

export interface InstantAnswer {
  readonly rows: readonly Row[]
  /** What the back end warns about, such as a store that did not take part. */
  readonly warnings: readonly string[]
}

/** One series over time: only the instants at which it has a value. */
export interface SampledSeries {
  readonly labels: Readonly<Record<string, string>>
  readonly samples: readonly TimedValue[]
}

interface TimedValue {
  /** Seconds since the epoch. */
  readonly at: number
  readonly value: number
}

export interface RangeAnswer {
  readonly series: readonly SampledSeries[]
  readonly warnings: readonly string[]
}

export function instantAnswer(body: string): InstantAnswer {
  const { data, result, warnings } = success(body)
  switch (data['resultType']) {
    case 'vector':
      return {
        rows: distinct(result, 'value').map(({ labels, values }) => ({
          labels,
          value: sample(values).value,
        })),
        warnings,
      }
    case 'scalar':
      return { rows: [{ labels: {}, value: sample(result).value }], warnings }
    default:
      throw bad(`resultType is ${show(data['resultType'])}, not a vector or a scalar`)
  }
}

/** A range of a scalar is a matrix too. */
export function rangeAnswer(body: string): RangeAnswer {
  const { data, result, warnings } = success(body)
  if (data['resultType'] !== 'matrix') throw bad(`resultType is ${show(data['resultType'])}, not a matrix`)
  const series = distinct(result, 'values').map(({ labels, values }) => ({
    labels,
    samples: values.map((pair, index) => sample(Array.isArray(pair) ? pair : list(pair, `sample ${index}`))),
  }))
  return { series, warnings }
}

/** The `error` of an answer with status 400 or 422; undefined where the body is not Prometheus' own. */
export function refusal(body: string): string | undefined {
  try {
    const { status, error } = record(json(body), 'the answer')
    return status === 'error' && typeof error === 'string' ? error : undefined
  } catch {
    return undefined
  }
}

function success(body: string) {
  const root = record(json(body), 'the answer')
  if (root['status'] !== 'success') throw bad(`status is ${show(root['status'])}: ${show(root['error'])}`)
  const data = record(root['data'], 'data')
  return {
    data,
    result: list(data['result'], 'data.result'),
    warnings: root['warnings'] === undefined ? [] : list(root['warnings'], 'warnings').map(String),
  }
}

/** Series with what stands under `key`, checked to be labelled with text and to be there once. */
function distinct(result: readonly unknown[], key: 'value' | 'values') {
  const seen = new Set<string>()
  return result.map((entry, index) => {
    const series = record(entry, `result ${index}`)
    const labels = record(series['metric'], `result ${index}, metric`)
    let identity = ''
    for (const name in labels) {
      if (typeof labels[name] !== 'string') throw bad(`result ${index}, label ${name} is not text`)
      identity += `${name}\0${labels[name]}\0`
    }
    if (seen.has(identity)) throw bad(`result ${index} is a series that was there before`)
    seen.add(identity)
    return {
      labels: labels as Readonly<Record<string, string>>,
      values: list(series[key], `result ${index}`),
    }
  })
}

/** `[time, "value"]`; values are text because JSON has neither NaN nor infinity. */
function sample(pair: readonly unknown[]): TimedValue {
  const [time, text] = pair
  if (pair.length !== 2 || typeof time !== 'number' || typeof text !== 'string') {
    throw bad(`${show(pair)} is not a time and a value`)
  }
  return { at: time, value: numberOf(text) }
}

function numberOf(text: string): number {
  switch (text) {
    case 'NaN':
      return Number.NaN
    case '+Inf':
    case 'Inf':
      return Number.POSITIVE_INFINITY
    case '-Inf':
      return Number.NEGATIVE_INFINITY
    default: {
      const value = text.trim() === '' ? Number.NaN : Number(text)
      if (!Number.isFinite(value)) throw bad(`${show(text)} is not a value`)
      return value
    }
  }
}

function json(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw bad(`not JSON, or cut short, after ${body.length} characters`)
  }
}

function record(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>
  }
  throw bad(`${name} is ${show(value)}, not an object`)
}

function list(value: unknown, name: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw bad(`${name} is ${show(value)}, not a list`)
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? 'absent').slice(0, 100)
}

function bad(message: string): PrometheusError {
  return new PrometheusError('badAnswer', `answer not understood: ${message}`)
}
