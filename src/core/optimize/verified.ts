// Which engine is asked, and what of its answer is believed: the small one for a small program, the large one
// where that fails its check or proves nothing, and of two verified answers the better.
import { checkAnswer } from './answer.ts'
import type { EngineLimits, Engines, LinearProgram } from './engine.ts'

export type Verified =
  | {
      readonly status: 'solved'
      readonly values: readonly number[]
      readonly objective: number
      readonly lowerBound: number
    }
  | { readonly status: 'infeasible' }
  | { readonly status: 'failed'; readonly why: string }

/** `alwaysFeasible`: the program has a solution by construction, so "infeasible" is an engine's error. */
export type Feasibility = 'unknown' | 'alwaysFeasible'

/** 32 variants take the small engine 20 ms at p95 and the large one ten times that (bench/optimize.ts). */
const smallIntegers = 40

/** Rows times columns: the small engine's tableau is dense, and every node pays for all of it. */
const smallTableau = 25_000

export function solveVerified(
  program: LinearProgram,
  engines: Engines,
  limits: EngineLimits,
  feasibility: Feasibility,
): Verified {
  const integers = program.columns.filter((column) => column.integer && column.upper > column.lower).length
  const isSmall = integers <= smallIntegers && program.rows.length * program.columns.length <= smallTableau
  const order = isSmall ? [engines.small, engines.large] : [engines.large]
  let best: Verified = { status: 'failed', why: 'no engine was asked' }
  for (const engine of order) {
    const answer = checkAnswer(program, engine(program, limits))
    if (answer.status === 'verified') {
      if (best.status !== 'solved' || answer.objective < best.objective)
        best = { ...answer, status: 'solved' }
      if (isProven(best, limits)) return best
    } else if (answer.status === 'infeasible') {
      if (feasibility === 'unknown' && best.status !== 'solved') return answer
      if (best.status !== 'solved') {
        best = { status: 'failed', why: 'called infeasible, though it has a solution by construction' }
      }
    } else if (best.status !== 'solved') {
      best = { status: 'failed', why: answer.why }
    }
  }
  return best
}

function isProven(solved: Verified & { readonly status: 'solved' }, limits: EngineLimits): boolean {
  const slack = (limits.relativeGap + 1e-9) * Math.max(1, Math.abs(solved.objective))
  return solved.objective - solved.lowerBound <= slack
}
