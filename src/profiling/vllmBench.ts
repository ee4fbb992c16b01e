// Results of `vllm bench serve --save-result`: one object per run, alone, in a list, or one after the other in a file
// written with --append-result. GPU, TP and engine come from its --metadata, or from the command line.
import {
  fixedLength,
  type Lengths,
  type Load,
  noData,
  type ProfileData,
  type Run,
} from '../core/profiles/measurement.ts'
import { at, isList, isObject, type Json, numberAt, textAt } from './json.ts'
import { type Given, setupFrom } from './setup.ts'
import { Unreadable } from './unreadable.ts'

export function isVllmBench(value: Json): boolean {
  const first = isList(value) ? value[0] : value
  return numberAt(first, 'request_throughput') !== undefined && at(first, 'mean_ttft_ms') !== undefined
}

export function vllmBench(file: string, document: Json, given: Given): ProfileData {
  const results = isList(document) ? document : [document]
  return { ...noData, runs: results.map((result, i) => runOf({ file, row: i + 1 }, result, given)) }
}

function runOf(origin: Run['origin'], result: Json, given: Given): Run {
  const needed = (key: string): number => {
    const found = numberAt(result, key)
    if (found === undefined) throw new Unreadable(`run ${origin.row} has no number "${key}"`)
    return found
  }
  if (!isObject(result)) throw new Unreadable(`run ${origin.row} must be an object`)
  const requests = needed('completed')
  if (!(requests > 0)) throw new Unreadable(`run ${origin.row} completed no requests`)
  const optional = (key: keyof Run, name: string): Partial<Run> => {
    const found = numberAt(result, name)
    return found === undefined ? {} : { [key]: found }
  }
  return {
    origin,
    setup: setupFrom(given, {
      model: textAt(result, 'model_id'),
      gpu: textAt(result, 'gpu'),
      tp: numberAt(result, 'tp'),
      engine: textAt(result, 'engine') ?? 'vLLM',
    }),
    load: loadOf(result, origin.row),
    promptTokens: lengths(result, 'input_lens', needed('total_input_tokens') / requests),
    outputTokens: lengths(result, 'output_lens', needed('total_output_tokens') / requests),
    requests,
    achievedPerSecond: needed('request_throughput'),
    ...optional('ttftMs', 'mean_ttft_ms'),
    ...optional('ttftMedianMs', 'median_ttft_ms'),
    ...itlOf(result),
    ...optional('e2eMs', 'mean_e2el_ms'),
    ...optional('durationSeconds', 'duration'),
    ...optional('maxNumSeqs', 'max_num_seqs'),
  }
}

function loadOf(result: Json, row: number): Load {
  const requestsPerSecond = numberAt(result, 'request_rate')
  const clients = numberAt(result, 'max_concurrency')
  if (requestsPerSecond !== undefined) {
    // Gamma gaps of shape `burstiness`: from 10 on they are closer to constant than to Poisson.
    const arrivals = (numberAt(result, 'burstiness') ?? 1) < 10 ? 'poisson' : 'constant'
    return { kind: 'rate', requestsPerSecond, arrivals }
  }
  if (clients !== undefined) return { kind: 'clients', clients }
  const rate = at(result, 'request_rate')
  if (rate === undefined || rate === null || String(rate).startsWith('inf')) return { kind: 'burst' }
  throw new Unreadable(`run ${row}: "request_rate" must be a number or "inf": got ${JSON.stringify(rate)}`)
}

/** TPOT counts tokens, ITL counts chunks of the stream, which may hold several or none. */
function itlOf(result: Json): Partial<Run> {
  const itlMs = numberAt(result, 'mean_tpot_ms') ?? numberAt(result, 'mean_itl_ms')
  return itlMs === undefined ? {} : { itlMs }
}

/** From every request where they were saved (--save-detailed), else uniform within `length_spread` of the metadata. */
function lengths(result: Json, key: string, mean: number): Lengths {
  const each = at(result, key)
  if (isList(each)) {
    const numbers = each.flatMap((length) => (typeof length === 'number' ? [length] : []))
    if (numbers.length > 0)
      return {
        mean: numbers.reduce((sum, length) => sum + length, 0) / numbers.length,
        meanSquare: numbers.reduce((sum, length) => sum + length * length, 0) / numbers.length,
      }
  }
  const spread = numberAt(result, 'length_spread') ?? 0
  return { mean, meanSquare: fixedLength(mean).meanSquare * (1 + (spread * spread) / 3) }
}
