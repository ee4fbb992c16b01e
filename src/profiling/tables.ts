// CSV tables of measurements. One row is a run, or a point of a prefill or decode sweep; columns may bear any of the
// names below, with the unit last, in any order. docs/PROFILES.md lists them for people.
import {
  type DecodePoint,
  fixedLength,
  type Lengths,
  type Load,
  noData,
  type PrefillPoint,
  type ProfileData,
  type Run,
  type Setup,
} from '../core/profiles/measurement.ts'
import type { CsvRow } from './csv.ts'
import { strategyLoad } from './guidellm.ts'
import { type Given, setupFrom } from './setup.ts'
import { Unreadable } from './unreadable.ts'

/** Names of each column, the first that is present counts; milliseconds or seconds by how they end. */
const names = {
  promptTokens: [
    'prompt_tokens',
    'prompt_tokens_mean',
    'prompt_mean',
    'isl',
    'isl_tokens',
    'isl_mean',
    'input_tokens',
    'input_tokens_mean',
    'input_len',
    'in_tokens',
  ],
  promptDeviation: ['prompt_tokens_sd', 'prompt_sd', 'input_tokens_sd', 'isl_sd'],
  outputTokens: [
    'output_tokens',
    'output_tokens_mean',
    'output_mean',
    'osl',
    'osl_tokens',
    'osl_mean',
    'output_len',
    'out_tokens',
  ],
  outputDeviation: ['output_tokens_sd', 'output_sd', 'osl_sd'],
  ttft: timed('ttft'),
  ttftMedian: ['ttft_median_ms', 'ttft_p50_ms', 'ttft_ms_p50', 'median_ttft_ms', 'ttft_s_p50', 'ttft_p50_s'],
  itl: [...timed('itl'), ...timed('tpot')],
  e2e: [...timed('e2e'), ...timed('e2el'), ...timed('latency')],
  clients: ['clients', 'concurrency', 'conc', 'max_concurrency', 'users'],
  asked: ['requests_per_second', 'requested_req_s', 'request_rate', 'rate', 'rps', 'qps'],
  achieved: [
    'achieved_per_second',
    'req_s',
    'request_throughput',
    'achieved_req_s',
    'achieved_rps',
    'throughput_req_s',
  ],
  running: ['running', 'running_mean'],
  requests: ['requests', 'completed', 'ok', 'num_prompts'],
  duration: ['duration_s', 'duration'],
  maxNumSeqs: ['max_num_seqs'],
} satisfies Readonly<Record<string, readonly string[]>>

type Column = keyof typeof names

/** The mean of a time, in ms or in s. */
function timed(metric: string): readonly string[] {
  return ['ms', 's'].flatMap((unit) => [
    `${metric}_${unit}`,
    `${metric}_${unit}_mean`,
    `${metric}_mean_${unit}`,
    `mean_${metric}_${unit}`,
  ])
}

export function tableData(
  file: string,
  columns: readonly string[],
  rows: readonly CsvRow[],
  given: Given,
): ProfileData {
  const has = (...wanted: readonly string[]): boolean => wanted.some((name) => columns.includes(name))
  if (rows.length === 0) throw new Unreadable('a CSV file with rows was expected: it has only a header')
  if (has('context_tokens') && has(...names.itl))
    return { ...noData, decode: rows.map((row) => decodePoint(file, new Cells(row), given)) }
  if (has(...names.outputTokens) && has(...names.promptTokens)) {
    const stages = columns.includes('stage')
    return { ...noData, runs: rows.map((row) => runOf(file, new Cells(row), given, stages)) }
  }
  if (has(...names.promptTokens) && has(...names.ttft))
    return { ...noData, prefill: rows.map((row) => prefillPoint(file, new Cells(row), given)) }
  throw new Unreadable(
    'runs need the columns prompt_tokens, output_tokens, clients or requests_per_second, and ttft_ms, itl_ms or e2e_ms; ' +
      'prefill sweeps isl_tokens and ttft_ms; decode sweeps context_tokens, implied_concurrency and itl_ms: ' +
      `got ${columns.slice(0, 12).join(', ')}`,
  )
}

/** The cells of one row, read by meaning. */
class Cells {
  readonly line: number
  private readonly cells: CsvRow['cells']

  constructor({ line, cells }: CsvRow) {
    this.line = line
    this.cells = cells
  }

  text(...wanted: readonly string[]): string | undefined {
    return wanted.map((name) => this.cells[name]).find((each) => each !== undefined && each !== '')
  }

  /** Undefined for an absent or empty cell; throws for one that is no number. */
  number(...wanted: readonly string[]): number | undefined {
    const name = wanted.find((each) => (this.cells[each] ?? '') !== '')
    if (name === undefined) return undefined
    const value = Number(this.cells[name])
    if (Number.isFinite(value)) return value
    throw new Unreadable(`line ${this.line}: ${name} must be a number: got "${this.cells[name]}"`)
  }

  of(column: Column): number | undefined {
    return this.number(...names[column])
  }

  needed(column: Column): number {
    const value = this.of(column)
    if (value !== undefined && value > 0) return value
    throw new Unreadable(
      `line ${this.line}: ${names[column][0]} must be greater than 0: got ${value ?? 'nothing'}`,
    )
  }

  milliseconds(column: 'ttft' | 'ttftMedian' | 'itl' | 'e2e'): number | undefined {
    const name = names[column].find((each) => (this.cells[each] ?? '') !== '')
    if (name === undefined) return undefined
    const value = this.number(name)
    return value === undefined || !/_s(_|$)/.test(name) ? value : 1000 * value
  }

  setup(given: Given): Setup {
    const labelled = (label: string, ...wanted: readonly string[]): string | undefined => {
      const value = this.text(...wanted)
      return value === undefined || value === '1' ? undefined : `${label} ${value}`
    }
    const vllm = this.text('vllm_version')
    const version = this.text('version') ?? (vllm === undefined ? undefined : `vLLM ${vllm}`)
    const engine = [
      [this.text('engine', 'framework', 'backend'), version].filter((each) => each !== undefined).join(' '),
      this.text('config'),
      labelled('dp', 'dp'),
      labelled('ep', 'ep'),
    ].filter((each) => each !== undefined && each !== '')
    return setupFrom(given, {
      model: this.text('model'),
      precision: this.text('precision'),
      gpu: this.text('gpu', 'accelerator', 'hardware'),
      tp: this.number('tp', 'tensor_parallel', 'tp_size'),
      engine: engine.length === 0 ? undefined : engine.join(', '),
    })
  }
}

function runOf(file: string, cells: Cells, given: Given, stages: boolean): Run {
  const optional = (key: keyof Run, value: number | string | undefined): Partial<Run> =>
    value === undefined ? {} : { [key]: value }
  const load = loadOf(cells, stages)
  return {
    origin: { file, row: cells.line },
    setup: cells.setup(given),
    load,
    promptTokens: lengths(cells, 'promptTokens', 'promptDeviation'),
    outputTokens: lengths(cells, 'outputTokens', 'outputDeviation'),
    ...optional('ttftMs', cells.milliseconds('ttft')),
    ...optional('ttftMedianMs', cells.milliseconds('ttftMedian')),
    ...optional('itlMs', cells.milliseconds('itl')),
    ...optional('e2eMs', cells.milliseconds('e2e')),
    ...(load.kind === 'clients' ? {} : optional('achievedPerSecond', cells.of('achieved'))),
    ...optional('running', cells.of('running')),
    ...optional('requests', cells.of('requests')),
    ...optional('durationSeconds', cells.of('duration')),
    ...optional('maxNumSeqs', cells.of('maxNumSeqs')),
    ...optional('remark', cells.text('remark', 'flags')),
  }
}

/** Stages of inference-perf come at a constant rate. */
function loadOf(cells: Cells, stages: boolean): Load {
  const clients = cells.of('clients')
  const asked = cells.text(...names.asked)
  const strategy = cells.text('strategy')
  if (strategy !== undefined) return strategyLoad(strategy, cells.line)
  if (cells.text('load') === 'burst' || asked === 'inf') return { kind: 'burst' }
  const requestsPerSecond = cells.of('asked')
  if (requestsPerSecond !== undefined && requestsPerSecond > 0) {
    const arrivals = stages || cells.text('arrivals') === 'constant' ? 'constant' : 'poisson'
    return { kind: 'rate', requestsPerSecond, arrivals }
  }
  if (clients !== undefined && clients >= 1) return { kind: 'clients', clients }
  throw new Unreadable(
    `line ${cells.line}: a load is needed, clients (at least 1) or requests_per_second (greater than 0)`,
  )
}

function lengths(cells: Cells, tokens: 'promptTokens' | 'outputTokens', deviation: Column): Lengths {
  const mean = cells.needed(tokens)
  return { mean, meanSquare: fixedLength(mean).meanSquare + (cells.of(deviation) ?? 0) ** 2 }
}

function prefillPoint(file: string, cells: Cells, given: Given): PrefillPoint {
  const throughput = cells.number('prefill_tok_s_per_gpu', 'tokens_per_s_per_gpu')
  return {
    origin: { file, row: cells.line },
    setup: cells.setup(given),
    promptTokens: cells.needed('promptTokens'),
    ttftMs: cells.milliseconds('ttft') ?? 0,
    ...(throughput === undefined ? {} : { tokensPerSecondPerGpu: throughput }),
  }
}

function decodePoint(file: string, cells: Cells, given: Given): DecodePoint {
  const throughput = cells.number('decode_tok_s_per_gpu', 'tokens_per_s_per_gpu')
  const maxKvTokens = cells.number('max_kv_tokens')
  const contextTokens = cells.number('context_tokens') ?? 0
  const share = cells.number('kv_usage_frac', 'kv_usage')
  const implied = share === undefined ? undefined : (share * (maxKvTokens ?? 0)) / contextTokens
  const sequences = cells.number('implied_concurrency', 'sequences', 'concurrency') ?? implied
  if (!(contextTokens > 0) || sequences === undefined || !(sequences > 0))
    throw new Unreadable(
      `line ${cells.line}: context_tokens and implied_concurrency (or kv_usage_frac and max_kv_tokens) must be greater than 0`,
    )
  return {
    origin: { file, row: cells.line },
    setup: cells.setup(given),
    contextTokens,
    sequences,
    itlMs: cells.milliseconds('itl') ?? 0,
    ...(throughput === undefined ? {} : { tokensPerSecondPerGpu: throughput }),
    ...(maxKvTokens === undefined ? {} : { maxKvTokens }),
  }
}
