// A pod's /metrics as vLLM writes it: prometheus_client's text format with counters as `_total`, `_created`
// gauges, HELP and TYPE lines (docs/METRICS.md). The 2024 flavour (V0) has its own names and no engine label.
import type { BucketCounts } from './metrics.ts'
import type { Pod } from './pod.ts'
import { declaration, formatValue, labelText, sample } from './textFormat.ts'

export type VllmFlavour = 'v1' | 'v0'

export interface ExpositionOptions {
  readonly flavour: VllmFlavour
  /** The served model's name. */
  readonly model: string
  /** Unix time of virtual second 0. */
  readonly epochSeconds: number
}

const blockTokens = 16

/** The text, or undefined while the engine is not up: a scrape of such a pod is refused. */
export function exposition(pod: Pod, options: ExpositionOptions): string | undefined {
  if (pod.engine === undefined) return undefined
  const { metrics, replica } = pod.engine
  const text = new ExpositionText(options, options.epochSeconds + metrics.startedAtSeconds)
  text.plainGauge('process_start_time_seconds', options.epochSeconds + metrics.startedAtSeconds)
  text.gauge('num_requests_running', replica.running)
  text.gauge('num_requests_waiting', replica.waiting)
  text.counter('num_preemptions', metrics.preemptions)
  text.counter('prompt_tokens', metrics.promptTokens)
  text.counter('generation_tokens', metrics.generationTokens)
  text.counters('request_success', 'finished_reason', {
    ...metrics.finishedBy,
    abort: 0,
  })
  text.histogram('request_prompt_tokens', metrics.requestPromptTokens)
  text.histogram('request_generation_tokens', metrics.requestGenerationTokens)
  text.histogram('iteration_tokens_total', metrics.iterationTokens)
  text.histogram('time_to_first_token_seconds', metrics.timeToFirstToken)
  text.histogram('e2e_request_latency_seconds', metrics.endToEnd)
  text.histogram('request_queue_time_seconds', metrics.queueTime)
  text.histogram('request_inference_time_seconds', metrics.inferenceTime)
  text.histogram('request_prefill_time_seconds', metrics.prefillTime)
  text.histogram('request_decode_time_seconds', metrics.decodeTime)
  switch (options.flavour) {
    case 'v0':
      text.gauge('num_requests_swapped', 0)
      text.gauge('gpu_cache_usage_perc', replica.kvUsage)
      text.gauge('cpu_cache_usage_perc', 0)
      text.gauge('gpu_prefix_cache_hit_rate', -1)
      text.histogram('time_per_output_token_seconds', metrics.interTokenLatency, 2.5)
      break
    case 'v1':
      text.gauge('kv_cache_usage_perc', replica.kvUsage)
      text.counter('prefix_cache_queries', metrics.promptTokens)
      text.counter('prefix_cache_hits', metrics.cachedPromptTokens)
      text.histogram('request_prefill_kv_computed_tokens', metrics.requestPrefillComputedTokens)
      text.histogram('inter_token_latency_seconds', metrics.interTokenLatency)
      text.histogram('request_time_per_output_token_seconds', metrics.timePerOutputToken)
      break
  }
  text.cacheConfig(Math.floor(pod.variant.kvTokens / blockTokens))
  return text.toString()
}

class ExpositionText {
  private readonly lines: string[] = []
  private readonly flavour: VllmFlavour
  /** V1 also names the engine's rank within the pod. Labels are in alphabetical order. */
  private readonly rank: string
  private readonly model: string
  private readonly createdAtSeconds: number

  constructor(options: ExpositionOptions, createdAtSeconds: number) {
    this.flavour = options.flavour
    this.rank = options.flavour === 'v1' ? 'engine="0",' : ''
    this.model = labelText({ model_name: options.model })
    this.createdAtSeconds = createdAtSeconds
  }

  plainGauge(name: string, value: number): void {
    this.lines.push(declaration(name, 'gauge'), sample(name, '', value))
  }

  gauge(name: string, value: number): void {
    this.lines.push(declaration(`vllm:${name}`, 'gauge'), sample(`vllm:${name}`, this.labels(), value))
  }

  counter(name: string, value: number): void {
    this.lines.push(declaration(`vllm:${name}_total`, 'counter'))
    this.lines.push(sample(`vllm:${name}_total`, this.labels(), value))
    this.created(name, [this.labels()])
  }

  counters(name: string, label: string, values: Readonly<Record<string, number>>): void {
    this.lines.push(declaration(`vllm:${name}_total`, 'counter'))
    for (const [key, value] of Object.entries(values)) {
      this.lines.push(sample(`vllm:${name}_total`, this.labels(label, key), value))
    }
    this.created(
      name,
      Object.keys(values).map((key) => this.labels(label, key)),
    )
  }

  /** Cumulative buckets, up to `highest` where an older version ended earlier. */
  histogram(name: string, { upperBounds, counts, sum }: BucketCounts, highest = Infinity): void {
    this.lines.push(declaration(`vllm:${name}`, 'histogram'))
    const bucket = `vllm:${name}_bucket`
    let total = 0
    for (const [i, bound] of upperBounds.entries()) {
      total += counts[i] ?? 0
      if (bound <= highest) this.lines.push(sample(bucket, this.labels('le', formatValue(bound)), total))
    }
    total += counts[upperBounds.length] ?? 0
    this.lines.push(sample(bucket, this.labels('le', '+Inf'), total))
    this.lines.push(sample(`vllm:${name}_count`, this.labels(), total))
    this.lines.push(sample(`vllm:${name}_sum`, this.labels(), sum))
    this.created(name, [this.labels()])
  }

  /** An info gauge of the cache's settings; it carries no model_name. */
  cacheConfig(blocks: number): void {
    const config =
      `block_size="${blockTokens}",cache_dtype="auto",enable_prefix_caching="True",` +
      `${this.rank}gpu_memory_utilization="0.9",num_gpu_blocks="${blocks}"`
    const name = 'vllm:cache_config_info'
    this.lines.push(declaration(name, 'gauge'), sample(name, config, 1))
  }

  toString(): string {
    return `${this.lines.join('\n')}\n`
  }

  private labels(name?: string, value?: string): string {
    return `${this.rank}${name === undefined ? '' : `${name}="${value}",`}${this.model}`
  }

  /** When counting began; V0 switched these off. */
  private created(name: string, labels: readonly string[]): void {
    if (this.flavour === 'v0') return
    this.lines.push(declaration(`vllm:${name}_created`, 'gauge'))
    for (const each of labels) this.lines.push(sample(`vllm:${name}_created`, each, this.createdAtSeconds))
  }
}
