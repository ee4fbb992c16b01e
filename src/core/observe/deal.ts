// Answers dealt out to variants: each row goes to the variants whose claim it meets, in one pass.
import type { VariantId } from '../policy.ts'
import { isMissing, type Missing, missing } from '../reading.ts'
import { type Claim, isServed } from './claims.ts'
import { addTo, groupBy } from './group.ts'
import { type Answer, labelOf, partLabel, type QueryId, type Row } from './series.ts'

export type Answers = ReadonlyMap<QueryId, Answer>

/** Rows by query and variant; a query that failed is missing for every variant, with the reason. */
export type Dealt = ReadonlyMap<QueryId, ReadonlyMap<VariantId, readonly Row[]> | Missing>

export function deal(claims: readonly Claim[], answers: Answers): Dealt {
  const labels = new Set(claims.map(({ label }) => label))
  const claimants = groupBy(claims, ({ label, value, namespace }) => keyOf(label, value, namespace))
  const dealt = new Map<QueryId, ReadonlyMap<VariantId, readonly Row[]> | Missing>()
  for (const [query, answer] of answers) {
    if (answer.kind !== 'rows') {
      dealt.set(query, missing('backendDown', answer.why))
      continue
    }
    const owned = new Map<VariantId, Row[]>()
    for (const row of answer.rows) {
      for (const label of labels) {
        const key = keyOf(label, labelOf(row, label), labelOf(row, 'namespace'))
        for (const claim of claimants.get(key) ?? []) {
          if (isServed(claim, row)) addTo(owned, claim.variant, row)
        }
      }
    }
    dealt.set(query, owned)
  }
  return dealt
}

export function rowsFor(
  dealt: Dealt,
  variant: VariantId,
  query: QueryId,
  part: string,
): readonly Row[] | Missing {
  const owned = dealt.get(query) ?? missing('backendDown', `query ${query} was not asked`)
  if (isMissing(owned)) return owned
  return (owned.get(variant) ?? []).filter((row) => ['', part].includes(labelOf(row, partLabel)))
}

function keyOf(label: string, value: string, namespace: string): string {
  return JSON.stringify([label, value, namespace])
}
