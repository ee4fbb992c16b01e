// A query as PromQL text. Pure, and compared with golden files in test/prometheus: what is read here is what
// runs against production. Nothing that a policy says can end a string or change the shape of a query.
import { deploymentPod, groupReplica, literal, replicaSet, statefulPod } from '../core/observe/podNames.ts'
import {
  type Grouping,
  lookBackSeconds,
  type Part,
  partLabel,
  type SeriesQuery,
  type SeriesRead,
  variantLabel,
  type WorkloadSource,
  workloadLabel,
} from '../core/observe/series.ts'

/** Label that holds `namespace/pod` while names are matched; it never leaves the query. */
const podPath = 'mixscaler_pod'
const ownerPath = 'mixscaler_owner'

export function promql(query: SeriesQuery): string {
  const alternatives = query.parts.flatMap((part) =>
    query.groupings.map((grouping) => {
      const expression = aggregated(query, part, grouping)
      return query.parts.length === 1 ? expression : tagged(expression, partLabel, part.name)
    }),
  )
  return alternatives.join('\nor\n')
}

/** The same series with one more label. */
export function tagged(expression: string, label: string, value: string): string {
  return `label_replace(${expression}, ${quoted(label)}, ${replacement(value)}, "", "")`
}

/** A Go string literal, as PromQL takes it. */
export function quoted(text: string): string {
  return JSON.stringify(text.replace(/\p{Surrogate}/gu, '\uFFFD'))
}

function aggregated(query: SeriesQuery, part: Part, grouping: Grouping): string {
  const own = [...grouping.labels, ...part.distinct]
  const folded = by(part.fold, ['namespace', 'pod', ...own], leaf(query, part.read))
  const named = withVariant(withWorkload(query, folded, grouping.workload), grouping)
  const keys = [
    ...grouping.labels,
    ...(grouping.workload === undefined ? [] : [workloadLabel]),
    ...(grouping.patterns.length === 0 ? [] : [variantLabel]),
  ]
  const labels = ['namespace', ...part.keep, ...keys]
  if (part.groups.length === 0) return by(part.aggregate, labels, named)
  const grouped = replaced(withPodPath(named), podPath, '$1', podPath, groupReplica(part.groups))
  return by(part.aggregate, labels, by('max', [...labels, podPath], grouped))
}

function leaf(query: SeriesQuery, read: SeriesRead): string {
  return read.metrics.map((metric) => readOne(selector(query, metric), read)).join(' or ')
}

function readOne(selected: string, read: SeriesRead): string {
  switch (read.kind) {
    case 'newest':
      return `(${selected} and timestamp(${selected}) >= time() - ${read.maxAgeSeconds})`
    case 'newborn':
      return `(${readOne(selected, { ...read, kind: 'newest' })} unless ${selected} offset ${duration(read.windowSeconds)})`
    case 'newestAt':
      return `timestamp(${selected})`
    case 'last':
      return `last_over_time(${selected}[${duration(read.windowSeconds)}])`
    case 'samples':
      return `count_over_time(${selected}[${duration(read.windowSeconds)}])`
    case 'rate':
      return `rate(${selected}[${duration(read.windowSeconds)}])`
    case 'rise': {
      const now = readOne(selected, { ...read, kind: 'last' })
      const before = readOne(selected, { ...read, kind: 'before' })
      return `((${now} - ${before} or ${now} unless ${before}) / ${read.windowSeconds})`
    }
    case 'before':
      return `last_over_time(${selected}[${duration(lookBackSeconds)}] offset ${duration(read.windowSeconds)})`
    case 'slope':
      return `deriv(${selected}[${duration(read.windowSeconds)}])`
  }
}

function withWorkload(query: SeriesQuery, expression: string, source: WorkloadSource | undefined): string {
  if (source === undefined) return expression
  if (source.kind === 'podName') {
    const stateful = replaced(expression, workloadLabel, '$1', 'pod', statefulPod)
    return replaced(stateful, workloadLabel, '$1', 'pod', deploymentPod)
  }
  const owned = source.read.metrics.map((metric) =>
    readOne(selector(query, metric, 'owner_is_controller="true"'), source.read),
  )
  const joined = `label_join(${owned.join(' or ')}, ${quoted(ownerPath)}, "/", "owner_kind", "owner_name")`
  const owner = replaced(joined, workloadLabel, '$1', ownerPath, '[^/]*/(.+)')
  const workload = replaced(owner, workloadLabel, '$1', ownerPath, `ReplicaSet/${replicaSet}`)
  const one = by('max', ['namespace', 'pod', workloadLabel], workload)
  return `${expression} * on (namespace, pod) group_left (${workloadLabel}) ${one}`
}

function withVariant(expression: string, { patterns }: Grouping): string {
  if (patterns.length === 0) return expression
  return patterns.reduce(
    (inner, { namespace, pattern, variant }) =>
      `label_replace(${inner}, ${quoted(variantLabel)}, ${replacement(variant)}, ${quoted(podPath)}, ${quoted(
        `${literal(namespace)}/(?:${pattern})`,
      )})`,
    withPodPath(expression),
  )
}

function withPodPath(expression: string): string {
  return `label_join(${expression}, ${quoted(podPath)}, "/", "namespace", "pod")`
}

function replaced(
  expression: string,
  label: string,
  capture: '$1',
  source: string,
  expressionOf: string,
): string {
  return `label_replace(${expression}, ${quoted(label)}, ${quoted(capture)}, ${quoted(source)}, ${quoted(expressionOf)})`
}

function selector({ namespaces, matchers }: SeriesQuery, metric: string, also?: string): string {
  const terms = [
    `namespace=~${quoted(namespaces.map(literal).join('|'))}`,
    ...Object.entries(matchers).map(([label, value]) => `${label}=${quoted(value)}`),
    ...(also === undefined ? [] : [also]),
  ]
  return `${metric}{${terms.join(', ')}}`
}

function by(operator: string, labels: readonly string[], expression: string): string {
  const grouped = `by (${[...new Set(labels)].join(', ')})`
  return operator === 'median'
    ? `quantile ${grouped} (0.5, ${expression})`
    : `${operator} ${grouped} (${expression})`
}

/** `$` starts a capture in label_replace; `$$` is the character. */
function replacement(text: string): string {
  return quoted(text.replaceAll('$', '$$$$'))
}

function duration(seconds: number): string {
  return Number.isInteger(seconds) ? `${seconds}s` : `${Math.round(seconds * 1000)}ms`
}
