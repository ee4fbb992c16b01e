// One variant's eyes: its rows of a query, or the reason why it sees none.
import type { Histogram } from '../histogram.ts'
import type { ReplicaCounts } from '../observation.ts'
import type { VariantId } from '../policy.ts'
import { isMissing, type Missing, missing, type Reading } from '../reading.ts'
import { type Dealt, rowsFor } from './deal.ts'
import { absence, type Evidence, staleness } from './evidence.ts'
import type { QueryPlan } from './queries.ts'
import type { QueryId, Row } from './series.ts'
import { histogramOf, type Range, total } from './values.ts'

/** A part of a query, what people call it, and whether every version of the engine has it. */
export interface Signal {
  readonly query: QueryId
  readonly part: string
  readonly name: string
  readonly reportedBy: 'everyVersion' | 'some'
  readonly range: Range
}

export interface Sight {
  readonly rows: (signal: Signal) => readonly Row[] | Missing
  readonly sum: (signal: Signal) => Reading
  /** The largest of the rows. */
  readonly most: (signal: Signal) => Reading
  /** `reportedBy` is that of its parts; `prefix` stands before their names where a query holds several histograms. */
  readonly histogram: (
    query: QueryId,
    name: string,
    reportedBy?: Signal['reportedBy'],
    prefix?: string,
  ) => Reading<Histogram>
}

export function sightOf(
  variant: VariantId,
  dealt: Dealt,
  plan: QueryPlan,
  at: number,
  counts: Reading<ReplicaCounts> | undefined,
): Sight {
  const blind = plan.unusable.get(variant)
  const evidence = evidenceFor(variant, dealt, counts)
  const past = staleness(evidence, at, plan.sampleMaxAgeSeconds)
  const rows = ({ query, part, name, reportedBy }: Signal): readonly Row[] | Missing => {
    if (blind !== undefined) return missing('noSeries', blind)
    const own = rowsFor(dealt, variant, query, part)
    if (isMissing(own)) return own
    if (past !== undefined) return past
    return own.length > 0 ? own : absence(evidence, name, reportedBy)
  }
  return {
    rows,
    sum: (signal) => {
      const own = rows(signal)
      return isMissing(own) ? own : total(own, signal.name, signal.range)
    },
    most: (signal) => {
      const own = rows(signal)
      return isMissing(own) ? own : largest(own)
    },
    histogram: (query, name, reportedBy = 'everyVersion', prefix = '') => {
      const part = { query, name, reportedBy, range: 'nonNegative' } as const
      const buckets = rows({ ...part, part: `${prefix}buckets` })
      const sums = rows({ ...part, part: `${prefix}sum` })
      if (isMissing(buckets)) return buckets
      return isMissing(sums) ? sums : histogramOf(buckets, sums, name)
    },
  }
}

function evidenceFor(variant: VariantId, dealt: Dealt, counts: Reading<ReplicaCounts> | undefined): Evidence {
  const reading = (query: QueryId, part: string): Reading => {
    const own = rowsFor(dealt, variant, query, part)
    return isMissing(own) ? own : total(own, part, 'nonNegative')
  }
  const newest = rowsFor(dealt, variant, 'presence', 'newestAt')
  return {
    counts,
    reporting: reading('presence', 'replicas'),
    newestAt: isMissing(newest) ? newest : largest(newest),
    targets: reading('targets', 'all'),
    targetsUp: reading('targets', 'up'),
  }
}

function largest(rows: readonly Row[]): Reading {
  const times = rows.map(({ value }) => value).filter(Number.isFinite)
  return times.length === 0 ? missing('noSeries') : Math.max(...times)
}
