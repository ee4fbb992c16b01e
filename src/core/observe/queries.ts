// What one tick asks the metrics: twelve queries, whatever the number of models, variants and pods. Names are
// vLLM's of every version since 0.6 (docs/METRICS.md); where a name changed, both are asked and read once.
import type { PolicySet } from '../policy.ts'
import { type Claims, claimsOf } from './claims.ts'
import type { Grouping, Part, QueryId, SeriesQuery, SeriesRead, WorkloadSource } from './series.ts'

export interface ObserveOptions {
  /** `vllm:`, or what the pipeline makes of it: `vllm_`, `ray_vllm_`. */
  readonly metricPrefix: string
  /** Label matchers for every series: `{cluster: 'prod'}`. */
  readonly matchers: Readonly<Record<string, string>>
  /** Rates, latencies and growth. At least four scrape intervals. */
  readonly rateWindowSeconds: number
  /** Request lengths: a longer look back, for the quiet hours have few requests. */
  readonly lengthWindowSeconds: number
  /** Gauges older than this are stale. At least two scrape intervals. */
  readonly sampleMaxAgeSeconds: number
  /** Where a pod's workload is read: from its name, or from kube-state-metrics. */
  readonly workloads: 'podName' | 'podOwner'
}

export const defaultObserveOptions: ObserveOptions = {
  metricPrefix: 'vllm:',
  matchers: {},
  rateWindowSeconds: 60,
  lengthWindowSeconds: 300,
  sampleMaxAgeSeconds: 60,
  workloads: 'podName',
}

export interface QueryPlan extends Claims {
  readonly queries: readonly SeriesQuery[]
  readonly sampleMaxAgeSeconds: number
}

export function queryPlan(policies: PolicySet, options: ObserveOptions): QueryPlan {
  const { metricPrefix, rateWindowSeconds, lengthWindowSeconds } = options
  if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(metricPrefix)) {
    throw new RangeError(`metricPrefix must be the start of a metric's name: got "${metricPrefix}"`)
  }
  for (const label of Object.keys(options.matchers)) {
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label)) {
      throw new RangeError(`matchers must be given by label names: got "${label}"`)
    }
  }
  const claims = claimsOf(policies, workloadSource(options))
  const namespaces = [...new Set(claims.claims.map(({ namespace }) => namespace))].sort()
  const query = (id: QueryId, parts: readonly Part[], groupings = claims.groupings): SeriesQuery => ({
    id,
    parts,
    groupings,
    namespaces,
    matchers: options.matchers,
  })
  const byEverything: readonly Grouping[] = [claims.everything]
  const byWorkload: readonly Grouping[] = [{ labels: [], patterns: [], workload: workloadSource(options) }]
  const engine = signals(options)
  const queries =
    namespaces.length === 0
      ? []
      : [
          query('gauges', engine.gauges),
          query('growth', engine.growth),
          query('counters', engine.counters),
          query('promptTokens', engine.histogram(['request_prompt_tokens'], lengthWindowSeconds)),
          query('outputTokens', engine.histogram(['request_generation_tokens'], lengthWindowSeconds)),
          query('ttft', engine.histogram(['time_to_first_token_seconds'], rateWindowSeconds)),
          query('itl', engine.histogram(interTokenLatency, rateWindowSeconds)),
          query('kvConfig', engine.kvConfig),
          query('presence', engine.presence(claims)),
          query('targets', targets(options.sampleMaxAgeSeconds)),
          query('inventory', engine.inventory, byEverything),
          query('doubled', engine.doubled, byWorkload),
        ]
  return { ...claims, queries, sampleMaxAgeSeconds: options.sampleMaxAgeSeconds }
}

/** Per token; the old name (V0, and V1 until 0.14) counted the same. */
const interTokenLatency = ['inter_token_latency_seconds', 'time_per_output_token_seconds']
const kvUsage = ['kv_cache_usage_perc', 'gpu_cache_usage_perc']
/** The second spelling is that of llm-d-inference-sim. */
const finishReasons = ['finished_reason', 'finish_reason']

function signals({ metricPrefix, rateWindowSeconds, sampleMaxAgeSeconds }: ObserveOptions) {
  const named = (names: readonly string[]) => names.map((name) => `${metricPrefix}${name}`)
  const newest = (...names: readonly string[]): SeriesRead => {
    return { kind: 'newest', metrics: named(names), maxAgeSeconds: sampleMaxAgeSeconds }
  }
  const rate = (names: readonly string[], windowSeconds = rateWindowSeconds): SeriesRead => {
    return { kind: 'rate', metrics: named(names), windowSeconds }
  }
  const slope = (name: string): SeriesRead => {
    return { kind: 'slope', metrics: named([name]), windowSeconds: rateWindowSeconds }
  }
  return {
    gauges: [
      perEngine('running', newest('num_requests_running')),
      perEngine('waiting', newest('num_requests_waiting')),
      perEngine('kvUsage', newest(...kvUsage)),
      { ...perEngine('kvEngines', newest(...kvUsage)), aggregate: 'count' },
    ],
    growth: [
      perEngine('running', slope('num_requests_running')),
      perEngine('waiting', slope('num_requests_waiting')),
    ],
    counters: [
      perEngine('completions', rate(['request_success_total']), finishReasons),
      perEngine('generationTokens', rate(['generation_tokens_total'])),
      perEngine('preemptions', rate(['num_preemptions_total'])),
      perEngine('prefixQueries', rate(['prefix_cache_queries_total', 'gpu_prefix_cache_queries_total'])),
      perEngine('prefixHits', rate(['prefix_cache_hits_total', 'gpu_prefix_cache_hits_total'])),
    ],
    histogram: (names: readonly string[], windowSeconds: number): readonly Part[] => [
      {
        ...perEngine('buckets', rate(ending(names, '_bucket'), windowSeconds), ['le']),
        keep: ['model_name', 'le'],
      },
      perEngine('sum', rate(ending(names, '_sum'), windowSeconds)),
    ],
    /** Counts engines by what they say of their cache; this series has no `model_name`. */
    kvConfig: [
      {
        name: 'engines',
        read: newest('cache_config_info'),
        distinct: ['engine', ...kvConfigLabels],
        fold: 'max',
        aggregate: 'count',
        keep: kvConfigLabels,
        groups: [],
      },
    ],
    presence: ({ groups }: Claims): readonly Part[] => [
      { ...perPod('replicas', newest('num_requests_running'), 'count'), groups },
      perPod('newestAt', { kind: 'newestAt', metrics: named(['num_requests_running']) }, 'max'),
    ],
    inventory: [perPod('pods', newest('num_requests_running'), 'count')],
    /** How many series one engine of one pod has: more than one means that two monitors scrape it. */
    doubled: [
      { ...perEngine('series', newest('num_requests_running')), fold: 'count', aggregate: 'max', keep: [] },
    ],
  } as const satisfies Record<string, unknown>
}

export const kvConfigLabels = ['num_gpu_blocks', 'block_size', 'kv_cache_size_tokens'] as const

/** Targets of the pods, and how many of them answer: tells a failing scrape from a pod that is not there. */
function targets(maxAgeSeconds: number): readonly Part[] {
  const up: SeriesRead = { kind: 'newest', metrics: ['up'], maxAgeSeconds }
  const part = { read: up, distinct: [], fold: 'min', keep: [], groups: [] } as const
  return [
    { ...part, name: 'all', aggregate: 'count' },
    { ...part, name: 'up', aggregate: 'sum' },
  ]
}

/** Summed over the data-parallel ranks of a pod (`engine`, absent on V0). */
function perEngine(name: string, read: SeriesRead, also: readonly string[] = []): Part {
  const distinct = ['model_name', 'engine', ...also]
  return { name, read, distinct, fold: 'max', aggregate: 'sum', keep: ['model_name'], groups: [] }
}

function perPod(name: string, read: SeriesRead, aggregate: 'count' | 'max'): Part {
  return { name, read, distinct: ['model_name'], fold: 'max', aggregate, keep: ['model_name'], groups: [] }
}

function ending(names: readonly string[], suffix: string): readonly string[] {
  return names.map((name) => `${name}${suffix}`)
}

function workloadSource({
  workloads,
  rateWindowSeconds,
  lengthWindowSeconds,
}: ObserveOptions): WorkloadSource {
  if (workloads === 'podName') return { kind: 'podName' }
  const windowSeconds = Math.max(rateWindowSeconds, lengthWindowSeconds)
  return { kind: 'podOwner', read: { kind: 'last', metrics: ['kube_pod_owner'], windowSeconds } }
}
