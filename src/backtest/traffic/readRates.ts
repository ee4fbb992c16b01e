// A rate series from a file: one line per window with requests per second and lengths, as ServeGen's aggregates
// have it. Holes are filled where they are short, and told.
import type { LengthFigures } from './lengthPoints.ts'
import { lengthPoints } from './lengthPoints.ts'
import { type Line, linesOf, numberIn } from './lines.ts'
import { columnsOf } from './readTrace.ts'
import { quoted, TraceError } from './traceError.ts'
import type { RateWindow } from './traffic.ts'

export interface RateSeries {
  readonly windows: readonly RateWindow[]
  /** Since the epoch, where `t_s` is. */
  readonly beginsAtSeconds?: number
  /** What was filled in, for people. */
  readonly notes: readonly string[]
}

/** Of the time between arrivals where the series does not say: variance over mean of the counts 1.2. */
const defaultCv = Math.sqrt(1.2)

/** So many missing windows in a row are filled in by a straight line; more are an error unless they are asked for. */
export const mostMissing = 6
/** `t_s` from here on is since the epoch (2001), below it since the series' beginning. */
const firstEpochSeconds = 1e9
const mostWindows = 1_000_000
const mostTokens = 1e8

interface Entry {
  readonly line: Line
  readonly atSeconds: number
  readonly requestsPerSecond: number
  readonly prompt: LengthFigures
  readonly output: LengthFigures
  readonly cv: number
}

/** Throws TraceError. Second 0 is the first window's beginning. Holes of up to `bridgeSeconds` are filled in, however many windows that is. */
export function readRates(file: string, blocks: Iterable<Uint8Array>, bridgeSeconds = 0): RateSeries {
  const entries = [...entriesOf(file, blocks)]
  const [first, second] = entries
  if (first === undefined) throw new TraceError(file, undefined, 'the series has no windows')
  if (second === undefined)
    throw new TraceError(file, first.line.number, 'one window is no series: how long is it?')
  const width = widthOf(entries)
  const windows: RateWindow[] = []
  const notes: string[] = []
  const points = memo()
  for (const [index, entry] of entries.entries()) {
    const before = entries[index - 1]
    if (before !== undefined) {
      const missing = missingBefore(file, before, entry, { width, bridgeSeconds })
      if (missing > 0)
        notes.push(`${file}:${entry.line.number}: ${missing} windows before this one are missing: filled in`)
      for (let i = 1; i <= missing; i++) {
        const part = i / (missing + 1)
        const rate = before.requestsPerSecond + part * (entry.requestsPerSecond - before.requestsPerSecond)
        windows.push(
          windowOf(
            before.atSeconds + i * width - first.atSeconds,
            width,
            { ...before, requestsPerSecond: rate },
            points,
          ),
        )
      }
    }
    windows.push(windowOf(entry.atSeconds - first.atSeconds, width, entry, points))
  }
  const { atSeconds } = first
  return { windows, notes, ...(atSeconds >= firstEpochSeconds ? { beginsAtSeconds: atSeconds } : {}) }
}

function* entriesOf(file: string, blocks: Iterable<Uint8Array>): Generator<Entry> {
  const lines = linesOf(file, blocks)
  const head = lines.next()
  if (head.done === true) throw new TraceError(file, undefined, 'the series is empty')
  const columns = columnsOf(head.value.text)
  let before = Number.NEGATIVE_INFINITY
  let count = 0
  for (const line of lines) {
    const cells = line.text.split(',')
    const value = (name: string): number => numberIn(file, line, name, cells[columns.get(name) ?? -1])
    const entry = {
      line,
      atSeconds: value('t_s'),
      requestsPerSecond: nonNegative(file, line, 'rate_req_s', value('rate_req_s')),
      prompt: figuresOf(file, line, columns, 'prompt', value),
      output: figuresOf(file, line, columns, 'output', value),
      cv: columns.has('cv') ? positive(file, line, 'cv', value('cv')) : defaultCv,
    }
    if (entry.atSeconds <= before)
      throw new TraceError(
        file,
        line.number,
        `t_s must rise from line to line: got ${entry.atSeconds} after ${before}`,
      )
    if (++count > mostWindows) throw new TraceError(file, line.number, `more than ${mostWindows} windows`)
    before = entry.atSeconds
    yield entry
  }
}

function figuresOf(
  file: string,
  line: Line,
  columns: ReadonlyMap<string, number>,
  side: 'prompt' | 'output',
  value: (name: string) => number,
): LengthFigures {
  const tokens = (name: string): number => {
    const found = nonNegative(file, line, name, value(name))
    if (found <= mostTokens) return found
    throw new TraceError(file, line.number, `${name} must be at most ${mostTokens} tokens: got ${found}`)
  }
  const names = ['p50', 'p95', 'p99'] as const
  if (!names.every((name) => columns.has(`${side}_${name}`))) return { mean: tokens(`${side}_mean`) }
  const [p50, p95, p99] = names.map((name) => tokens(`${side}_${name}`)) as [number, number, number]
  return { mean: tokens(`${side}_mean`), p50, p95, p99 }
}

function nonNegative(file: string, line: Line, name: string, value: number): number {
  if (value >= 0) return value
  throw new TraceError(file, line.number, `${name} must not be negative: got ${quoted(String(value))}`)
}

function positive(file: string, line: Line, name: string, value: number): number {
  if (value > 0) return value
  throw new TraceError(file, line.number, `${name} must be greater than 0: got ${quoted(String(value))}`)
}

/** The most frequent distance between two lines. */
function widthOf(entries: readonly Entry[]): number {
  const counts = new Map<number, number>()
  for (const [index, { atSeconds }] of entries.entries()) {
    const before = entries[index - 1]
    if (before === undefined) continue
    const width = Math.round((atSeconds - before.atSeconds) * 1000) / 1000
    counts.set(width, (counts.get(width) ?? 0) + 1)
  }
  return [...counts].reduce((best, next) => (next[1] > best[1] ? next : best))[0]
}

function missingBefore(
  file: string,
  before: Entry,
  entry: Entry,
  { width, bridgeSeconds }: { readonly width: number; readonly bridgeSeconds: number },
): number {
  const windows = (entry.atSeconds - before.atSeconds) / width
  const missing = Math.round(windows) - 1
  const where = `between lines ${before.line.number} and ${entry.line.number}`
  if (Math.abs(windows - Math.round(windows)) > 0.01 || missing < 0)
    throw new TraceError(
      file,
      entry.line.number,
      `windows must be ${width} s apart: ${where} are ${entry.atSeconds - before.atSeconds} s`,
    )
  const most = Math.max(mostMissing, Math.floor(bridgeSeconds / width))
  if (missing > most)
    throw new TraceError(
      file,
      entry.line.number,
      `${missing} windows are missing ${where}: more than ${most} are not filled in; cut the series there, or let --bridge fill in longer ones`,
    )
  return missing
}

type Points = (figures: LengthFigures) => RateWindow['promptTokens']

/** Lengths stay the same over many windows: the same points, so that what rests on them is computed once. */
function memo(): Points {
  const known = new Map<string, RateWindow['promptTokens']>()
  return (figures) => {
    const key = JSON.stringify(figures)
    const points = known.get(key) ?? lengthPoints(figures)
    known.set(key, points)
    return points
  }
}

function windowOf(
  fromSeconds: number,
  width: number,
  { requestsPerSecond, prompt, output, cv }: Pick<Entry, 'requestsPerSecond' | 'prompt' | 'output' | 'cv'>,
  points: Points,
): RateWindow {
  return {
    fromSeconds,
    untilSeconds: fromSeconds + width,
    requestsPerSecond,
    promptTokens: points(prompt),
    outputTokens: points(output),
    cv,
  }
}
