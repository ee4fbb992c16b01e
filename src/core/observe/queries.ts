// What one tick asks the metrics: twelve queries, whatever the number of models, variants and pods, and one more where
// classes are read at gateways. Names are vLLM's of every version since 0.6 (docs/METRICS.md); where a name changed, both are asked and read once.
import type { PolicySet } from '../policy.ts'
import { type Claims, claimsOf } from './claims.ts'
import { type GatewayClass, gatewayClasses, gatewayDemandParts, gatewayQuery } from './gatewayQuery.ts'
import {
  lookBackSeconds,
  type Part,
  type PodGroup,
  type QueryId,
  type SeriesQuery,
  type SeriesRead,
  type WorkloadSource,
} from './series.ts'
import { shortParts } from './shortRate.ts'

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

/** How far back any query looks. */
export function lookBackOf({ rateWindowSeconds, lengthWindowSeconds }: ObserveOptions): number {
  return Math.max(lengthWindowSeconds, rateWindowSeconds + lookBackSeconds)
}

export interface QueryPlan extends Claims {
  readonly queries: readonly SeriesQuery[]
  readonly gateways: readonly GatewayClass[]
  readonly rateWindowSeconds: number
  readonly lengthWindowSeconds: number
  readonly sampleMaxAgeSeconds: number
}

export function queryPlan(policies: PolicySet, options: ObserveOptions): QueryPlan {
  if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(options.metricPrefix)) {
    throw new RangeError(`metricPrefix must be the start of a metric's name: got "${options.metricPrefix}"`)
  }
  for (const label of Object.keys(options.matchers)) {
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label)) {
      throw new RangeError(`matchers must be given by label names: got "${label}"`)
    }
  }
  const workload = workloadSource(options)
  const claims = claimsOf(policies, workload)
  const namespaces = [...new Set(claims.claims.map(({ namespace }) => namespace))].sort()
  const parts = partsOf(options, claims.groups)
  const query = (id: keyof typeof parts, groupings = claims.groupings): SeriesQuery => {
    return { id, parts: parts[id], groupings, namespaces, matchers: options.matchers }
  }
  const queries = [
    query('gauges'),
    query('growth'),
    query('counters'),
    query('promptTokens'),
    query('outputTokens'),
    query('ttft'),
    query('itl'),
    query('kvConfig'),
    query('presence'),
    query('targets'),
    query('inventory', [claims.everything]),
    query('doubled', [{ labels: [], patterns: [], workload }]),
  ]
  const gateways = gatewayClasses(policies, options.metricPrefix)
  const atGateways = gatewayQuery(gateways, options)
  return {
    ...claims,
    queries: [...(namespaces.length === 0 ? [] : queries), ...(atGateways === undefined ? [] : [atGateways])],
    gateways,
    rateWindowSeconds: options.rateWindowSeconds,
    lengthWindowSeconds: options.lengthWindowSeconds,
    sampleMaxAgeSeconds: options.sampleMaxAgeSeconds,
  }
}

/** Of each query, the parts that are asked for; those of queries that are not named are not asked at all. */
type Wanted = Readonly<Partial<Record<QueryId, readonly string[] | 'all'>>>

/** What demand is read from: all that history is asked for beyond the last window. */
const demandParts: Wanted = {
  gauges: ['running', 'waiting'],
  growth: ['running', 'waiting', 'before'],
  counters: ['completions', 'generationTokens'],
  presence: ['replicas', 'newestAt'],
  gateways: gatewayDemandParts,
}

/** What traffic is read from: how much arrived, how long it was, how bursty, and whether what is not seen was there. */
const trafficParts: Wanted = {
  ...demandParts,
  counters: [
    ...['completions', 'generationTokens', 'prefixQueries', 'prefixHits'],
    ...['fineRate', 'fineSamples', 'coarseRate', 'coarseSamples'],
  ],
  promptTokens: 'all',
  outputTokens: 'all',
  targets: 'all',
  gateways: 'all',
}

/** The same plan with the queries and parts of demand alone; every other signal is missing in what it observes. */
export function demandOnly(plan: QueryPlan): QueryPlan {
  return only(plan, demandParts)
}

/** Likewise, of demand, lengths and bursts. */
export function trafficOnly(plan: QueryPlan): QueryPlan {
  return only(plan, trafficParts)
}

function only(plan: QueryPlan, wanted: Wanted): QueryPlan {
  const queries = plan.queries.flatMap((query) => {
    const names = wanted[query.id]
    if (names === undefined || names === 'all') return names === undefined ? [] : [query]
    const parts = query.parts.filter(({ name }) => names.includes(name.slice(name.indexOf('/') + 1)))
    return [{ ...query, parts }]
  })
  return { ...plan, queries }
}

const timeToFirstToken = ['time_to_first_token_seconds']
/** Per token; the old name (V0, and V1 until 0.14) counted the same. */
const interTokenLatency = ['inter_token_latency_seconds', 'time_per_output_token_seconds']
/** The mean gap of each request, since 0.11. */
const timePerOutputToken = ['request_time_per_output_token_seconds']
const kvUsage = ['kv_cache_usage_perc', 'gpu_cache_usage_perc']
/** The second spelling is that of llm-d-inference-sim. */
const finishReasons = ['finished_reason', 'finish_reason']

function partsOf(
  options: ObserveOptions,
  groups: readonly PodGroup[],
): Readonly<Record<Exclude<QueryId, 'gateways'>, readonly Part[]>> {
  const { metricPrefix, rateWindowSeconds, lengthWindowSeconds, sampleMaxAgeSeconds } = options
  const named = (names: readonly string[]) => names.map((name) => `${metricPrefix}${name}`)
  const newest = (...names: readonly string[]): SeriesRead => {
    return { kind: 'newest', metrics: named(names), maxAgeSeconds: sampleMaxAgeSeconds }
  }
  const rate = (names: readonly string[], windowSeconds = rateWindowSeconds): SeriesRead => {
    return { kind: 'rate', metrics: named(names), windowSeconds }
  }
  const over = (kind: 'rise' | 'before' | 'slope', name: string): SeriesRead => {
    return { kind, metrics: named([name]), windowSeconds: rateWindowSeconds }
  }
  const histogram = (names: readonly string[], windowSeconds: number, prefix = ''): readonly Part[] => {
    const ending = (suffix: string) =>
      rate(
        names.map((name) => `${name}${suffix}`),
        windowSeconds,
      )
    const buckets = perEngine(`${prefix}buckets`, ending('_bucket'), ['le'])
    return [{ ...buckets, keep: ['model_name', 'le'] }, perEngine(`${prefix}sum`, ending('_sum'))]
  }
  // The last minute alone says soonest that requests have become longer, or shorter.
  const lengths = (name: string): readonly Part[] => [
    ...histogram([name], lengthWindowSeconds),
    perEngine('lately/sum', rate([`${name}_sum`])),
    perEngine('lately/count', rate([`${name}_count`])),
  ]
  // Of the median engine, so that one that lies, or is cold, does not count.
  const typical = (names: readonly string[]): readonly Part[] =>
    [
      ['typicalSum', '_sum'],
      ['typicalCount', '_count'],
    ].map(([name = '', ending]) => ({
      ...perEngine(name, rate(names.map((metric) => `${metric}${ending}`))),
      aggregate: 'median',
    }))
  const running = newest('num_requests_running')
  const up: SeriesRead = { kind: 'newest', metrics: ['up'], maxAgeSeconds: sampleMaxAgeSeconds }
  return {
    gauges: [
      perEngine('running', running),
      perEngine('waiting', newest('num_requests_waiting')),
      perEngine('kvUsage', newest(...kvUsage)),
      { ...perEngine('kvEngines', newest(...kvUsage)), aggregate: 'count' },
    ],
    growth: [
      perEngine('running', over('rise', 'num_requests_running')),
      perEngine('waiting', over('rise', 'num_requests_waiting')),
      // Where nobody was there a window ago, or nobody looked, what is there says nothing of when it came.
      perPod('before', over('before', 'num_requests_running'), 'count'),
      perEngine('slope/running', over('slope', 'num_requests_running')),
      perEngine('slope/waiting', over('slope', 'num_requests_waiting')),
    ],
    counters: [
      perEngine('completions', rate(['request_success_total']), finishReasons),
      perEngine('generationTokens', rate(['generation_tokens_total'])),
      perEngine('preemptions', rate(['num_preemptions_total'])),
      perEngine('prefixQueries', rate(['prefix_cache_queries_total', 'gpu_prefix_cache_queries_total'])),
      perEngine('prefixHits', rate(['prefix_cache_hits_total', 'gpu_prefix_cache_hits_total'])),
      ...shortParts(rateWindowSeconds, (name, read) =>
        perEngine(name, read(named(['time_to_first_token_seconds_count']))),
      ),
    ],
    promptTokens: lengths('request_prompt_tokens'),
    outputTokens: lengths('request_generation_tokens'),
    ttft: [...histogram(timeToFirstToken, rateWindowSeconds), ...typical(timeToFirstToken)],
    itl: [
      ...histogram(interTokenLatency, rateWindowSeconds),
      ...histogram(timePerOutputToken, rateWindowSeconds, 'tpot/'),
      ...typical(interTokenLatency),
    ],
    kvConfig: [kvConfig(newest('cache_config_info'))],
    presence: [
      { ...perPod('replicas', running, 'count'), groups },
      perPod('newestAt', { kind: 'newestAt', metrics: running.metrics }, 'max'),
    ],
    // A failing scrape is not a pod that is not there. `up` has no model_name.
    targets: [
      { ...perPod('all', up, 'count'), fold: 'min', distinct: [], keep: [] },
      { ...perPod('up', up, 'sum'), fold: 'min', distinct: [], keep: [] },
    ],
    inventory: [perPod('pods', running, 'count')],
    // How many series one engine of one pod has: more than one means that two monitors scrape it.
    doubled: [{ ...perEngine('series', running), fold: 'count', aggregate: 'max', keep: [] }],
  }
}

/** Counts engines by what they say of their cache; this series has no `model_name`. */
function kvConfig(read: SeriesRead): Part {
  const keep = ['num_gpu_blocks', 'block_size', 'kv_cache_size_tokens']
  const distinct = ['engine', ...keep]
  return { name: 'engines', read, distinct, fold: 'max', aggregate: 'count', keep, groups: [] }
}

/** Summed over the data-parallel ranks of a pod (`engine`, absent on V0). */
function perEngine(name: string, read: SeriesRead, also: readonly string[] = []): Part {
  const distinct = ['model_name', 'engine', ...also]
  return { name, read, distinct, fold: 'max', aggregate: 'sum', keep: ['model_name'], groups: [] }
}

function perPod(name: string, read: SeriesRead, aggregate: Part['aggregate']): Part {
  return { name, read, distinct: ['model_name'], fold: 'max', aggregate, keep: ['model_name'], groups: [] }
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
