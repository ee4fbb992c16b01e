// A pod's /metrics as vLLM writes it: prometheus_client's text format with counters as `_total`, `_created`
// gauges, HELP and TYPE lines (docs/METRICS.md). The 2024 flavour (V0) has its own names and no engine label.
import type { BucketCounts } from './metrics.ts'
import type { Pod } from './pod.ts'

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
  /** Without braces; V1 also names the engine's rank within the pod. */
  private readonly labels: string
  private readonly engineLabel: string
  private readonly createdAtSeconds: number

  constructor(options: ExpositionOptions, createdAtSeconds: number) {
    this.flavour = options.flavour
    this.engineLabel = options.flavour === 'v1' ? 'engine="0",' : ''
    this.labels = `${this.engineLabel}model_name="${escapeLabel(options.model)}"`
    this.createdAtSeconds = createdAtSeconds
  }

  plainGauge(name: string, value: number): void {
    this.head(name, 'gauge')
    this.lines.push(`${name} ${number(value)}`)
  }

  gauge(name: string, value: number): void {
    this.head(`vllm:${name}`, 'gauge')
    this.lines.push(`vllm:${name}{${this.labels}} ${number(value)}`)
  }

  counter(name: string, value: number): void {
    this.head(`vllm:${name}_total`, 'counter')
    this.lines.push(`vllm:${name}_total{${this.labels}} ${number(value)}`)
    this.created(name, [this.labels])
  }

  counters(name: string, label: string, values: Readonly<Record<string, number>>): void {
    this.head(`vllm:${name}_total`, 'counter')
    const labels = Object.keys(values).map(
      (value) => `${this.engineLabel}${label}="${value}",${this.modelLabel()}`,
    )
    for (const [i, value] of Object.values(values).entries()) {
      this.lines.push(`vllm:${name}_total{${labels[i]}} ${number(value)}`)
    }
    this.created(name, labels)
  }

  /** Cumulative buckets, up to `highest` where an older version ended earlier. */
  histogram(name: string, { upperBounds, counts, sum }: BucketCounts, highest = Infinity): void {
    this.head(`vllm:${name}`, 'histogram')
    const bucket = (le: string, value: number): void => {
      this.lines.push(
        `vllm:${name}_bucket{${this.engineLabel}le="${le}",${this.modelLabel()}} ${number(value)}`,
      )
    }
    let total = 0
    for (const [i, bound] of upperBounds.entries()) {
      total += counts[i] ?? 0
      if (bound <= highest) bucket(number(bound), total)
    }
    total += counts[upperBounds.length] ?? 0
    bucket('+Inf', total)
    this.lines.push(`vllm:${name}_count{${this.labels}} ${number(total)}`)
    this.lines.push(`vllm:${name}_sum{${this.labels}} ${number(sum)}`)
    this.created(name, [this.labels])
  }

  /** An info gauge of the cache's settings; it carries no model_name. */
  cacheConfig(blocks: number): void {
    this.head('vllm:cache_config_info', 'gauge')
    const config =
      `block_size="${blockTokens}",cache_dtype="auto",enable_prefix_caching="True",` +
      `${this.engineLabel}gpu_memory_utilization="0.9",num_gpu_blocks="${blocks}"`
    this.lines.push(`vllm:cache_config_info{${config}} 1.0`)
  }

  toString(): string {
    return `${this.lines.join('\n')}\n`
  }

  private modelLabel(): string {
    return this.labels.slice(this.engineLabel.length)
  }

  /** V0 switched these off. */
  private created(name: string, labels: readonly string[]): void {
    if (this.flavour === 'v0') return
    this.head(`vllm:${name}_created`, 'gauge')
    for (const each of labels) {
      this.lines.push(`vllm:${name}_created{${each}} ${number(this.createdAtSeconds)}`)
    }
  }

  private head(name: string, type: 'gauge' | 'counter' | 'histogram'): void {
    this.lines.push(
      `# HELP ${name} ${name.replaceAll('_', ' ').replace('vllm:', '')}`,
      `# TYPE ${name} ${type}`,
    )
  }
}

/** As Python writes a float: whole ones with ".0". */
function number(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value)
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
