// The objectives in their strict order: what stays unmet, level by level, then cost. One solve in normal
// ticks, because the levels are only entered where not everything can be met.
import type { Column, EngineLimits, Engines, Entry, LinearProgram, Row } from './engine.ts'
import type { MixProgram } from './program.ts'
import { solveVerified, type Verified } from './verified.ts'

/** Unmet beyond this, relative to the level's size, is worth a level of its own; below, it is rounding. */
const negligible = 1e-6

export function solveInOrder(mix: MixProgram, engines: Engines, limits: EngineLimits): Verified {
  const unmetColumns = new Set(mix.levels.flat().map((entry) => entry.column))
  const everythingMet = closed(mix.program, unmetColumns)
  const first = solveVerified(
    everythingMet,
    engines,
    limits,
    unmetColumns.size > 0 ? 'unknown' : 'alwaysFeasible',
  )
  if (first.status === 'solved' || unmetColumns.size === 0) return first
  let program = mix.program
  for (const level of mix.levels) {
    const solved = solveVerified(minimizing(program, level), engines, limits, 'alwaysFeasible')
    if (solved.status !== 'solved') return solved
    program = keeping(program, level, solved.objective)
  }
  return solveVerified(program, engines, limits, 'alwaysFeasible')
}

function closed(program: LinearProgram, columns: ReadonlySet<number>): LinearProgram {
  const close = (column: Column, index: number): Column =>
    columns.has(index) ? { ...column, upper: 0 } : column
  return { ...program, columns: program.columns.map(close) }
}

function minimizing(program: LinearProgram, objective: readonly Entry[]): LinearProgram {
  const costs = new Map(objective.map((entry) => [entry.column, entry.coefficient]))
  return {
    ...program,
    columns: program.columns.map((column, index) => ({ ...column, cost: costs.get(index) ?? 0 })),
  }
}

function keeping(program: LinearProgram, level: readonly Entry[], optimum: number): LinearProgram {
  if (optimum <= negligible) return closed(program, new Set(level.map((entry) => entry.column)))
  const row: Row = {
    lower: Number.NEGATIVE_INFINITY,
    upper: optimum + negligible * (1 + optimum),
    entries: level,
  }
  return { ...program, rows: [...program.rows, row] }
}
