// Is an engine's answer a solution of the program it was given? Both engines have been seen to return
// fractional counts, broken rows or nothing at all under the word "solved", so no answer is used unchecked.
import type { EngineAnswer, LinearProgram } from './engine.ts'

export type CheckedAnswer =
  | {
      readonly status: 'verified'
      /** Integer columns are exact integers. */
      readonly values: readonly number[]
      readonly objective: number
      readonly lowerBound: number
    }
  | { readonly status: 'infeasible' }
  | { readonly status: 'rejected'; readonly why: string }

/** Relative to a row's own magnitude: 7e-9 was the worst seen on honest answers, 1e-6 leaves room. */
const tolerance = 1e-6

export function checkAnswer(program: LinearProgram, answer: EngineAnswer): CheckedAnswer {
  if (answer.status === 'infeasible') return answer
  if (answer.status === 'failed') return { status: 'rejected', why: answer.why }
  if (answer.values.length !== program.columns.length) {
    return rejected(`${answer.values.length} values for ${program.columns.length} columns`)
  }
  const values: number[] = []
  let objective = 0
  for (const [index, column] of program.columns.entries()) {
    const raw = answer.values[index] ?? Number.NaN
    if (!Number.isFinite(raw)) return rejected(`column ${index} is ${raw}`)
    const value = column.integer ? Math.round(raw) : Math.min(Math.max(raw, column.lower), column.upper)
    if (Math.abs(value - raw) > tolerance * Math.max(1, Math.abs(raw))) {
      return rejected(`column ${index} is ${raw}, ${column.integer ? 'not an integer' : 'out of bounds'}`)
    }
    if (value < column.lower || value > column.upper) {
      return rejected(`column ${index} is ${value}, outside [${column.lower}, ${column.upper}]`)
    }
    const hole = column.integer
      ? column.holes?.find(({ below, above }) => value > below && value < above)
      : undefined
    if (hole !== undefined) {
      return rejected(`column ${index} is ${value}, between ${hole.below} and ${hole.above}`)
    }
    values.push(value)
    objective += column.cost * value
  }
  const broken = brokenRow(program, values)
  if (broken !== undefined) return rejected(broken)
  if (Number.isNaN(answer.lowerBound)) return rejected('the lower bound is NaN')
  if (answer.lowerBound > objective + tolerance * Math.max(1, Math.abs(objective))) {
    return rejected(`the lower bound ${answer.lowerBound} is above the objective ${objective}`)
  }
  return { status: 'verified', values, objective, lowerBound: Math.min(answer.lowerBound, objective) }
}

function brokenRow(program: LinearProgram, values: readonly number[]): string | undefined {
  for (const [index, row] of program.rows.entries()) {
    let sum = 0
    let magnitude = 1
    for (const entry of row.entries) {
      const term = entry.coefficient * (values[entry.column] ?? Number.NaN)
      sum += term
      magnitude = Math.max(magnitude, Math.abs(term))
    }
    const slack = tolerance * magnitude
    if (!(sum >= row.lower - slack && sum <= row.upper + slack)) {
      return `row ${index} is ${sum}, outside [${row.lower}, ${row.upper}]`
    }
  }
  return undefined
}

function rejected(why: string): CheckedAnswer {
  return { status: 'rejected', why }
}
