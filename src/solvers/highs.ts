// HiGHS (WebAssembly) behind the engine port, through its sparse arrays: the LP text format reads `m0-v1` as
// a subtraction. Loading is asynchronous, solving is not: call it where blocking is allowed (a worker).
import { createRequire } from 'node:module'
import type { Highs, ModelData } from 'highs'
import type { Engine, EngineAnswer, EngineLimits, LinearProgram } from '../core/optimize/engine.ts'
import { withBinaries } from './binaryHoles.ts'

// The package's types describe its CommonJS file, as does this way of loading it.
const loadModule: typeof import('highs')['default'] = createRequire(import.meta.url)('highs').default

/**
 * After a C++ exception the instance is replaced (about 0.1 s); until the new one is there, answers are
 * `failed`.
 */
export async function loadHighs(): Promise<Engine> {
  let highs: Highs | undefined = await loadModule()
  return (program, limits) => {
    if (highs === undefined) return { status: 'failed', why: 'HiGHS is being loaded again' }
    try {
      return solve(highs, program, limits)
    } catch (error) {
      if (error instanceof Error && error.name === 'RuntimeError') {
        highs = undefined
        void loadModule().then((fresh) => {
          highs = fresh
        })
      }
      // An uncaught error of the package prints its whole minified source.
      return { status: 'failed', why: `HiGHS: ${String(error).slice(0, 200)}` }
    }
  }
}

function solve(highs: Highs, program: LinearProgram, limits: EngineLimits): EngineAnswer {
  const integral = !program.columns.some((column) => column.integer && column.upper > column.lower)
  return highs.withModel(arrays(highs, withBinaries(program)), (model): EngineAnswer => {
    model.options.set({
      output_flag: false,
      mip_detect_symmetry: false,
      mip_rel_gap: limits.relativeGap,
      mip_abs_gap: 1e-9,
      mip_max_nodes: limits.maxNodes,
      mip_feasibility_tolerance: 1e-9,
      primal_feasibility_tolerance: 1e-9,
    })
    const { modelStatus } = model.run()
    const { modelStatus: codes, solutionStatus } = highs.constants
    if (modelStatus === codes.infeasible) return { status: 'infeasible' }
    // After a limit without an incumbent values are present but mean nothing.
    if (model.info.get('primal_solution_status') !== solutionStatus.feasible) {
      return { status: 'failed', why: `HiGHS ended with status ${modelStatus}` }
    }
    if (integral && modelStatus !== codes.optimal) {
      return { status: 'failed', why: `HiGHS ended with status ${modelStatus}` }
    }
    const solution = model.getSolution()
    const values = Array.from(solution.colValue).slice(0, program.columns.length)
    if (integral) {
      const lowerBound = model.getObjectiveValue()
      return { status: 'solved', values, lowerBound, rowPrices: Array.from(solution.rowDual) }
    }
    return { status: 'solved', values, lowerBound: Number(model.info.get('mip_dual_bound')) }
  })
}

function arrays(highs: Highs, program: LinearProgram): ModelData {
  const { columns, rows } = program
  const starts = [0]
  const indices: number[] = []
  const coefficients: number[] = []
  for (const row of rows) {
    for (const entry of row.entries) {
      indices.push(entry.column)
      coefficients.push(entry.coefficient)
    }
    starts.push(indices.length)
  }
  return {
    numCols: columns.length,
    numRows: rows.length,
    sense: highs.constants.objectiveSense.minimize,
    colCost: columns.map((column) => column.cost),
    colLower: columns.map((column) => column.lower),
    colUpper: columns.map((column) => column.upper),
    rowLower: rows.map((row) => row.lower),
    rowUpper: rows.map((row) => row.upper),
    matrix: {
      format: 'csr',
      numRows: rows.length,
      numCols: columns.length,
      starts,
      indices,
      values: coefficients,
    },
    integrality: columns.map((column) =>
      column.integer ? highs.constants.variableType.integer : highs.constants.variableType.continuous,
    ),
  }
}
