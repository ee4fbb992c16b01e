// A question to the metrics as data, and its answer. PromQL is one reading of the question
// (src/prometheus/promql.ts), the in-memory store of the demo another (src/simulation/seriesStore.ts);
// because both read the same data they cannot drift apart.

/** One request to the back end. Its number of answers grows with workloads, never with pods. */
export interface SeriesQuery {
  readonly id: QueryId
  /** Told apart in the answer by the label `mixscaler_part`. */
  readonly parts: readonly Part[]
  /** Each part is asked once per grouping: variants recognised by label and by owner need different ones. */
  readonly groupings: readonly Grouping[]
  readonly namespaces: readonly string[]
  /** Further label matchers, such as the cluster in a store that holds several. */
  readonly matchers: Readonly<Record<string, string>>
}

export type QueryId =
  | 'gauges'
  | 'growth'
  | 'counters'
  | 'promptTokens'
  | 'outputTokens'
  | 'ttft'
  | 'itl'
  | 'kvConfig'
  | 'presence'
  | 'targets'
  | 'inventory'
  | 'doubled'
  | 'gateways'

/**
 * One signal: read series, fold duplicates per pod, name the pods' variant, aggregate. A pod that two
 * monitors scrape has each series twice: they agree on pod and `distinct` and are folded before any sum.
 */
export interface Part {
  readonly name: string
  readonly read: SeriesRead
  /** Labels that tell one pod's series apart: `model_name`, data-parallel rank, finish reason, bucket edge. */
  readonly distinct: readonly string[]
  readonly fold: 'max' | 'min' | 'count'
  /** `median` is that of the pods, or of their data-parallel ranks. */
  readonly aggregate: 'sum' | 'max' | 'count' | 'median'
  /** Those of `distinct` that the answer keeps. */
  readonly keep: readonly string[]
  /** Pods of these groups are counted as one: a replica of a LeaderWorkerSet is the whole group. */
  readonly groups: readonly PodGroup[]
}

/** `metrics` are names for one thing, the preferred first; a series that has several is read once. */
export type SeriesRead =
  /** The newest sample, unless it is older than this. */
  | { readonly kind: 'newest'; readonly metrics: readonly string[]; readonly maxAgeSeconds: number }
  /** The newest sample of series that were not there yet `windowSeconds` ago: a rate does not see what they began with. */
  | {
      readonly kind: 'newborn'
      readonly metrics: readonly string[]
      readonly windowSeconds: number
      readonly maxAgeSeconds: number
    }
  /** When the newest sample was taken: seconds since the epoch. */
  | { readonly kind: 'newestAt'; readonly metrics: readonly string[] }
  /** The last sample within the window, of series that ended too. */
  | { readonly kind: 'last'; readonly metrics: readonly string[]; readonly windowSeconds: number }
  /** A counter's increase per second, resets handled. */
  | { readonly kind: 'rate'; readonly metrics: readonly string[]; readonly windowSeconds: number }
  /** How many samples the window holds. */
  | { readonly kind: 'samples'; readonly metrics: readonly string[]; readonly windowSeconds: number }
  /**
   * How much a gauge rose per second over the window, from the last sample before it. A series that is new began at nothing:
   * what a replica takes when it starts came within the window.
   */
  | { readonly kind: 'rise'; readonly metrics: readonly string[]; readonly windowSeconds: number }
  /** The last sample before the window, at most `lookBackSeconds` older. */
  | { readonly kind: 'before'; readonly metrics: readonly string[]; readonly windowSeconds: number }
  /** A gauge's slope per second, by least squares. */
  | { readonly kind: 'slope'; readonly metrics: readonly string[]; readonly windowSeconds: number }

export interface PodGroup {
  readonly namespace: string
  readonly name: string
}

/** What the answer is grouped by besides namespace and the part's own labels. */
export interface Grouping {
  readonly labels: readonly string[]
  /** Adds `mixscaler_workload`: the workload's name, stripped from the pod's or told by kube-state-metrics. */
  readonly workload?: WorkloadSource
  /** Add `mixscaler_variant` where the pod's name matches; of several that match, the last one. */
  readonly patterns: readonly PodPattern[]
}

export type WorkloadSource =
  | { readonly kind: 'podName' }
  /** `kube_pod_owner` of kube-state-metrics, read so that a pod's last traffic outlives the pod. */
  | { readonly kind: 'podOwner'; readonly read: SeriesRead }

export interface PodPattern {
  readonly namespace: string
  /** Without anchors: a whole name is compared. */
  readonly pattern: string
  readonly variant: string
}

/** A series is known to an instant by a sample of so long before it: Prometheus' own default. */
export const lookBackSeconds = 300

export const partLabel = 'mixscaler_part'
export const workloadLabel = 'mixscaler_workload'
export const variantLabel = 'mixscaler_variant'

export interface Row {
  readonly labels: Readonly<Record<string, string>>
  /** May be NaN or infinite, as Prometheus answers them. */
  readonly value: number
}

export type Answer =
  | { readonly kind: 'rows'; readonly rows: readonly Row[] }
  /** The whole query failed. `why` is for people and holds no secret. */
  | { readonly kind: 'failed'; readonly why: string }
  /** The back end works and refuses this text: a mistake in the query of a policy's author. */
  | { readonly kind: 'refused'; readonly why: string }

/** A label's value; absent and empty are the same in Prometheus. */
export function labelOf(row: Row, name: string): string {
  return Object.hasOwn(row.labels, name) ? (row.labels[name] ?? '') : ''
}
