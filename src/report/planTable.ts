// A decision as text for a person: per policy its classes, its variants with now, plan, target, cost and why,
// and what the fleet costs now and by the plan. The sentences are those of src/core/sentence.ts.
import type { Capacity } from '../core/capacity/question.ts'
import type {
  ClassDecision,
  CostPerHour,
  Decision,
  PolicyDecision,
  VariantDecision,
} from '../core/decision.ts'
import { isMissing } from '../core/reading.ts'
import type { Reason } from '../core/reason.ts'
import { limitName, missingName, sentence } from '../core/sentence.ts'
import { type Compared, comparedSentence } from './compared.ts'
import { change, money, percent, rate, shown } from './figures.ts'
import { bullets, type ColumnHead, table, wrap } from './table.ts'

/** `width` in columns. Ends with a line feed. */
export function planTable(decision: Decision, width: number, whatIf?: Compared): string {
  const time = new Date(decision.at * 1000).toISOString().replace('.000Z', 'Z')
  const lines = [`Plan for ${time}${whatIf === undefined ? '' : `, what if ${whatIf.change}`}`]
  for (const policy of decision.policies) lines.push('', ...policyLines(policy, width))
  if (decision.policies.length !== 1) lines.push('', `All policies: ${costLine(decision.costPerHour)}`)
  if (whatIf !== undefined) lines.push('', ...wrap(comparedSentence(whatIf), width))
  if (decision.warnings.length > 0) lines.push('', 'Warnings:', ...bullets(decision.warnings, width))
  return `${lines.join('\n')}\n`
}

function policyLines(policy: PolicyDecision, width: number): string[] {
  const title = `${policy.namespace}/${policy.name}: ${policy.status} (${policy.model})`
  return [
    title,
    ...bullets(policy.reasons.map(sentence), width),
    '',
    ...table(classHeads, policy.classes.map(classCells), width),
    '',
    ...table(variantHeads, policy.variants.map(variantCells), width),
    '',
    `Cost: ${costLine(policy.costPerHour)}`,
  ]
}

const classHeads: readonly ColumnHead[] = [
  { title: 'CLASS', align: 'left' },
  { title: 'DEMAND/S', align: 'right' },
  { title: 'PLANNED/S', align: 'right' },
  { title: 'SHORT/S', align: 'right' },
  { title: 'TTFT MET', align: 'right' },
  { title: 'ITL MET', align: 'right' },
  { title: 'NOTE', align: 'left' },
]

function classCells(each: ClassDecision): string[] {
  return [
    each.name,
    shown(each.demand, rate),
    shown(each.plannedFor, rate),
    shown(each.shortfall, rate),
    shown(each.attainment.ttft, percent),
    shown(each.attainment.itl, percent),
    isMissing(each.demand) ? `demand unknown: ${missingName(each.demand.missing)}` : '',
  ]
}

const variantHeads: readonly ColumnHead[] = [
  { title: 'VARIANT', align: 'left' },
  { title: 'NOW', align: 'right' },
  { title: 'PLAN', align: 'right' },
  { title: 'TARGET', align: 'right' },
  { title: '$/H NOW', align: 'right' },
  { title: '$/H PLAN', align: 'right' },
  { title: 'LIMITED BY', align: 'left' },
  { title: 'WHY', align: 'left' },
]

function variantCells(variant: VariantDecision): string[] {
  return [
    variant.role === 'unified' ? variant.name : `${variant.name} (${variant.role})`,
    shown(variant.replicas, ({ ready, starting }) => (starting > 0 ? `${ready}+${starting}` : `${ready}`)),
    shown(variant.wanted, String),
    targetCell(variant),
    shown(variant.replicas, ({ ready, starting }) =>
      ((ready + starting) * variant.costPerReplicaHour).toFixed(2),
    ),
    shown(variant.wanted, (wanted) => (wanted * variant.costPerReplicaHour).toFixed(2)),
    limits(variant.capacity),
    variant.reasons.map((reason: Reason) => sentence(reason)).join('; '),
  ]
}

/** The HPA's own count beside the target where its dead band makes another one of it. */
function targetCell({ target, effective }: VariantDecision): string {
  const text = shown(target, String)
  return isMissing(effective) || effective === target ? text : `${text} (HPA ${effective})`
}

function limits(capacity: Readonly<Record<string, Capacity>>): string {
  const entries = Object.entries(capacity)
  const name = ({ kind, limitedBy }: Capacity) =>
    kind === 'feasible' ? limitName(limitedBy) : `cannot: ${limitName(limitedBy)}`
  const distinct = new Set(entries.map(([, each]) => name(each)))
  return distinct.size <= 1
    ? [...distinct].join()
    : entries.map(([key, each]) => `${key} ${name(each)}`).join(', ')
}

/** The target's cost differs from the plan's only while a hold or a step limit is in force. */
function costLine({ now, plan, target }: CostPerHour): string {
  const planned = `now ${shown(now, money)}, plan ${shown(plan, money)}${change(now, plan)}`
  return isMissing(target) || target === plan ? planned : `${planned}, target now ${money(target)}`
}
