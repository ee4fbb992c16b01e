// Tables for spreadsheets, after RFC 4180. A cell that a spreadsheet would run as a formula is made text: names come
// from policies, and a report is opened by people who did not write them.
import { isMissing, type Reading } from '../core/reading.ts'

/** Missing values are empty cells, never 0. */
export type Cell = string | Reading | null

export function csvText(rows: readonly (readonly Cell[])[]): string {
  return rows.map((cells) => `${cells.map(cellText).join(',')}\r\n`).join('')
}

function cellText(cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell === 'number') return String(cell)
  if (typeof cell !== 'string') return isMissing(cell) ? '' : String(cell)
  const harmless = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}
