// What this scaler told others and saw, read back from its own metrics: a server that starts learns from them which
// targets were emitted last, and which replicas Kubernetes showed at instants that Kubernetes itself forgets.
import type { Observation, ReplicaCounts, VariantSignals } from '../observation.ts'
import type { VariantId } from '../policy.ts'
import { isMissing, missing, type Reading } from '../reading.ts'
import { labelOf, type Row } from './series.ts'

const target = 'mixscaler_target_replicas'
const current = 'mixscaler_current_replicas'
const states = ['desired', 'ready', 'starting', 'terminating'] as const

/** Labels in both spellings: without `honorLabels` Prometheus renames ours. Several servers say the same. */
const labels = 'namespace, exported_namespace, policy, variant'

export function targetsQuery(matchers: Readonly<Record<string, string>>): string {
  return `max by (${labels}) (${target}${selector(matchers)})`
}

export function replicasQuery(matchers: Readonly<Record<string, string>>): string {
  return `max by (${labels}, state) (${current}${selector(matchers)})`
}

export function emittedTargets(rows: readonly Row[]): Readonly<Record<VariantId, number>> {
  const counts = rows.filter(({ value }) => Number.isInteger(value) && value >= 0)
  return Object.fromEntries(counts.map((row) => [variantOf(row), row.value]))
}

export function recordedReplicas(rows: readonly Row[]): Readonly<Record<VariantId, ReplicaCounts>> {
  const counts: Record<VariantId, Partial<Record<string, number>>> = {}
  for (const row of rows)
    counts[variantOf(row)] = { ...counts[variantOf(row)], [labelOf(row, 'state')]: row.value }
  return Object.fromEntries(
    Object.entries(counts).flatMap(([id, of]) => {
      const [desired, ready, starting, terminating] = states.map((state) => of[state])
      return desired === undefined ||
        ready === undefined ||
        starting === undefined ||
        terminating === undefined
        ? []
        : [[id, { desired, ready, starting, terminating }]]
    }),
  )
}

/**
 * A past observation with the replicas of its time. Without a record of them, what reported metrics then is counted,
 * and a variant that reported nothing and has nothing now is taken to have had nothing.
 */
export function withReplicas(
  observation: Observation,
  recorded: Readonly<Record<VariantId, ReplicaCounts>>,
  now: Readonly<Record<VariantId, Reading<ReplicaCounts>>>,
): Observation {
  const replicasOf = (id: VariantId, { replicas }: VariantSignals): Reading<ReplicaCounts> => {
    const known = recorded[id]
    if (known !== undefined || !isMissing(replicas)) return known ?? replicas
    const present = now[id] ?? missing('noSeries')
    const nothing = !isMissing(present) && present.desired + present.ready + present.starting === 0
    return replicas.missing === 'noSeries' && nothing ? present : replicas
  }
  return {
    ...observation,
    variants: Object.fromEntries(
      Object.entries(observation.variants).map(([id, signals]) => [
        id,
        { ...signals, replicas: replicasOf(id, signals) },
      ]),
    ),
  }
}

function variantOf(row: Row): VariantId {
  const exported = labelOf(row, 'exported_namespace')
  const namespace = exported === '' ? labelOf(row, 'namespace') : exported
  return `${namespace}/${labelOf(row, 'policy')}/${labelOf(row, 'variant')}`
}

function selector(matchers: Readonly<Record<string, string>>): string {
  const terms = Object.entries(matchers).map(([label, value]) => `${label}=${JSON.stringify(value)}`)
  return terms.length === 0 ? '' : `{${terms.join(', ')}}`
}
