// The queries of a tick, answered from memory as Prometheus would answer their PromQL
// (src/prometheus/promql.ts): read, fold duplicates, name the variant, aggregate. An integration test puts
// the same questions to both and compares.
import { deploymentPod, groupReplica, literal, replicaSet, statefulPod } from '../core/observe/podNames.ts'
import {
  type Grouping,
  type Part,
  partLabel,
  type Row,
  type SeriesQuery,
  variantLabel,
  type WorkloadSource,
  workloadLabel,
} from '../core/observe/series.ts'
import type { ReadSeries, SeriesStore } from './seriesStore.ts'
import type { Labels } from './seriesText.ts'

export function answerQuery(store: SeriesStore, query: SeriesQuery, at: number): readonly Row[] {
  const rows = new Map<string, Row>()
  for (const part of query.parts) {
    for (const grouping of query.groupings) {
      for (const row of answerPart(store, query, part, grouping, at)) {
        const labels = query.parts.length === 1 ? row.labels : { ...row.labels, [partLabel]: part.name }
        const identity = JSON.stringify(labels)
        if (!rows.has(identity)) rows.set(identity, { labels, value: row.value })
      }
    }
  }
  return [...rows.values()]
}

function answerPart(
  store: SeriesStore,
  query: SeriesQuery,
  part: Part,
  grouping: Grouping,
  at: number,
): readonly Row[] {
  const own = [...grouping.labels, ...part.distinct]
  const folded = aggregate(part.fold, ['namespace', 'pod', ...own], readPart(store, query, part, at))
  const named = withVariant(withWorkload(store, folded, grouping.workload, at), grouping)
  const labels = ['namespace', ...part.keep, ...grouping.labels, workloadLabel, variantLabel]
  if (part.groups.length === 0) return aggregate(part.aggregate, labels, named)
  const replica = whole(groupReplica(part.groups))
  const grouped = named.map(({ labels, value }) => {
    const path = pathOf(labels)
    return { labels: { ...labels, replica: replica.exec(path)?.[1] ?? path }, value }
  })
  return aggregate(part.aggregate, labels, aggregate('max', [...labels, 'replica'], grouped))
}

/** Of the names for one thing, each series is read by the first it has. */
function readPart(store: SeriesStore, query: SeriesQuery, part: Part, at: number): readonly Row[] {
  const found = new Map<string, ReadSeries>()
  for (const metric of part.read.metrics) {
    for (const series of store.read(metric, part.read, at)) {
      if (isSelected(query, series.labels) && !found.has(series.identity)) found.set(series.identity, series)
    }
  }
  return [...found.values()]
}

function isSelected({ namespaces, matchers }: SeriesQuery, labels: Labels): boolean {
  return (
    namespaces.includes(labels['namespace'] ?? '') &&
    Object.entries(matchers).every(([label, value]) => (labels[label] ?? '') === value)
  )
}

const deployment = whole(deploymentPod)
const stateful = whole(statefulPod)
const ofReplicaSet = whole(replicaSet)

function withWorkload(
  store: SeriesStore,
  rows: readonly Row[],
  source: WorkloadSource | undefined,
  at: number,
): readonly Row[] {
  if (source === undefined) return rows
  if (source.kind === 'podName') {
    return rows.map(({ labels, value }) => {
      const pod = labels['pod'] ?? ''
      const workload = deployment.exec(pod)?.[1] ?? stateful.exec(pod)?.[1]
      return workload === undefined
        ? { labels, value }
        : { labels: { ...labels, [workloadLabel]: workload }, value }
    })
  }
  const owners = new Map<string, string>()
  for (const { labels } of source.read.metrics.flatMap((metric) => store.read(metric, source.read, at))) {
    const { owner_is_controller: controls, owner_kind: kind, owner_name: name = '' } = labels
    if (controls !== 'true') continue
    owners.set(pathOf(labels), (kind === 'ReplicaSet' ? ofReplicaSet.exec(name)?.[1] : undefined) ?? name)
  }
  return rows.flatMap(({ labels, value }) => {
    const owner = owners.get(pathOf(labels))
    return owner === undefined ? [] : [{ labels: { ...labels, [workloadLabel]: owner }, value }]
  })
}

function withVariant(rows: readonly Row[], { patterns }: Grouping): readonly Row[] {
  const compiled = patterns.map(({ namespace, pattern, variant }) => ({
    matches: whole(`${literal(namespace)}/(?:${pattern})`),
    variant,
  }))
  return rows.map(({ labels, value }) => {
    const path = pathOf(labels)
    const last = compiled.findLast(({ matches }) => matches.test(path))
    return last === undefined
      ? { labels, value }
      : { labels: { ...labels, [variantLabel]: last.variant }, value }
  })
}

function aggregate(
  operator: 'sum' | 'max' | 'min' | 'count' | 'median',
  by: readonly string[],
  rows: readonly Row[],
): readonly Row[] {
  if (operator === 'median') return medians(by, rows)
  const groups = new Map<string, { readonly labels: Labels; value: number }>()
  for (const { labels, value } of rows) {
    const kept = by.flatMap((label) => (Object.hasOwn(labels, label) ? [[label, labels[label] ?? '']] : []))
    const key = JSON.stringify(kept)
    const group = groups.get(key)
    if (group === undefined) {
      groups.set(key, { labels: Object.fromEntries(kept), value: operator === 'count' ? 1 : value })
    } else group.value = combined(operator, group.value, value)
  }
  return [...groups.values()]
}

/** `quantile(0.5, ...)`: between two values in the middle, halfway. */
function medians(by: readonly string[], rows: readonly Row[]): readonly Row[] {
  return aggregate('count', by, rows).map(({ labels }) => {
    const values = rows
      .filter((row) => by.every((label) => (row.labels[label] ?? '') === (labels[label] ?? '')))
      .map(({ value }) => value)
      .sort((x, y) => x - y)
    const middle = (values.length - 1) / 2
    const low = values[Math.floor(middle)] ?? Number.NaN
    const high = values[Math.ceil(middle)] ?? Number.NaN
    return { labels, value: low + (high - low) * (middle - Math.floor(middle)) }
  })
}

/** NaN loses against any number in max and min, and wins in a sum. */
function combined(operator: 'sum' | 'max' | 'min' | 'count', so: number, next: number): number {
  switch (operator) {
    case 'sum':
      return so + next
    case 'count':
      return so + 1
    case 'max':
      return next > so || Number.isNaN(so) ? next : so
    case 'min':
      return next < so || Number.isNaN(so) ? next : so
  }
}

function pathOf(labels: Labels): string {
  return `${labels['namespace'] ?? ''}/${labels['pod'] ?? ''}`
}

function whole(expression: string): RegExp {
  return new RegExp(`^(?:${expression})$`)
}
