// javascript-lp-solver behind the engine port: its simplex tableau, and a branch and bound that is bounded by
// a count of nodes. The package's own search stops by the wall clock only, which would make two servers
// disagree, and says neither that it stopped nor how far from the optimum; this one reports its bound.
import { createRequire } from 'node:module'
import type { EngineAnswer, EngineLimits, Hole, LinearProgram, Row } from '../core/optimize/engine.ts'
import { type Search, searchTree } from './branchAndBound.ts'

// The package's types describe its CommonJS file; its ES module exports something else under the same types.
const solver: typeof import('javascript-lp-solver')['default'] = createRequire(import.meta.url)(
  'javascript-lp-solver',
)

type Model = InstanceType<typeof solver.Model>
type Variable = ReturnType<Model['addVariable']>

export function solveSmall(program: LinearProgram, limits: EngineLimits): EngineAnswer {
  const holes = new Map<number, readonly Hole[]>()
  const search = searchTree(limits, holes)
  const model = new solver.Model(1e-9, 'mix', search.service)
  model.usePresolve = false
  const variables = addVariables(model, program, holes)
  for (const row of program.rows) {
    if (!addRow(model, row, program, variables)) return { status: 'infeasible' }
  }
  const solution = model.solve()
  const shift = program.columns.reduce((total, column) => total + column.cost * column.lower, 0)
  const values = program.columns.map((column, index) => column.lower + (variables[index]?.value ?? 0))
  if (model.getNumberOfIntegerVariables() > 0) return fromSearch(search, values, shift)
  if (!solution.feasible) return { status: 'infeasible' }
  if (!solution.bounded) return { status: 'failed', why: 'unbounded' }
  return { status: 'solved', values, lowerBound: solution.evaluation + shift }
}

function fromSearch(search: Search, values: readonly number[], shift: number): EngineAnswer {
  const result = search.result()
  switch (result.status) {
    case 'found':
      return { status: 'solved', values, lowerBound: result.lowerBound + shift }
    case 'exhausted':
      return { status: 'infeasible' }
    case 'unbounded':
      return { status: 'failed', why: 'unbounded' }
    case 'stopped':
      return { status: 'failed', why: `nothing found in ${result.nodes} nodes` }
  }
}

/** Variables count from their lower bound, because the tableau knows no bound but zero; fixed ones are left out. */
function addVariables(
  model: Model,
  program: LinearProgram,
  holes: Map<number, readonly Hole[]>,
): readonly (Variable | undefined)[] {
  return program.columns.map((column, index) => {
    if (column.upper <= column.lower) return undefined
    const variable = model.addVariable(column.cost, `column${index}`, column.integer)
    if (Number.isFinite(column.upper)) {
      model.smallerThan(column.upper - column.lower).addTerm(1, variable)
    }
    if (column.holes !== undefined) {
      const fromLower = column.holes.map(({ below, above }) => ({
        below: below - column.lower,
        above: above - column.lower,
      }))
      holes.set(variable.index, fromLower)
    }
    return variable
  })
}

/** False where a row without variables cannot hold. Rows are scaled: the tableau drops what is below 1e-8. */
function addRow(
  model: Model,
  row: Row,
  program: LinearProgram,
  variables: readonly (Variable | undefined)[],
): boolean {
  const free = row.entries.filter((entry) => variables[entry.column] !== undefined)
  const fixed = row.entries.reduce(
    (total, entry) => total + entry.coefficient * (program.columns[entry.column]?.lower ?? 0),
    0,
  )
  const lower = row.lower - fixed
  const upper = row.upper - fixed
  if (free.length === 0) return lower <= 1e-9 && upper >= -1e-9
  const scale = 1 / Math.max(...free.map((entry) => Math.abs(entry.coefficient)))
  const sides = [
    ...(Number.isFinite(upper) ? [model.smallerThan(upper * scale)] : []),
    ...(Number.isFinite(lower) ? [model.greaterThan(lower * scale)] : []),
  ]
  for (const side of sides) {
    for (const entry of free) {
      const variable = variables[entry.column]
      if (variable !== undefined) side.addTerm(entry.coefficient * scale, variable)
    }
  }
  return true
}
