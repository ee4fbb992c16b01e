// Comma-separated values after RFC 4180: quoted fields, doubled quotes, either line end. Rows know their line.
import { Unreadable } from './unreadable.ts'

export interface CsvRow {
  /** Line in the file, from 1; the header is line 1. */
  readonly line: number
  readonly cells: Readonly<Record<string, string>>
}

const mostRows = 100_000
const mostColumns = 1_000

/** Throws Unreadable where rows and header disagree. Names of columns are lower-cased and trimmed. */
export function parseCsv(text: string): {
  readonly columns: readonly string[]
  readonly rows: readonly CsvRow[]
} {
  const [header, ...records] = recordsOf(text.replace(/^\uFEFF/, ''))
  if (header === undefined) throw new Unreadable('a CSV file with a header was expected: the file is empty')
  const columns = header.cells.map((each) => each.trim().toLowerCase())
  if (columns.length > mostColumns)
    throw new Unreadable(`a CSV file of at most ${mostColumns} columns was expected: got ${columns.length}`)
  const rows = records.map(({ line, cells }) => {
    if (cells.length !== columns.length)
      throw new Unreadable(`line ${line} has ${cells.length} cells: the header has ${columns.length} columns`)
    return { line, cells: Object.fromEntries(columns.map((name, i) => [name, (cells[i] ?? '').trim()])) }
  })
  return { columns, rows }
}

interface Record_ {
  readonly line: number
  readonly cells: readonly string[]
}

function recordsOf(text: string): readonly Record_[] {
  const records: Record_[] = []
  let cells: string[] = []
  let line = 1
  let began = 1
  const finish = (): void => {
    // An empty line is no row.
    if (cells.length > 1 || cells[0] !== '') records.push({ line: began, cells })
    if (records.length > mostRows + 1)
      throw new Unreadable(`a CSV file of at most ${mostRows} rows was expected`)
    cells = []
  }
  const field = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r?\n|\r|$)/y
  while (field.lastIndex < text.length || cells.length > 0) {
    const place = field.lastIndex
    const match = field.exec(text)
    if (match === null)
      throw new Unreadable(`line ${line} has a quote that is not closed or not at the start of its cell`)
    const [whole, value = '', end = ''] = match
    cells.push(value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value)
    line += value.split('\n').length - 1
    if (end !== ',') {
      finish()
      if (end !== '') line++
      began = line
    }
    if (whole === '' && place >= text.length) break
  }
  return records
}
