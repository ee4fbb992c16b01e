// The recorded traffic of the comparison: whole traces, single days of the fortnight, and single clients of it, whose rates move
// further than those of all of them together.
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { readRates } from '../../src/backtest/traffic/readRates.ts'
import { readTrace } from '../../src/backtest/traffic/readTrace.ts'
import type { TrafficSource } from '../../src/backtest/traffic/traffic.ts'

export interface Trace {
  readonly file: string
  /** Of the client's own rates, where the trace is one client's; lengths are those of all, in `file`. */
  readonly client?: string
  readonly ttft: string
  readonly fidelity: 'fluid' | 'request'
  /** Second 0 of the run in the trace. */
  readonly fromSeconds: number
  readonly warmupSeconds: number
  readonly scoredSeconds: number
}

const [hour, day] = [3600, 86_400]

const traces = {
  /** Fourteen days, of which four are scored from the ninth on, with eighteen hours of history. The six hours before those
   * have prompts ten times as heavy as the rest: they would be the peak that everything is scaled to. */
  large: {
    ...{ file: 'servegen_language_m_large_10min.csv', ttft: '1s', fidelity: 'fluid' },
    ...{ fromSeconds: 7.25 * day, warmupSeconds: 0.75 * day, scoredSeconds: 4 * day },
  },
  /** One day; six hours of history. */
  reason: {
    ...{ file: 'servegen_reason_deepseek_r1_10min.csv', ttft: '2s', fidelity: 'fluid' },
    ...{ fromSeconds: 0, warmupSeconds: 6 * hour, scoredSeconds: 18 * hour },
  },
  /** An hour; ten minutes of history. */
  azconv: {
    ...{ file: 'AzureLLMInferenceTrace_conv.csv', ttft: '1s', fidelity: 'request' },
    ...{ fromSeconds: 0, warmupSeconds: 600, scoredSeconds: 2880 },
  },
  azcode: {
    ...{ file: 'AzureLLMInferenceTrace_code.csv', ttft: '1s', fidelity: 'request' },
    ...{ fromSeconds: 0, warmupSeconds: 600, scoredSeconds: 2700 },
  },
} as const satisfies Readonly<Record<string, Trace>>

/** A name of `traces`, `large@DAY`, or `client-ID@DAY`. */
export type TraceName = string

export const traceNames = `${Object.keys(traces).join(', ')}, large@DAY and client-ID@DAY (1 to 13)`

const oneDay = /^(?:large|client-(?<client>\d+))@(?<day>[1-9]|1[0-3])$/

/** Throws where there is none of this name. */
export function traceOf(name: TraceName): Trace {
  if (Object.hasOwn(traces, name)) return traces[name as keyof typeof traces]
  const found = oneDay.exec(name)?.groups
  if (found === undefined) throw new Error(`traces are ${traceNames}: got "${name}"`)
  const fromSeconds = (Number(found['day']) - 0.75) * day
  return {
    ...traces.large,
    ...{ fromSeconds, scoredSeconds: day },
    ...(found['client'] === undefined ? {} : { client: found['client'] }),
  }
}

export function sourceOf(data: string, { file, client }: Trace): TrafficSource {
  const path = join(data, file)
  if (file.startsWith('servegen'))
    return {
      kind: 'rates',
      inside: 'bridge',
      windows: readRates(file, [client === undefined ? readFileSync(path) : ratesOf(client, data, path)])
        .windows,
    }
  const begin = readTrace(file, blocks(path)).next().value?.atSeconds ?? 0
  return {
    kind: 'requests',
    open: function* () {
      for (const request of readTrace(file, blocks(path)))
        yield { ...request, atSeconds: request.atSeconds - begin }
    },
  }
}

function* blocks(path: string): Generator<Uint8Array> {
  const file = openSync(path, 'r')
  try {
    const block = new Uint8Array(1 << 16)
    for (;;) {
      const length = readSync(file, block)
      if (length === 0) return
      yield block.slice(0, length)
    }
  } finally {
    closeSync(file)
  }
}

const clientsFile = 'servegen_language_m_large_top_clients_10min.csv'
/** In windows that a client is not listed for. */
const silent = '0.01'

/** The series in `path` with this client's rates in place of its own. */
function ratesOf(client: string, data: string, path: string): Uint8Array {
  const rates = new Map(
    linesIn(join(data, clientsFile)).flatMap((line) => {
      const [id, atSeconds, rate] = line.split(',')
      return id === client && atSeconds !== undefined && rate !== undefined
        ? [[atSeconds, rate] as const]
        : []
    }),
  )
  if (rates.size === 0) throw new Error(`${clientsFile} has no client ${client}`)
  const [head = '', ...windows] = linesIn(path)
  const column = head.split(',').indexOf('rate_req_s')
  const own = windows.map((line) => {
    const cells = line.split(',')
    cells[column] = rates.get(cells[0] ?? '') ?? silent
    return cells.join(',')
  })
  return Buffer.from([head, ...own].join('\n'))
}

function linesIn(path: string): readonly string[] {
  return readFileSync(path, 'utf8').trimEnd().split('\n')
}
