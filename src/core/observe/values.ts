// From rows to a number or the reason why there is none. NaN, infinity and impossible signs are told apart:
// none of them may turn into 0.
import type { Histogram } from '../histogram.ts'
import { isMissing, missing, type Reading } from '../reading.ts'
import { groupBy } from './group.ts'
import { labelOf, type Row } from './series.ts'

/** `nonNegative`: levels, counters and their rates. `any`: slopes. */
export type Range = 'nonNegative' | 'any'

/** The sum of the rows' values, whatever order they come in; `name` is for people. */
export function total(rows: readonly Row[], name: string, range: Range): Reading {
  const [only] = rows
  if (rows.length === 1 && only !== undefined && only.value > 0 && only.value < Number.POSITIVE_INFINITY)
    return only.value
  let sum = 0
  // Back ends order an instant and a range differently, and floating-point sums depend on the order.
  const values = rows.map(({ value }) => value)
  if (values.length > 2) values.sort((x, y) => x - y)
  for (const value of values) {
    if (Number.isNaN(value)) return missing('notANumber', name)
    if (!Number.isFinite(value)) return missing('infinite', name)
    if (range === 'nonNegative' && value < 0) return missing('infinite', `${name}: ${value} is below 0`)
    sum += value
  }
  return Number.isFinite(sum) ? sum : missing('infinite', name)
}

/** A share of events, or `idle` where there were none. Extrapolated rates may leave 0..1 by a hair. */
export function share(part: Reading, whole: Reading, name: string): Reading {
  if (isMissing(part)) return part
  if (isMissing(whole)) return whole
  return whole > 0 ? Math.min(1, part / whole) : missing('idle', name)
}

/**
 * Cumulative rows, one for each `le`, as a histogram. Where replicas of two versions have different edges,
 * a sum may fall from one edge to the next: it is raised to the last one, as histogram_quantile does.
 */
export function histogramOf(buckets: readonly Row[], sums: readonly Row[], name: string): Reading<Histogram> {
  const sumPerSecond = total(sums, name, 'nonNegative')
  if (isMissing(sumPerSecond)) return sumPerSecond
  const atEdge = groupBy(buckets, (row) => edgeOf(labelOf(row, 'le')))
  atEdge.delete(Number.NaN)
  if (sums.length === 0 || !atEdge.has(Number.POSITIVE_INFINITY)) {
    return missing('notReported', `${name}: not a whole histogram`)
  }
  const upperBounds: number[] = []
  const perSecond: number[] = []
  let below = 0
  for (const [edge, rows] of [...atEdge].sort(([a], [b]) => a - b)) {
    const upTo = total(rows, name, 'nonNegative')
    if (isMissing(upTo)) return upTo
    if (edge < Number.POSITIVE_INFINITY) upperBounds.push(edge)
    perSecond.push(Math.max(0, upTo - below))
    below = Math.max(below, upTo)
  }
  return below > 0 ? { upperBounds, perSecond, sumPerSecond } : missing('idle', name)
}

/** NaN for what is no edge. */
function edgeOf(le: string): number {
  if (le === '+Inf') return Number.POSITIVE_INFINITY
  return le.trim() === '' ? Number.NaN : Number(le)
}
