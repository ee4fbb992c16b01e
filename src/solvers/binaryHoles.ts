// Holes of integer columns as binaries and rows, for an engine that knows none. With z_i = 1 where a count is above
// hole i: n >= lower + sum (above_i - above_i-1) z_i, n <= below_1 + sum (below_i+1 - below_i) z_i, z_i+1 <= z_i.
// Relaxed, that is the whole interval: what an engine gains from knowing holes is size, not a better bound.
import type { Column, Entry, LinearProgram, Row } from '../core/optimize/engine.ts'

/** The columns of the program come first, in their order. */
export function withBinaries(program: LinearProgram): LinearProgram {
  const columns: Column[] = [...program.columns]
  const rows: Row[] = [...program.rows]
  for (const [index, { holes = [], integer, lower, upper }] of program.columns.entries()) {
    const first = holes[0]
    if (first === undefined || !integer || upper <= lower) continue
    const atLeast: Entry[] = [{ column: index, coefficient: 1 }]
    const atMost: Entry[] = [{ column: index, coefficient: 1 }]
    for (const [at, { below, above }] of holes.entries()) {
      const isAbove = columns.push({ cost: 0, lower: 0, upper: 1, integer: true }) - 1
      atLeast.push({ column: isAbove, coefficient: (holes[at - 1]?.above ?? lower) - above })
      atMost.push({ column: isAbove, coefficient: below - (holes[at + 1]?.below ?? upper) })
      if (at > 0) {
        const inOrder = [
          { column: isAbove, coefficient: 1 },
          { column: isAbove - 1, coefficient: -1 },
        ]
        rows.push({ lower: Number.NEGATIVE_INFINITY, upper: 0, entries: inOrder })
      }
    }
    rows.push({ lower, upper: Number.POSITIVE_INFINITY, entries: atLeast })
    rows.push({ lower: Number.NEGATIVE_INFINITY, upper: first.below, entries: atMost })
  }
  return { columns, rows }
}
