// One conformance suite for every engine behind the port, and the lies that none of them gets away with.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkAnswer } from '../../src/core/optimize/answer.ts'
import type { Column, Engine, EngineAnswer, LinearProgram, Row } from '../../src/core/optimize/engine.ts'
import { planMix } from '../../src/core/optimize/planMix.ts'
import { solveVerified } from '../../src/core/optimize/verified.ts'
import { demand, engines, mix, variant } from './mixes.ts'

const limits = { relativeGap: 0, maxNodes: 10_000 }

function column(cost: number, differs: Partial<Column> = {}): Column {
  return { cost, lower: 0, upper: Infinity, integer: false, ...differs }
}

function row(lower: number, upper: number, coefficients: readonly number[]): Row {
  const entries = coefficients.map((coefficient, index) => ({ column: index, coefficient }))
  return { lower, upper, entries: entries.filter((entry) => entry.coefficient !== 0) }
}

function objectiveOf(program: LinearProgram, engine: Engine): number {
  const answer = checkAnswer(program, engine(program, limits))
  if (answer.status !== 'verified') throw new Error(JSON.stringify(answer))
  return answer.objective
}

const wholes = { integer: true, upper: 10 }

describe.each([
  ['javascript-lp-solver', engines.small],
  ['HiGHS', engines.large],
])('%s', (_, engine) => {
  it('solves a program without integers and proves its bound', () => {
    // min 3x + 2y, x + y >= 4, x >= 1: x = 1, y = 3.
    const program = { columns: [column(3, { lower: 1 }), column(2)], rows: [row(4, Infinity, [1, 1])] }
    const answer = engine(program, limits)
    expect(answer).toMatchObject({ status: 'solved', lowerBound: expect.closeTo(9) })
    expect(objectiveOf(program, engine)).toBeCloseTo(9)
  })

  it('solves whole numbers where rounding the relaxation would not', () => {
    // min 3x + 2y, 4x + 2.5y >= 10: (0, 4) = 8 or (2, 1) = 8; the relaxation says 7.5.
    const program = { columns: [column(3, wholes), column(2, wholes)], rows: [row(10, Infinity, [4, 2.5])] }
    expect(objectiveOf(program, engine)).toBe(8)
  })

  it('counts from lower bounds and keeps fixed columns', () => {
    const columns = [column(1, { ...wholes, lower: 2 }), column(5, { lower: 3, upper: 3 }), column(1, wholes)]
    expect(objectiveOf({ columns, rows: [row(10, Infinity, [1, 1, 1])] }, engine)).toBe(22)
  })

  it('holds equalities and two-sided rows', () => {
    const columns = [column(1), column(3), column(2, wholes)]
    const rows = [row(5, 5, [1, 1, 0]), row(-1, 2, [1, 0, -1])]
    // x + y = 5, -1 <= x - z <= 2: x = 5 needs z >= 3: 5 + 6 = 11; x = 2, z = 0: 2 + 9 = 11; no x does better.
    expect(objectiveOf({ columns, rows }, engine)).toBeCloseTo(11)
  })

  it('takes no count in a hole, next to one, in one of several or from a lower bound', () => {
    const holes = [
      { below: 3, above: 5 },
      { below: 5, above: 9 },
    ]
    const cheapest = (atLeast: number, differs: Partial<Column> = {}): number => {
      const columns = [column(1, { ...wholes, holes, ...differs }), column(2.5, wholes)]
      return objectiveOf({ columns, rows: [row(atLeast, Infinity, [1, 1])] }, engine)
    }
    // 4 is 3 + 1 at 2.5 or 5; 7 is 5 + 2 at 2.5 or 9; 6.4 is 5 + 2 at 2.5 or 9; with an upper bound of 8, 7 costs 10.
    expect([3, 4, 5, 7, 6.4, 9.5].map((atLeast) => cheapest(atLeast))).toEqual([3, 5, 5, 9, 9, 10])
    expect(cheapest(4, { lower: 2 })).toBe(5)
    expect(cheapest(7, { upper: 5, holes: holes.slice(0, 1) })).toBe(10)
  })

  it('says infeasible where only counts in a hole would do', () => {
    const inHole = column(1, { ...wholes, holes: [{ below: 3, above: 6 }] })
    expect(engine({ columns: [inHole], rows: [row(4, 5, [1])] }, limits)).toEqual({ status: 'infeasible' })
  })

  it('relaxes a column with holes to its bounds', () => {
    const relaxed = column(1, { upper: 10, holes: [{ below: 3, above: 6 }] })
    expect(objectiveOf({ columns: [relaxed], rows: [row(4.5, Infinity, [1])] }, engine)).toBeCloseTo(4.5)
  })

  it('says infeasible, and nothing else, where there is no solution', () => {
    const program = { columns: [column(1, { ...wholes, upper: 2 })], rows: [row(3, Infinity, [1])] }
    expect(engine(program, limits)).toEqual({ status: 'infeasible' })
    expect(engine({ columns: [column(1, { upper: 0 })], rows: [row(1, Infinity, [1])] }, limits)).toEqual({
      status: 'infeasible',
    })
  })

  it('says infeasible where only the whole numbers are', () => {
    const program = { columns: [column(1, wholes)], rows: [row(1.2, 1.8, [1])] }
    expect(engine(program, limits)).toEqual({ status: 'infeasible' })
  })

  it('fails on an unbounded program', () => {
    for (const integer of [false, true]) {
      const program = { columns: [column(-1, { integer })], rows: [row(1, Infinity, [1])] }
      expect(engine(program, limits).status).toBe('failed')
    }
  })

  it('never calls an answer proven that the node limit cut short', () => {
    const program = hard()
    const optimum = objectiveOf(program, engines.large)
    const answer = checkAnswer(program, engine(program, { relativeGap: 0, maxNodes: 3 }))
    if (answer.status === 'verified') {
      expect(answer.lowerBound).toBeLessThanOrEqual(optimum + 1e-6)
      expect(answer.objective).toBeGreaterThanOrEqual(optimum - 1e-6)
    } else {
      expect(answer.status).toBe('rejected')
    }
  })

  it('gives equal answers to equal programs', () => {
    expect(engine(hard(), limits)).toEqual(engine(hard(), limits))
  })

  it('agrees with the other engine on random programs', () => {
    const random = fc.record({
      costs: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 4, maxLength: 4 }),
      needs: fc.array(
        fc.record({
          atLeast: fc.integer({ min: 1, max: 40 }),
          rates: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 4, maxLength: 4 }),
        }),
        { minLength: 1, maxLength: 3 },
      ),
      hole: fc.record({ below: fc.integer({ min: 0, max: 4 }), above: fc.integer({ min: 6, max: 10 }) }),
    })
    fc.assert(
      fc.property(random, ({ costs, needs, hole }) => {
        const program = {
          columns: costs.map((cost, index) =>
            column(cost, { ...wholes, integer: index < 3, ...(index === 1 ? { holes: [hole] } : {}) }),
          ),
          rows: needs.map((need) => row(need.atLeast, Infinity, need.rates)),
        }
        const own = checkAnswer(program, engine(program, limits))
        const other = checkAnswer(program, engines.large(program, limits))
        expect(own.status).toBe(other.status)
        if (own.status === 'verified' && other.status === 'verified') {
          expect(own.objective).toBeCloseTo(other.objective, 5)
        }
      }),
      { numRuns: 60 },
    )
  }, 60_000)
})

/** A covering problem whose relaxation is far from its optimum. */
function hard(): LinearProgram {
  const columns = Array.from({ length: 12 }, (_, i) => column(7 + ((i * 5) % 11), wholes))
  const rows = Array.from({ length: 4 }, (_, r) =>
    row(
      47.5 + 3 * r,
      Infinity,
      columns.map((_, i) => 3 + ((i * 7 + r * 3) % 8)),
    ),
  )
  return { columns, rows }
}

describe('the small engine', () => {
  it('scales rows: the package alone drops coefficients of a billionth and answers 0', () => {
    const program = { columns: [column(1, wholes)], rows: [row(5e-9, Infinity, [1e-9])] }
    expect(engines.small(program, limits)).toMatchObject({ status: 'solved', values: [5] })
  })
})

describe('a lying engine', () => {
  const program: LinearProgram = {
    columns: [column(3, wholes), column(2, { ...wholes, holes: [{ below: 4, above: 6 }] })],
    rows: [row(10, Infinity, [4, 2.5])],
  }
  const solved = (values: readonly number[], lowerBound: number): EngineAnswer => ({
    status: 'solved',
    values,
    lowerBound,
  })
  const lies: readonly (readonly [string, EngineAnswer, string])[] = [
    ['a fractional count', solved([2.5, 0], 7.5), 'column 0 is 2.5, not an integer'],
    ['infeasible called feasible', solved([1, 1], 5), 'row 0 is 6.5, outside [10, Infinity]'],
    ['timed out with nothing', solved([0, 0], Infinity), 'row 0 is 0, outside [10, Infinity]'],
    ['NaN', solved([Number.NaN, 4], 8), 'column 0 is NaN'],
    ['infinite values of an unbounded program', solved([Infinity, 4], -Infinity), 'column 0 is Infinity'],
    ['a wrong objective', solved([0, 4], 9), 'the lower bound 9 is above the objective 8'],
    ['a bound that is no number', solved([0, 4], Number.NaN), 'the lower bound is NaN'],
    ['a count out of bounds', solved([-1, 6], 8), 'column 0 is -1, outside [0, 10]'],
    ['a count in a hole', solved([2, 5], 8), 'column 1 is 5, between 4 and 6'],
    ['too few values', solved([3], 9), '1 values for 2 columns'],
  ]

  it.each(lies)('is caught: %s', (_, lie, why) => {
    expect(checkAnswer(program, lie)).toEqual({ status: 'rejected', why })
  })

  it.each(lies)('is replaced by the other engine: %s', (_, lie) => {
    const answer = solveVerified(program, { small: () => lie, large: engines.large }, limits, 'unknown')
    expect(answer).toMatchObject({ status: 'solved', objective: 8 })
  })

  it('does not turn a feasible problem into a shortfall by calling it infeasible', () => {
    const problem = mix([demand('chat', 10)], [variant('a')], { chat: { a: 4 } })
    const liar: Engine = () => ({ status: 'infeasible' })
    expect(planMix(problem, { small: liar, large: engines.large })).toMatchObject({
      status: 'optimal',
      replicas: { a: 3 },
    })
  })

  it('does not pass a poor plan as proven: the better of two verified answers wins', () => {
    const poor: Engine = () => solved([3, 0], 0)
    const answer = solveVerified(program, { small: poor, large: engines.large }, limits, 'unknown')
    expect(answer).toMatchObject({ status: 'solved', objective: 8 })
  })

  it('leads to a failure, never to an unverified plan, when both engines lie', () => {
    const problem = mix([demand('chat', 10)], [variant('a')], { chat: { a: 4 } })
    for (const answer of [{ status: 'infeasible' } as const, ...lies.map(([, lie]) => lie)]) {
      expect(planMix(problem, { small: () => answer, large: () => answer }).status).toBe('failed')
    }
  })
})
