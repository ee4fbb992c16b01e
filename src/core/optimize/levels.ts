// The objectives in their strict order: what stays unmet, level by level, then cost. One solve in normal
// ticks, because the levels are only entered where not everything can be met.
import type { Column, Entry, LinearProgram, Row } from './engine.ts'
import type { MixProgram } from './program.ts'
import type { Verified } from './verified.ts'
import type { Solve } from './withLosses.ts'

/** Unmet below this, relative to the level's largest class, is rounding. */
const negligible = 1e-6

/**
 * How much of a level's optimum the cost may give back: engines miss a row by 1e-9 to 1e-7, and what that lets a lower
 * level gain must not be worth a replica. What it gives back is served again at the counts found. What losses leave
 * uncarried is known to some ten-millionths for each of them, and so is never held closer.
 */
const slack = { none: 1e-7, forCost: 1e-5 }

export function solveInOrder(mix: MixProgram, solve: Solve): Verified {
  const unmet = new Set(mix.levels.flat().map((entry) => entry.column))
  const feasibility = unmet.size > 0 ? 'unknown' : 'alwaysFeasible'
  const everythingMet = solve(closed(mix.program, unmet), feasibility)
  if (everythingMet.status === 'solved' || unmet.size === 0) return everythingMet
  const optima = solveLevels(mix, mix.program, solve)
  if ('status' in optima) return optima
  const cheapest = keepingAll(mix, mix.program, optima, slack.forCost)
  const solved = solve(cheapest, 'alwaysFeasible')
  if (solved.status !== 'solved') return solved
  const counted = fixed(mix.program, solved.values)
  const exact = solveLevels(mix, counted, solve)
  if ('status' in exact) return exact
  const served = solve(keepingAll(mix, counted, exact, slack.none), 'alwaysFeasible')
  return served.status === 'solved' ? { ...served, lowerBound: solved.lowerBound } : served
}

/** The least that stays unmet on each level, the earlier ones held at theirs. */
function solveLevels(
  mix: MixProgram,
  start: LinearProgram,
  solve: Solve,
): readonly number[] | Exclude<Verified, { readonly status: 'solved' }> {
  const optima: number[] = []
  for (const level of mix.levels) {
    const program = minimizing(keepingAll(mix, start, optima, slack.none), level)
    const solved = solve(program, 'alwaysFeasible')
    if (solved.status !== 'solved') return solved
    optima.push(solved.objective)
  }
  return optima
}

function keepingAll(
  mix: MixProgram,
  start: LinearProgram,
  optima: readonly number[],
  most: number,
): LinearProgram {
  const uncarried = new Set(mix.losses.map((loss) => loss.uncarried))
  return optima.reduce((program, optimum, index) => {
    const level = mix.levels[index] ?? []
    const isExact = !level.some((entry) => uncarried.has(entry.column))
    if (isExact && optimum <= negligible) return closed(program, new Set(level.map((entry) => entry.column)))
    const given = isExact ? most : Math.max(most, slack.forCost)
    return keeping(program, level, optimum + given * (1 + optimum))
  }, start)
}

function fixed(program: LinearProgram, values: readonly number[]): LinearProgram {
  const fix = (column: Column, index: number): Column => {
    const value = values[index] ?? column.lower
    return column.integer ? { ...column, lower: value, upper: value } : column
  }
  return { ...program, columns: program.columns.map(fix) }
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

function keeping(program: LinearProgram, level: readonly Entry[], most: number): LinearProgram {
  const row: Row = { lower: Number.NEGATIVE_INFINITY, upper: most, entries: level }
  return { ...program, rows: [...program.rows, row] }
}
