// Traffic for `backtest`, described in plain data that can be sent to a worker thread, and opened there: files are read
// in blocks, again for every run, so that a trace may be larger than memory.
import { closeSync, openSync, readSync } from 'node:fs'
import { linesOf } from '../backtest/traffic/lines.ts'
import { type RateSeries, readRates } from '../backtest/traffic/readRates.ts'
import { isRateSeries, readTrace } from '../backtest/traffic/readTrace.ts'
import { type Synthetic, syntheticSource } from '../backtest/traffic/synthetic.ts'
import { TraceError } from '../backtest/traffic/traceError.ts'
import type { ClassTraffic, Inside, Traffic, TrafficSource } from '../backtest/traffic/traffic.ts'
import type { TracedRequest } from '../simulation/arrivals.ts'

export type SourceDescription =
  | { readonly kind: 'trace'; readonly file: string; readonly firstSeconds: number }
  | ({ readonly kind: 'rateFile'; readonly file: string } & RateReading)
  /** What a rate file would hold; `name` is for messages. */
  | ({ readonly kind: 'rateText'; readonly name: string; readonly text: string } & RateReading)
  | { readonly kind: 'synthetic'; readonly synthetic: Synthetic }

/** How a rate series is to be read. */
export interface RateReading {
  readonly inside: Inside
  /** Holes of so long are filled in. */
  readonly bridgeSeconds: number
}

export interface TrafficDescription {
  readonly untilSeconds: number
  /** Since the epoch, where the traffic tells. */
  readonly beginsAtSeconds?: number
  readonly sources: readonly (Omit<ClassTraffic, 'source'> & { readonly source: SourceDescription })[]
}

export interface Scanned {
  readonly description: SourceDescription
  readonly seconds: number
  readonly requests: number
  /** Since the epoch, where a rate series tells. */
  readonly beginsAtSeconds?: number
  /** What is odd but no error, for people. */
  readonly notes: readonly string[]
}

const blockBytes = 1 << 18
/** Longer without a request, a trace is told to have a hole. */
const holeSeconds = 1800

export function openTraffic({ untilSeconds, sources }: TrafficDescription): Traffic {
  return {
    untilSeconds,
    sources: sources.map(({ source, ...rest }) => ({ ...rest, source: openSource(source) })),
  }
}

function openSource(description: SourceDescription): TrafficSource {
  switch (description.kind) {
    case 'trace': {
      const { file, firstSeconds } = description
      return { kind: 'requests', open: () => fromZero(readTrace(file, blocksOf(file)), firstSeconds) }
    }
    case 'rateFile':
    case 'rateText':
      return { kind: 'rates', windows: seriesOf(description).windows, inside: description.inside }
    case 'synthetic':
      return syntheticSource(description.synthetic)
  }
}

type RateDescription = Extract<SourceDescription, { readonly kind: 'rateFile' | 'rateText' }>

function seriesOf(description: RateDescription): RateSeries {
  const { bridgeSeconds } = description
  return description.kind === 'rateFile'
    ? readRates(description.file, blocksOf(description.file), bridgeSeconds)
    : readRates(description.name, [new TextEncoder().encode(description.text)], bridgeSeconds)
}

/** Reads a series as it will be played, so that what is wrong is said before. Throws TraceError. */
export function scanSeries(description: RateDescription): Scanned {
  const { windows, notes, beginsAtSeconds } = seriesOf(description)
  const requests = windows.reduce(
    (sum, window) => sum + window.requestsPerSecond * (window.untilSeconds - window.fromSeconds),
    0,
  )
  return {
    ...{ description, notes },
    seconds: windows.at(-1)?.untilSeconds ?? 0,
    requests: Math.round(requests),
    ...(beginsAtSeconds === undefined ? {} : { beginsAtSeconds }),
  }
}

/** Reads the whole file once: everything that is wrong with it is said before anything is simulated. Throws TraceError. */
export function scanTrace(file: string, reading: RateReading): Scanned {
  if (isRateSeries(firstLineOf(file))) return scanSeries({ kind: 'rateFile', file, ...reading })
  let first: number | undefined
  let last = 0
  let requests = 0
  let longest = { seconds: 0, after: 0 }
  for (const { atSeconds } of readTrace(file, blocksOf(file))) {
    first ??= atSeconds
    if (requests > 0 && atSeconds - last > longest.seconds)
      longest = { seconds: atSeconds - last, after: last - first }
    last = atSeconds
    requests++
  }
  const notes =
    longest.seconds > holeSeconds
      ? [
          `${file}: no request for ${Math.round(longest.seconds / 60)} min, ${Math.round(longest.after / 60)} min after its start: taken as no traffic`,
        ]
      : []
  const begin = first ?? 0
  return { description: { kind: 'trace', file, firstSeconds: begin }, seconds: last - begin, requests, notes }
}

function* fromZero(requests: Iterable<TracedRequest>, firstSeconds: number): Generator<TracedRequest> {
  for (const request of requests) yield { ...request, atSeconds: request.atSeconds - firstSeconds }
}

function firstLineOf(file: string): string {
  for (const { text } of linesOf(file, blocksOf(file))) return text
  throw new TraceError(file, undefined, 'the trace is empty')
}

function* blocksOf(file: string): Generator<Uint8Array> {
  let handle: number
  try {
    handle = openSync(file, 'r')
  } catch (error) {
    throw new TraceError(
      file,
      undefined,
      `cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  try {
    for (;;) {
      // A block of its own each time: what is left of a line is kept.
      const block = new Uint8Array(blockBytes)
      const length = readSync(handle, block)
      if (length === 0) return
      yield block.subarray(0, length)
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error)
      throw new TraceError(file, undefined, `cannot be read: ${error.message}`)
    throw error
  } finally {
    closeSync(handle)
  }
}
