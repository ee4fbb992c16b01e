// The lines of a file that comes in blocks of bytes, in bounded memory whatever its length: a line that never ends, a
// wrong encoding and a compressed file are errors with their place, not gigabytes of memory or garbage.
import { quoted, TraceError } from './traceError.ts'

export interface Line {
  /** From 1. */
  readonly number: number
  /** Without its end: LF or CRLF. */
  readonly text: string
  /** The file ends here without a line end: it may have been cut off. */
  readonly last: 'ended' | 'unended'
}

type Decoder = InstanceType<typeof TextDecoder>

const longestLine = 1 << 20
const lineFeed = 0x0a

/** `file` is for messages. Empty lines are left out. */
export function* linesOf(file: string, blocks: Iterable<Uint8Array>): Generator<Line> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let rest: Uint8Array = new Uint8Array(0)
  let number = 0
  let first = true
  for (const block of blocks) {
    if (block.length === 0) continue
    let bytes = joined(rest, block)
    if (first && bytes.length >= 3) {
      bytes = withoutMark(file, bytes)
      first = false
    }
    const end = bytes.lastIndexOf(lineFeed)
    if (end < 0) {
      if (bytes.length > longestLine)
        throw new TraceError(
          file,
          number + 1,
          `no line end within ${longestLine} bytes: is this a text file?`,
        )
      rest = bytes
      continue
    }
    for (const text of decoded(file, decoder, bytes.subarray(0, end), number).split('\n')) {
      number++
      const line = trimmed(text)
      if (line !== '') yield { number, text: line, last: 'ended' }
    }
    rest = bytes.slice(end + 1)
  }
  if (first) rest = withoutMark(file, rest)
  if (rest.length === 0) return
  const line = trimmed(decoded(file, decoder, rest, number))
  if (line !== '') yield { number: number + 1, text: line, last: 'unended' }
}

function trimmed(text: string): string {
  return text.trim()
}

function joined(rest: Uint8Array, block: Uint8Array): Uint8Array {
  if (rest.length === 0) return block
  const both = new Uint8Array(rest.length + block.length)
  both.set(rest)
  both.set(block, rest.length)
  return both
}

/** UTF-8's byte order mark is left out; what other marks begin cannot be read. */
function withoutMark(file: string, bytes: Uint8Array): Uint8Array {
  const [a, b, c] = bytes
  if (a === 0xef && b === 0xbb && c === 0xbf) return bytes.subarray(3)
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff))
    throw new TraceError(file, undefined, 'this is UTF-16: convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)')
  if (a === 0x1f && b === 0x8b)
    throw new TraceError(file, undefined, 'this is compressed: unpack it first (gunzip)')
  return bytes
}

function decoded(file: string, decoder: Decoder, bytes: Uint8Array, linesBefore: number): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new TraceError(file, linesBefore + badLine(decoder, bytes), 'this line is not UTF-8')
  }
}

/** Which of the lines cannot be decoded, from 1. */
function badLine(decoder: Decoder, bytes: Uint8Array): number {
  let number = 1
  for (let from = 0; from < bytes.length; number++) {
    const end = bytes.indexOf(lineFeed, from)
    const until = end < 0 ? bytes.length : end
    try {
      decoder.decode(bytes.subarray(from, until))
    } catch {
      return number
    }
    from = until + 1
  }
  return number
}

/** A number as files write it, or an error that says which column and what stands there. */
export function numberIn(file: string, line: Line, name: string, text: string | undefined): number {
  const value = text === undefined || text.trim() === '' ? Number.NaN : Number(text)
  if (Number.isFinite(value)) return value
  const found = text === undefined ? 'the line has no such column' : `got ${quoted(text)}`
  throw new TraceError(file, line.number, `${name} must be a number: ${found}${cutOff(line)}`)
}

export function cutOff({ last }: Line): string {
  return last === 'unended' ? ' (the file ends in this line, without a line end: it may be cut off)' : ''
}
