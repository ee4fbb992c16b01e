import { describe, expect, test } from 'vitest'
import { type ExpositionOptions, exposition } from '../../src/simulation/exposition.ts'
import { Fleet } from '../../src/simulation/fleet.ts'
import { Score } from '../../src/simulation/score.ts'
import { llama8b, requestAt } from './runReplica.ts'

const options: ExpositionOptions = {
  flavour: 'v1',
  model: 'meta-llama/Llama-3.1-8B',
  epochSeconds: 1_700_000_000,
}

/** One replica, ready at 0, that has finished three requests of 600 + 3 tokens at second 60. */
function podAfterAMinute() {
  const classes = [{ name: 'chat', ttftSeconds: 1, itlSeconds: 0.05 }]
  const variant = {
    name: 'chat-h100',
    role: 'unified' as const,
    profile: llama8b,
    maxNumSeqs: 256,
    maxNumBatchedTokens: 8192,
    kvTokens: 400_000,
    costPerHour: 3.6,
    startup: { medianSeconds: 60, sigma: 0 },
    routingWeight: 1,
    initialReplicas: 1,
  }
  const settings = { namespace: 'chat', model: 'llama', variants: [variant], classes, seed: 1 }
  const fleet = new Fleet({ ...settings, routing: 'roundRobin' }, new Score(classes))
  for (const at of [1, 2, 3]) fleet.submit({ ...requestAt(at, 600, 3), cachedTokens: 200 })
  fleet.submit(requestAt(59.99, 4000, 50))
  fleet.submit(requestAt(59.999, 1, 50))
  fleet.advance(60)
  fleet.scale('chat-h100', 2)
  return fleet.pods()
}

/** Series to value, the comments left out. */
function parse(text: string): Map<string, number> {
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  )
}

const [pod, starting] = podAfterAMinute()
const v1 = pod === undefined ? '' : (exposition(pod, options) ?? '')
const v0 = pod === undefined ? '' : (exposition(pod, { ...options, flavour: 'v0' }) ?? '')

describe("a pod's metrics", () => {
  test('carry the names, labels and values of vLLM V1', () => {
    const series = parse(v1)
    const labels = 'engine="0",model_name="meta-llama/Llama-3.1-8B"'
    const of = (name: string) => series.get(`vllm:${name}{${labels}}`)
    expect(of('num_requests_running')).toBe(1)
    expect(of('num_requests_waiting')).toBe(1)
    expect(of('kv_cache_usage_perc')).toBe(0.01)
    expect(of('prompt_tokens_total')).toBe(1800)
    expect(of('prefix_cache_queries_total')).toBe(1800)
    expect(of('prefix_cache_hits_total')).toBe(600)
    expect(of('generation_tokens_total')).toBe(9)
    expect(of('num_preemptions_total')).toBe(0)
    expect(of('prompt_tokens_created')).toBe(1_700_000_000)
    expect(of('time_to_first_token_seconds_count')).toBe(3)
    expect(of('inter_token_latency_seconds_count')).toBe(6)
    expect(of('request_prompt_tokens_sum')).toBe(1800)
    expect(of('request_generation_tokens_sum')).toBe(9)
    expect(
      series.get(`vllm:request_success_total{engine="0",finished_reason="stop",${labels.slice(11)}}`),
    ).toBe(3)
    expect(
      series.get(`vllm:request_success_total{engine="0",finished_reason="abort",${labels.slice(11)}}`),
    ).toBe(0)
    expect(series.get('process_start_time_seconds')).toBe(1_700_000_000)
    const config = [...series.keys()].find((name) => name.startsWith('vllm:cache_config_info'))
    expect(config).toContain('block_size="16"')
    expect(config).toContain('num_gpu_blocks="25000"')
    expect(config).not.toContain('model_name')
  })

  test('have cumulative buckets on the edges of vLLM', () => {
    const series = parse(v1)
    const bucket = (le: string) =>
      series.get(
        `vllm:time_to_first_token_seconds_bucket{engine="0",le="${le}",model_name="meta-llama/Llama-3.1-8B"}`,
      )
    // 6.58 + 400 tokens at 0.0193 + 2.7e-5 ms is 14.3 ms.
    expect(['0.01', '0.02', '0.04', '1.0', '2560.0', '+Inf'].map(bucket)).toEqual([0, 3, 3, 3, 3, 3])
  })

  test('in the flavour of 2024 have its names, no engine label and no creation times', () => {
    const names = new Set([...parse(v0).keys()].map((series) => series.replace(/\{.*/, '')))
    expect(names).toContain('vllm:gpu_cache_usage_perc')
    expect(names).toContain('vllm:time_per_output_token_seconds_bucket')
    expect(names).not.toContain('vllm:kv_cache_usage_perc')
    expect(names).not.toContain('vllm:inter_token_latency_seconds_bucket')
    expect(v0).not.toContain('engine=')
    expect(v0).not.toContain('_created')
    const edges = [...v0.matchAll(/time_per_output_token_seconds_bucket\{le="([^"]+)"/g)].map(
      (match) => match[1],
    )
    expect(edges.slice(-2)).toEqual(['2.5', '+Inf'])
  })

  test('are text that declares every series once and types it', () => {
    const lines = v1.trimEnd().split('\n')
    const types = lines.filter((line) => line.startsWith('# TYPE')).map((line) => line.split(' ')[2])
    expect(new Set(types).size).toBe(types.length)
    const samples = lines.filter((line) => !line.startsWith('#'))
    expect(new Set(samples.map((line) => line.slice(0, line.lastIndexOf(' ')))).size).toBe(samples.length)
    for (const sample of samples) {
      expect(sample).toMatch(/^[a-z_:0-9]+(\{([a-z_]+="[^"]*",?)+\})? -?[0-9.]+(e-?[0-9]+)?$/)
      const name = sample.replace(/[{ ].*/, '')
      expect(types).toContain(types.includes(name) ? name : name.replace(/_(bucket|sum|count)$/, ''))
    }
  })

  test('are not there while the engine starts', () => {
    expect(starting?.phase).toBe('starting')
    expect(starting === undefined ? '' : exposition(starting, options)).toBeUndefined()
  })
})
