// Recorded requests from files: the Azure LLM inference traces, Mooncake's JSON lines, access logs as JSON lines. Which
// of them it is, the first line says. Rows come out in order of time; what is wrong has its file and line.
import type { TracedRequest } from '../../simulation/arrivals.ts'
import { TimeOrder } from '../../simulation/timeOrder.ts'
import { epochSecondsOf, instantOf } from './instants.ts'
import { cutOff, type Line, linesOf, numberIn } from './lines.ts'
import { quoted, TraceError } from './traceError.ts'

/** Requests that finish early are logged early: so many lines are put back into the order of their arrivals. */
const loggedOutOfOrder = 65_536
/** No model has a context of more: a larger number is a broken line. */
const mostTokens = 1e8

/** Throws TraceError. `atSeconds` counts from the file's own origin. */
export function* readTrace(file: string, blocks: Iterable<Uint8Array>): Generator<TracedRequest> {
  const lines = linesOf(file, blocks)
  const first = lines.next()
  if (first.done === true) throw new TraceError(file, undefined, 'the trace is empty')
  const head = first.value
  const rows = head.text.startsWith('{') ? jsonRows(file, head, lines) : csvRows(file, head, lines)
  let before = Number.NEGATIVE_INFINITY
  let any = false
  for (const { line, request } of rows) {
    any = true
    if (request.atSeconds < before) throw new TraceError(file, line, outOfOrder(before - request.atSeconds))
    before = request.atSeconds
    yield request
  }
  if (!any) throw new TraceError(file, undefined, 'the trace has no requests')
}

/** What the first line says it is. */
export function isRateSeries(firstLine: string): boolean {
  const columns = columnsOf(firstLine)
  return columns.has('t_s') && columns.has('rate_req_s')
}

function outOfOrder(seconds: number): string {
  return `${Number(seconds.toPrecision(3))} s earlier than the line before: sort the trace by time`
}

interface Row {
  readonly line: number
  readonly request: TracedRequest
}

export function columnsOf(header: string): ReadonlyMap<string, number> {
  return new Map(
    header.split(',').map((name, index) => [name.trim().toLowerCase().replaceAll('"', ''), index]),
  )
}

function* csvRows(file: string, head: Line, lines: Iterable<Line>): Generator<Row> {
  const columns = columnsOf(head.text)
  const place = (name: string): number => {
    const index = columns.get(name.toLowerCase())
    if (index !== undefined) return index
    throw new TraceError(
      file,
      head.number,
      `no column ${name}: a trace has TIMESTAMP,ContextTokens,GeneratedTokens, or JSON lines, or t_s,rate_req_s: got ${quoted(head.text)}`,
    )
  }
  const [time, prompt, output] = [place('TIMESTAMP'), place('ContextTokens'), place('GeneratedTokens')]
  for (const line of lines) {
    const cells = line.text.split(',')
    const stamp = cells[time] ?? ''
    const atSeconds = instantOf(stamp)
    if (atSeconds === undefined)
      throw new TraceError(
        file,
        line.number,
        `TIMESTAMP must be an instant such as 2023-11-16 18:15:46.68: got ${quoted(stamp)}${cutOff(line)}`,
      )
    const tokens = (name: string, index: number): number =>
      tokensOf(file, line, name, numberIn(file, line, name, cells[index]))
    yield {
      line: line.number,
      request: {
        atSeconds,
        promptTokens: tokens('ContextTokens', prompt),
        outputTokens: tokens('GeneratedTokens', output),
      },
    }
  }
}

function tokensOf(file: string, line: Line, name: string, tokens: number): number {
  if (tokens >= 0 && tokens <= mostTokens) return Math.max(1, Math.round(tokens))
  throw new TraceError(file, line.number, `${name} must be from 0 to ${mostTokens} tokens: got ${tokens}`)
}

function* jsonRows(file: string, head: Line, lines: Iterable<Line>): Generator<Row> {
  const order = new TimeOrder<Row>(loggedOutOfOrder, ({ request }) => request.atSeconds)
  const sorted = isMooncake(objectIn(file, head))
  for (const line of chained(head, lines)) {
    const row = { line: line.number, request: loggedRequest(file, line) }
    if (sorted) yield row
    else {
      const next = order.push(row)
      if (next !== undefined) yield next
    }
  }
  yield* order.rest()
}

function* chained(head: Line, lines: Iterable<Line>): Generator<Line> {
  yield head
  yield* lines
}

function objectIn(file: string, line: Line): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line.text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch {
    // Said below.
  }
  throw new TraceError(file, line.number, `not a JSON object: ${quoted(line.text)}${cutOff(line)}`)
}

function isMooncake(entry: Readonly<Record<string, unknown>>): boolean {
  return 'input_length' in entry && 'output_length' in entry
}

const timeNames = ['timestamp', 'time', 'ts', 'created', 'arrival_time', 'start_time']
const promptNames = ['input_length', 'prompt_tokens', 'input_tokens']
const outputNames = ['output_length', 'completion_tokens', 'output_tokens', 'generated_tokens']

function loggedRequest(file: string, line: Line): TracedRequest {
  const entry = objectIn(file, line)
  const usage = entry['usage']
  const within = (
    names: readonly string[],
  ): { readonly name: string; readonly value: unknown } | undefined => {
    for (const source of [entry, usage]) {
      if (typeof source !== 'object' || source === null) continue
      const name = names.find((candidate) => Object.hasOwn(source, candidate))
      if (name !== undefined) return { name, value: (source as Record<string, unknown>)[name] }
    }
    return undefined
  }
  const tokens = (names: readonly string[]): number => {
    const found = within(names)
    if (found === undefined)
      throw new TraceError(file, line.number, `none of ${names.join(', ')} is there${cutOff(line)}`)
    if (typeof found.value !== 'number' || !Number.isFinite(found.value))
      throw new TraceError(
        file,
        line.number,
        `${found.name} must be a number: got ${quoted(JSON.stringify(found.value))}`,
      )
    return tokensOf(file, line, found.name, found.value)
  }
  return {
    atSeconds: timeIn(file, line, within(timeNames), isMooncake(entry)),
    promptTokens: tokens(promptNames),
    outputTokens: tokens(outputNames),
  }
}

/** Mooncake counts milliseconds from the trace's beginning; logs have instants or seconds since the epoch. */
function timeIn(
  file: string,
  line: Line,
  found: { readonly name: string; readonly value: unknown } | undefined,
  mooncake: boolean,
): number {
  if (found === undefined)
    throw new TraceError(file, line.number, `none of ${timeNames.join(', ')} is there${cutOff(line)}`)
  const { name, value } = found
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0)
    return mooncake ? value / 1000 : epochSecondsOf(value)
  const instant = typeof value === 'string' ? instantOf(value) : undefined
  if (instant !== undefined) return instant
  throw new TraceError(
    file,
    line.number,
    `${name} must be an instant such as 2023-11-16T18:15:46Z or a number of seconds: got ${quoted(JSON.stringify(value))}`,
  )
}
