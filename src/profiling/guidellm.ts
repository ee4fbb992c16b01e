// GuideLLM's results: its JSON report (0.2 to 0.5), and the flat records that its CSV holds, also where somebody
// turned those into a list of JSON objects. Its ITL is the mean over all gaps of a request, weighted by tokens.
import { type Lengths, type Load, noData, type ProfileData, type Run } from '../core/profiles/measurement.ts'
import { at, isList, type Json, type JsonObject, numberAt, textAt } from './json.ts'
import { type Given, setupFrom } from './setup.ts'
import { Unreadable } from './unreadable.ts'

export function isGuidellm(value: Json): boolean {
  const benchmarks = at(value, 'benchmarks')
  return (
    isList(benchmarks) &&
    benchmarks.some((each) => at(each, 'metrics', 'time_to_first_token_ms') !== undefined)
  )
}

const flatMarker = 'Successful Time to first token ms mean'

export function isGuidellmRecords(value: Json): boolean {
  return isList(value) && at(value[0], flatMarker) !== undefined
}

/** Of a CSV, whose columns are lower-cased. */
export function isGuidellmCsv(columns: readonly string[]): boolean {
  return columns.includes(flatMarker.toLowerCase())
}

export function guidellm(file: string, report: Json, given: Given): ProfileData {
  const benchmarks = at(report, 'benchmarks')
  const list = isList(benchmarks) ? benchmarks : []
  return {
    ...noData,
    runs: list.map((benchmark, i) => {
      const strategy = at(benchmark, 'config', 'strategy') ?? at(benchmark, 'args', 'strategy')
      const stated =
        textAt(report, 'args', 'model') ??
        textAt(benchmark, 'config', 'backend', 'model') ??
        textAt(benchmark, 'worker', 'backend_model')
      const mean = (metric: string, statistic = 'mean'): number | undefined =>
        numberAt(benchmark, 'metrics', metric, 'successful', statistic)
      return runOf({ file, row: i + 1 }, given, stated, {
        load: strategyLoad(strategyText(strategy), i + 1),
        prompt: [mean('prompt_token_count'), mean('prompt_token_count', 'std_dev')],
        output: [mean('output_token_count'), mean('output_token_count', 'std_dev')],
        ttft: [mean('time_to_first_token_ms'), mean('time_to_first_token_ms', 'median')],
        itl: mean('inter_token_latency_ms'),
        latencySeconds: mean('request_latency'),
        rate: mean('requests_per_second'),
        running: mean('request_concurrency'),
        requests: mean('request_latency', 'count'),
        duration: numberAt(benchmark, 'duration'),
      })
    }),
  }
}

/** Records with one key, or column, per statistic. Keys are compared without regard to case. */
export function guidellmRecords(
  file: string,
  records: readonly { readonly row: number; readonly cells: JsonObject }[],
  given: Given,
): ProfileData {
  return {
    ...noData,
    runs: records.map(({ row, cells }) => {
      const lower = Object.fromEntries(
        Object.entries(cells).map(([key, value]) => [key.toLowerCase(), value]),
      )
      const value = (name: string): number | undefined => numberAt(lower, `successful ${name}`)
      return runOf({ file, row }, given, textAt(lower, 'model'), {
        load: strategyLoad(textAt(lower, 'name') ?? '', row),
        prompt: [value('prompt token count mean'), value('prompt token count std dev')],
        output: [value('output token count mean'), value('output token count std dev')],
        ttft: [value('time to first token ms mean'), value('time to first token ms median')],
        itl: value('inter token latency ms mean'),
        latencySeconds: value('request latency mean'),
        rate: value('requests per second mean'),
        running: value('request concurrency mean'),
        requests: value('requests'),
        duration: numberAt(lower, 'duration'),
      })
    }),
  }
}

type Pair = readonly [first: number | undefined, second: number | undefined]

interface Statistics {
  readonly load: Load
  /** Mean and standard deviation. */
  readonly prompt: Pair
  readonly output: Pair
  /** Mean and median. */
  readonly ttft: Pair
  readonly itl: number | undefined
  readonly latencySeconds: number | undefined
  readonly rate: number | undefined
  readonly running: number | undefined
  readonly requests: number | undefined
  readonly duration: number | undefined
}

function runOf(origin: Run['origin'], given: Given, model: string | undefined, found: Statistics): Run {
  const optional = (key: keyof Run, value: number | undefined): Partial<Run> =>
    value === undefined ? {} : { [key]: value }
  const { latencySeconds, rate, requests, duration } = found
  // The mean of the rates between completions is biased at low rates: what was completed over the time is not.
  const counted =
    requests === undefined || duration === undefined || !(duration > 0) ? rate : requests / duration
  return {
    origin,
    setup: setupFrom(given, { model, engine: 'engine not stated (GuideLLM)' }),
    load: found.load,
    promptTokens: lengths(found.prompt, 'prompt', origin.row),
    outputTokens: lengths(found.output, 'output', origin.row),
    ...optional('ttftMs', found.ttft[0]),
    ...optional('ttftMedianMs', found.ttft[1]),
    ...optional('itlMs', found.itl),
    ...optional('e2eMs', latencySeconds === undefined ? undefined : latencySeconds * 1000),
    ...(found.load.kind === 'clients' ? {} : optional('achievedPerSecond', counted)),
    ...optional('running', found.running),
    ...optional('requests', requests),
    ...optional('durationSeconds', duration),
  }
}

function lengths([mean, deviation]: Pair, what: string, row: number): Lengths {
  if (mean === undefined || !(mean > 0))
    throw new Unreadable(`benchmark ${row} states no mean ${what} tokens: it needs successful requests`)
  return { mean, meanSquare: mean * mean + (deviation ?? 0) ** 2 }
}

function strategyText(strategy: Json | undefined): string {
  const kind = textAt(strategy, 'type_') ?? ''
  const amount =
    numberAt(strategy, 'rate') ?? numberAt(strategy, 'streams') ?? numberAt(strategy, 'max_concurrency')
  return `${kind}@${amount ?? ''}`
}

/** `synchronous`, `throughput`, `constant@2.5`, `poisson@2.5`, `async@2.5`, `concurrent@8`. */
export function strategyLoad(strategy: string, row: number): Load {
  const [kind = '', amount = ''] = strategy.toLowerCase().split('@')
  const number = Number(amount)
  switch (kind) {
    case 'synchronous':
      return { kind: 'clients', clients: 1 }
    case 'throughput':
      return { kind: 'burst' }
    case 'concurrent':
      if (number >= 1) return { kind: 'clients', clients: number }
      break
    case 'constant':
    case 'async':
      if (number > 0) return { kind: 'rate', requestsPerSecond: number, arrivals: 'constant' }
      break
    case 'poisson':
      if (number > 0) return { kind: 'rate', requestsPerSecond: number, arrivals: 'poisson' }
      break
  }
  throw new Unreadable(
    `benchmark ${row}: the strategy must be synchronous, concurrent, constant, poisson or throughput, with its rate: got ${JSON.stringify(strategy)}`,
  )
}
