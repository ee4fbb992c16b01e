// Exposition text as vLLM writes it, with the names, labels and bucket edges of its two metric generations:
// V1 (0.8 and later; `engine` label, inter_token_latency, kv_cache_usage_perc) and V0.

export interface EngineState {
  readonly running: number
  readonly waiting: number
  /** 0..1. */
  readonly kvUsage: number
  /** Requests finished since the start; all of them alike. */
  readonly finished: number
  readonly preemptions: number
  readonly promptTokens: number
  readonly outputTokens: number
  readonly ttftSeconds: number
  readonly itlSeconds: number
  /** Share of prompt tokens found in the prefix cache. */
  readonly hitRate: number
}

export interface EngineIdentity {
  readonly model: string
  readonly version: 'v0' | 'v1' | 'v1 with old names too'
  /** Data-parallel rank; V0 has none. */
  readonly engine: number
  /** As the label says it: V1 before 2025-04-30 said "None". */
  readonly gpuBlocks: string
}

export const quiet: EngineState = {
  running: 0,
  waiting: 0,
  kvUsage: 0,
  finished: 0,
  preemptions: 0,
  promptTokens: 1000,
  outputTokens: 200,
  ttftSeconds: 0.3,
  itlSeconds: 0.02,
  hitRate: 0.25,
}

const v1Engine: EngineIdentity = { model: 'llama-70b', version: 'v1', engine: 0, gpuBlocks: '20000' }

const tokenEdges = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000]
const ttftEdges = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
const longTtftEdges = [...ttftEdges, 20, 40, 80, 160, 640, 2560]
const itlEdges = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5]
const longItlEdges = [...itlEdges, 5, 7.5, 10, 20, 40, 80]

export function exposition(state: EngineState, identity: Partial<EngineIdentity> = {}): string {
  const { model, version, engine, gpuBlocks } = { ...v1Engine, ...identity }
  const old = version === 'v0'
  const both = version === 'v1 with old names too'
  const labels = old ? `model_name="${model}"` : `engine="${engine}",model_name="${model}"`
  const one = (name: string, value: number, extra = '') => `vllm:${name}{${labels}${extra}} ${value}`
  const histogram = (name: string, edges: readonly number[], value: number, count: number) => [
    `# TYPE vllm:${name} histogram`,
    ...edges.map((edge) => one(`${name}_bucket`, value <= edge ? count : 0, `,le="${python(edge)}"`)),
    one(`${name}_bucket`, count, ',le="+Inf"'),
    one(`${name}_count`, count),
    one(`${name}_sum`, count * value),
  ]
  const named = (before: string, now: string) => (both ? [now, before] : [old ? before : now])
  const { finished, promptTokens, outputTokens } = state
  const tokens = finished * outputTokens
  const prefix = old ? [] : named('gpu_prefix_cache', 'prefix_cache')
  const lines = [
    '# HELP vllm:num_requests_running Number of requests in model execution batches.',
    '# TYPE vllm:num_requests_running gauge',
    one('num_requests_running', state.running),
    one('num_requests_waiting', state.waiting),
    ...named('gpu_cache_usage_perc', 'kv_cache_usage_perc').map((name) => one(name, state.kvUsage)),
    ...['stop', 'length', 'abort'].map((reason, index) =>
      one('request_success_total', index === 0 ? finished : 0, `,finished_reason="${reason}"`),
    ),
    ...(old ? [] : [one('request_success_created', 1.76e9, ',finished_reason="stop"')]),
    one('generation_tokens_total', tokens),
    one('prompt_tokens_total', finished * promptTokens),
    one('num_preemptions_total', state.preemptions),
    ...prefix.flatMap((name) => [
      one(`${name}_queries_total`, finished * promptTokens),
      one(`${name}_hits_total`, finished * promptTokens * state.hitRate),
    ]),
    ...histogram('request_prompt_tokens', tokenEdges, promptTokens, finished),
    ...histogram('request_generation_tokens', tokenEdges, outputTokens, finished),
    ...histogram('time_to_first_token_seconds', old ? ttftEdges : longTtftEdges, state.ttftSeconds, finished),
    ...named('time_per_output_token_seconds', 'inter_token_latency_seconds').flatMap((name) =>
      histogram(name, old ? itlEdges : longItlEdges, state.itlSeconds, tokens),
    ),
    `vllm:cache_config_info{block_size="16",cache_dtype="auto"${old ? '' : `,engine="${engine}"`},num_gpu_blocks="${gpuBlocks}"} 1.0`,
  ]
  return `${lines.join('\n')}\n`
}

/** Python writes floats with a point. */
function python(edge: number): string {
  return Number.isInteger(edge) ? `${edge}.0` : String(edge)
}
