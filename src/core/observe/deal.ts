// Answers dealt out to variants: each row goes to the variants whose claim it meets, in one pass. Who that is follows from
// the labels, which the rows of a series share at all instants of a range: it is found once for each series.
import type { VariantId } from '../policy.ts'
import { isMissing, type Missing, missing } from '../reading.ts'
import { type Claimants, isServed } from './claims.ts'
import { addTo, mapped } from './group.ts'
import { type Answer, labelOf, partLabel, type QueryId, type Row } from './series.ts'

export type Answers = ReadonlyMap<QueryId, Answer>

/** Rows by query, part and variant; a query that failed is missing for every variant, with the reason. */
export type Dealt = ReadonlyMap<
  QueryId,
  ReadonlyMap<string, ReadonlyMap<VariantId, readonly Row[]>> | Missing
>

interface Owned {
  readonly part: string
  readonly by: readonly VariantId[]
}

/** For many answers to the same plan. */
export function dealer(claimants: Claimants): (answers: Answers) => Dealt {
  const known = new WeakMap<Row['labels'], Owned>()
  const ownedOf = (row: Row): Owned => {
    const found = known.get(row.labels)
    if (found !== undefined) return found
    const by = claimants(row)
      .filter((claim) => isServed(claim, row))
      .map(({ variant }) => variant)
    const owned = { part: labelOf(row, partLabel), by }
    known.set(row.labels, owned)
    return owned
  }
  return (answers) =>
    mapped(answers, (answer) => {
      if (answer.kind !== 'rows') return missing('backendDown', answer.why)
      const parts = new Map<string, Map<VariantId, Row[]>>()
      for (const row of answer.rows) {
        const { part, by } = ownedOf(row)
        if (by.length === 0) continue
        const owned = parts.get(part) ?? new Map<VariantId, Row[]>()
        if (owned.size === 0) parts.set(part, owned)
        for (const variant of by) addTo(owned, variant, row)
      }
      return parts
    })
}

/** A row without a part is of the only one there is. */
export function rowsFor(
  dealt: Dealt,
  variant: VariantId,
  query: QueryId,
  part: string,
): readonly Row[] | Missing {
  const parts = dealt.get(query) ?? notAsked(query)
  if (isMissing(parts)) return parts
  const own = parts.get(part)?.get(variant) ?? none
  const whole = parts.get('')?.get(variant) ?? none
  return whole.length === 0 ? own : own.length === 0 ? whole : [...own, ...whole]
}

const none: readonly Row[] = []

/** One for each query: a past of demand alone has twenty of them for every variant at every instant. */
function notAsked(query: QueryId): Missing {
  const known = unasked.get(query) ?? missing('backendDown', `query ${query} was not asked`)
  unasked.set(query, known)
  return known
}

const unasked = new Map<QueryId, Missing>()
