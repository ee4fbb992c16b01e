// What looks wrong in the metrics, in sentences. A label that does not match makes a scaler silently inert;
// so every pod of a served model that no variant claims is named, and every variant that matches nothing.
import type { VariantSignals } from '../observation.ts'
import type { VariantId } from '../policy.ts'
import { isMissing } from '../reading.ts'
import { type Claim, isClaimed, isServed } from './claims.ts'
import { groupBy } from './group.ts'
import type { QueryPlan } from './queries.ts'
import { type Answer, labelOf, type QueryId, type Row, workloadLabel } from './series.ts'

const mostWarnings = 50

export function warningsAbout(
  plan: QueryPlan,
  answers: ReadonlyMap<QueryId, Answer>,
  variants: Readonly<Record<VariantId, VariantSignals>>,
): readonly string[] {
  const inventory = rowsOf(answers, 'inventory')
  const doubled = rowsOf(answers, 'doubled').filter(({ value }) => value > 1)
  const found = [
    ...[...plan.unusable].map(([id, problem]) => `variant ${id} cannot be recognised: ${problem}`),
    ...plan.claims.flatMap((claim) => inert(claim, inventory, variants[claim.variant])),
    ...unclaimed(plan.claims, inventory, doubled),
    ...doubled.map(
      (row) =>
        `${workloadOf(row)}: every series is there ${row.value} times; do several monitors scrape its pods? Counted once`,
    ),
  ]
  const unique = [...new Set(found)].sort()
  if (unique.length <= mostWarnings) return unique
  return [...unique.slice(0, mostWarnings), `and ${unique.length - mostWarnings} more`]
}

function inert(
  claim: Claim,
  inventory: readonly Row[],
  signals: VariantSignals | undefined,
): readonly string[] {
  const own = inventory.filter((row) => isClaimed(claim, row))
  const strangers = own.filter((row) => !isServed(claim, row)).map((row) => labelOf(row, 'model_name'))
  if (strangers.length > 0) {
    return [
      `variant ${claim.variant}: its pods report the model ${list(strangers)}, the policy serves ${list(claim.servedNames)}`,
    ]
  }
  const reporting = signals?.reporting
  return reporting !== undefined && isMissing(reporting) && reporting.missing === 'noSeries'
    ? [`variant ${claim.variant} matches no series: ${claim.how} in namespace ${claim.namespace}`]
    : []
}

function unclaimed(
  claims: readonly Claim[],
  inventory: readonly Row[],
  doubled: readonly Row[],
): readonly string[] {
  const inNamespace = groupBy(claims, ({ namespace }) => namespace)
  const twice = new Set(doubled.map(workloadOf))
  const claimed = new Set<string>()
  const strays: Row[] = []
  for (const row of inventory) {
    const here = inNamespace.get(labelOf(row, 'namespace')) ?? []
    if (here.some((claim) => isClaimed(claim, row))) claimed.add(workloadOf(row))
    else if (here.some((claim) => claim.servedNames.includes(labelOf(row, 'model_name')))) strays.push(row)
  }
  return strays
    .filter((row) => !(claimed.has(workloadOf(row)) && twice.has(workloadOf(row)))) // the copy without labels
    .map((row) => {
      const pods = row.value === 1 ? '1 pod' : `${row.value} pods`
      return `${workloadOf(row)}: ${pods} of the model ${list([labelOf(row, 'model_name')])} that no variant claims`
    })
}

function workloadOf(row: Row): string {
  const name = labelOf(row, workloadLabel)
  return `${labelOf(row, 'namespace')}/${name === '' ? '(pods whose workload is not known)' : name}`
}

function rowsOf(answers: ReadonlyMap<QueryId, Answer>, query: QueryId): readonly Row[] {
  const answer = answers.get(query)
  return answer?.kind === 'rows' ? answer.rows : []
}

function list(names: readonly string[]): string {
  return [...new Set(names)]
    .sort()
    .map((name) => JSON.stringify(name))
    .join(', ')
}
