// Minutes to columns that a chart can show: weeks have more minutes than a page has points. A bucket is the mean of its
// minutes that have a value; one without any has none.
import { rounded } from '../../core/explain/alternatives.ts'

export interface Cut {
  /** Minutes before it, the warm-up, are left out. */
  readonly fromMinute: number
  readonly bucketSeconds: number
}

const most = 400
const widths = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400]

/** A round width that leaves at most 400 of them. */
export function bucketSeconds(spanSeconds: number): number {
  return (
    widths.find((width) => spanSeconds / width <= most) ?? Math.ceil(spanSeconds / most / 86_400) * 86_400
  )
}

export function means(
  minutes: readonly (number | null)[],
  { fromMinute, bucketSeconds: width }: Cut,
  of: 'mean' | 'highest' = 'mean',
): readonly (number | null)[] {
  const perBucket = width / 60
  const kept = minutes.slice(fromMinute)
  return Array.from({ length: Math.ceil(kept.length / perBucket) }, (_, bucket) => {
    const values = kept
      .slice(bucket * perBucket, (bucket + 1) * perBucket)
      .filter((value): value is number => value !== null)
    if (values.length === 0) return null
    return rounded(of === 'mean' ? mean(values) : Math.max(...values))
  })
}

/** Minute by minute; null where one of them has no value. */
export function sums(columns: readonly (readonly (number | null)[])[]): readonly (number | null)[] {
  const [first = []] = columns
  return first.map((_, minute) =>
    columns.reduce<number | null>((sum, column) => {
      const value = column[minute] ?? null
      return sum === null || value === null ? null : sum + value
    }, 0),
  )
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
