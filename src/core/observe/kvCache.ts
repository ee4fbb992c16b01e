// What the engines say of their KV cache: how full it is, and how many tokens it holds. The size stands in
// label values of cache_config_info, which PromQL cannot multiply.
import { isMissing, missing, type Reading } from '../reading.ts'
import { labelOf, type Row } from './series.ts'

/** 0..1, mean over engines. vLLM's `_perc` is a fraction; something above 1 is not vLLM's. */
export function kvUsageOf(sum: Reading, engines: Reading): Reading {
  if (isMissing(sum)) return sum
  if (isMissing(engines)) return engines
  const usage = sum / engines
  if (!(usage >= 0 && usage <= 1.01)) return missing('infinite', `KV cache usage: ${usage} is not in 0..1`)
  return Math.min(1, usage)
}

/**
 * Tokens per replica. Each row counts the engines with one configuration; a replica may have several
 * (data-parallel ranks). Engines that do not tell their size ("None") are taken to be like the others.
 */
export function kvTokensOf(rows: readonly Row[], replicas: Reading): Reading {
  if (isMissing(replicas)) return replicas
  let engines = 0
  let known = 0
  let tokens = 0
  for (const row of rows) {
    if (!(Number.isFinite(row.value) && row.value > 0)) continue
    engines += row.value
    const size = sizeOf(row)
    if (size === undefined) continue
    known += row.value
    tokens += row.value * size
  }
  if (known === 0 || !(replicas > 0)) return missing('notReported', 'num_gpu_blocks')
  const perReplica = (tokens / known) * (engines / replicas)
  return Number.isFinite(perReplica) ? perReplica : missing('infinite', 'num_gpu_blocks')
}

function sizeOf(row: Row): number | undefined {
  const tokens = positive(labelOf(row, 'kv_cache_size_tokens'))
  if (tokens !== undefined) return tokens
  const blocks = positive(labelOf(row, 'num_gpu_blocks'))
  const blockSize = positive(labelOf(row, 'block_size'))
  return blocks === undefined || blockSize === undefined ? undefined : blocks * blockSize
}

function positive(text: string): number | undefined {
  return /^[0-9]{1,15}$/.test(text) && Number(text) > 0 ? Number(text) : undefined
}
