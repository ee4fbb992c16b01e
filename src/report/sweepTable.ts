// The same plan at several values of one thing, as a table for people and a document for programs: where does the
// bill bend, and from where on is something short?
import type { Decision, PolicyDecision } from '../core/decision.ts'
import type { PolicySet } from '../core/policy.ts'
import { isMissing, type Reading } from '../core/reading.ts'
import type { Reason } from '../core/reason.ts'
import { limitName } from '../core/sentence.ts'
import { plannedCount, type Totals, totals } from '../core/totals.ts'
import { rate, shown } from './figures.ts'
import { type ColumnHead, table } from './table.ts'

export interface Sweep {
  /** As it was asked: `demand=0.5x..4x:8`, and the what-if that holds for every value. */
  readonly sweep: string
  readonly whatIf?: string
  /** Seconds since the epoch. */
  readonly at: number
  readonly steps: readonly SweepStep[]
}

export interface SweepStep {
  readonly value: string
  /** The policies at this value, and what was decided on them. */
  readonly policies: PolicySet
  readonly decision: Decision
}

/** `width` in columns. Ends with a line feed. */
export function sweepTable(sweep: Sweep, width: number): string {
  const time = new Date(sweep.at * 1000).toISOString().replace('.000Z', 'Z')
  const under = sweep.whatIf === undefined ? '' : `, what if ${sweep.whatIf}`
  const lines = [`Sweep of ${sweep.sweep} for ${time}${under}`]
  const ids = sweep.steps[0]?.decision.policies.map(({ id }) => id) ?? []
  for (const id of ids) {
    const rows = sweep.steps.flatMap(({ value, policies, decision }) =>
      only(id, policies, decision).map((each) => ({ value, ...each })),
    )
    lines.push('', id, ...tableOf(rows, width))
  }
  if (ids.length > 1) {
    const rows = sweep.steps.map(({ value, policies, decision }) => ({
      value,
      all: totals(policies, decision),
      replicas: [],
      limitedBy: [],
    }))
    lines.push('', 'All policies', ...tableOf(rows, width))
  }
  return `${lines.join('\n')}\n`
}

export function sweepDocument({ sweep, whatIf, at, steps }: Sweep): object {
  return {
    format: 'mixscaler-sweep/1',
    at,
    time: new Date(at * 1000).toISOString(),
    sweep,
    ...(whatIf === undefined ? {} : { whatIf }),
    steps: steps.map(({ value, policies, decision }) => ({
      value,
      ...totals(policies, decision),
      policies: decision.policies.flatMap(({ id, status }) =>
        only(id, policies, decision).map(({ all, replicas, limitedBy }) => ({
          id,
          status,
          ...all,
          replicas: Object.fromEntries(replicas),
          limitedBy,
        })),
      ),
    })),
  }
}

/** One line of a table. */
interface Row {
  readonly value: string
  readonly all: Totals
  readonly replicas: readonly (readonly [variant: string, count: Reading])[]
  readonly limitedBy: readonly string[]
}

/** Of one policy at one value; empty where it is not among the decisions. */
function only(id: string, policies: PolicySet, decision: Decision): readonly Omit<Row, 'value'>[] {
  return decision.policies
    .filter((policy) => policy.id === id)
    .map((policy) => ({
      all: totals(policies, { ...decision, policies: [policy], costPerHour: policy.costPerHour }),
      replicas: policy.variants.map((variant) => [variant.name, plannedCount(variant)] as const),
      limitedBy: limits(policy),
    }))
}

function tableOf(rows: readonly Row[], width: number): string[] {
  const [first] = rows
  const variants = first?.replicas.map(([name]) => name) ?? []
  const pools = Object.keys(first?.all.gpus ?? {})
  const right = (title: string): ColumnHead => ({ title, align: 'right' })
  const heads = [
    { title: 'VALUE', align: 'left' } as const,
    right('$/H'),
    ...variants.map(right),
    ...pools.map((pool) => right(`${pool} GPUS`)),
    right('SHORT/S'),
    { title: variants.length === 0 ? '' : 'LIMITED BY', align: 'left' } as const,
  ]
  return table(
    heads,
    rows.map(({ value, all, replicas, limitedBy }) => [
      value,
      shown(all.costPerHour, (perHour) => perHour.toFixed(2)),
      ...replicas.map(([, count]) => shown(count, String)),
      ...pools.map((pool) => shown(all.gpus[pool] ?? 0, String)),
      rate(Object.values(all.shortfall).reduce((sum, short) => sum + short, 0)),
      limitedBy.join(', '),
    ]),
    width,
  )
}

/** What stops the plan, and what the replicas that carry something are sized by. */
function limits({ status, reasons, variants }: PolicyDecision): readonly string[] {
  const carrying = variants
    .filter(({ wanted }) => !isMissing(wanted) && wanted > 0)
    .flatMap((variant) => variant.reasons)
  return [
    ...new Set([
      ...(status === 'held' ? ['held'] : []),
      ...reasons.flatMap(sharedLimit),
      ...variants.flatMap(({ name, reasons: own }) =>
        own.flatMap(({ kind }) => (kind === 'atMax' ? [`max of ${name}`] : [])),
      ),
      ...carrying.flatMap((reason) => (reason.kind === 'carries' ? [limitName(reason.limitedBy)] : [])),
    ]),
  ]
}

function sharedLimit(reason: Reason): readonly string[] {
  switch (reason.kind) {
    case 'poolFull':
      return [`pool ${reason.pool}`]
    case 'overBudget':
      return ['budget']
    case 'notWorthIt':
      return ['hold band']
    default:
      return []
  }
}
