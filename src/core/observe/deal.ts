// Answers dealt out to variants: each row goes to the variants whose claim it meets, in one pass.
import type { VariantId } from '../policy.ts'
import { isMissing, type Missing, missing } from '../reading.ts'
import { type Claim, claimantsIn, isServed } from './claims.ts'
import { addTo, mapped } from './group.ts'
import { type Answer, labelOf, partLabel, type QueryId, type Row } from './series.ts'

export type Answers = ReadonlyMap<QueryId, Answer>

/** Rows by query and variant; a query that failed is missing for every variant, with the reason. */
export type Dealt = ReadonlyMap<QueryId, ReadonlyMap<VariantId, readonly Row[]> | Missing>

export function deal(claims: readonly Claim[], answers: Answers): Dealt {
  const claimants = claimantsIn(claims)
  return mapped(answers, (answer) => {
    if (answer.kind !== 'rows') return missing('backendDown', answer.why)
    const owned = new Map<VariantId, Row[]>()
    for (const row of answer.rows) {
      for (const claim of claimants(row)) if (isServed(claim, row)) addTo(owned, claim.variant, row)
    }
    return owned
  })
}

export function rowsFor(
  dealt: Dealt,
  variant: VariantId,
  query: QueryId,
  part: string,
): readonly Row[] | Missing {
  const owned = dealt.get(query) ?? missing('backendDown', `query ${query} was not asked`)
  if (isMissing(owned)) return owned
  return (owned.get(variant) ?? []).filter((row) => {
    const own = labelOf(row, partLabel)
    return own === part || own === ''
  })
}
