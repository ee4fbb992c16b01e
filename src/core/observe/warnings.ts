// What looks wrong in the metrics, in sentences. A label that does not match makes a scaler silently inert;
// so every pod of a served model that no variant claims is named, and every variant that matches nothing.
import type { VariantSignals } from '../observation.ts'
import type { VariantId } from '../policy.ts'
import { isMissing, type Reading } from '../reading.ts'
import { type Claim, type Claimants, isServed } from './claims.ts'
import { addTo, groupBy, mapped } from './group.ts'
import type { QueryPlan } from './queries.ts'
import { type Answer, labelOf, type QueryId, type Row, workloadLabel } from './series.ts'

const mostWarnings = 50

export function warningsAbout(
  plan: QueryPlan,
  answers: ReadonlyMap<QueryId, Answer>,
  variants: Readonly<Record<VariantId, VariantSignals>>,
  claimants: Claimants,
): readonly string[] {
  const inventory = rowsOf(answers, 'inventory')
  const doubled = rowsOf(answers, 'doubled').filter(({ value }) => value > 1)
  const strangers = strangerModels(inventory, claimants)
  const found = [
    ...[...plan.unusable].map(([id, problem]) => `variant ${id} cannot be recognised: ${problem}`),
    ...plan.claims.flatMap((claim) => inert(claim, strangers.get(claim), variants[claim.variant]?.reporting)),
    ...unclaimed(plan.claims, inventory, doubled, claimants),
    ...doubled.map(
      (row) =>
        `${workloadOf(row)}: every series is there ${row.value} times; do several monitors scrape its pods? Counted once`,
    ),
  ]
  const unique = [...new Set(found)].sort()
  if (unique.length <= mostWarnings) return unique
  return [...unique.slice(0, mostWarnings), `and ${unique.length - mostWarnings} more`]
}

/** Models that a claim's pods report and its policy does not serve. */
function strangerModels(
  inventory: readonly Row[],
  claimants: Claimants,
): ReadonlyMap<Claim, readonly string[]> {
  const models = new Map<Claim, string[]>()
  for (const row of inventory) {
    for (const claim of claimants(row))
      if (!isServed(claim, row)) addTo(models, claim, labelOf(row, 'model_name'))
  }
  return models
}

function inert(
  claim: Claim,
  strangers: readonly string[] | undefined,
  reporting: Reading | undefined,
): readonly string[] {
  if (strangers !== undefined) {
    return [
      `variant ${claim.variant}: its pods report the model ${list(strangers)}, the policy serves ${list(claim.servedNames)}`,
    ]
  }
  return reporting !== undefined && isMissing(reporting) && reporting.missing === 'noSeries'
    ? [`variant ${claim.variant} matches no series: ${claim.how} in namespace ${claim.namespace}`]
    : []
}

function unclaimed(
  claims: readonly Claim[],
  inventory: readonly Row[],
  doubled: readonly Row[],
  claimants: Claimants,
): readonly string[] {
  const served = mapped(
    groupBy(claims, ({ namespace }) => namespace),
    (here) => new Set(here.flatMap(({ servedNames }) => servedNames)),
  )
  const twice = new Set(doubled.map(workloadOf))
  const claimed = new Set<string>()
  const strays: Row[] = []
  for (const row of inventory) {
    if (claimants(row).length > 0) claimed.add(workloadOf(row))
    else if (served.get(labelOf(row, 'namespace'))?.has(labelOf(row, 'model_name'))) strays.push(row)
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
