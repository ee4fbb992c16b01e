import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ClassAnswer, ClassQuery } from '../../src/core/observe/classQueries.ts'
import type { Answer } from '../../src/core/observe/series.ts'
import { bundled, classDemandAsker, expressionProblem, type Put } from '../../src/prometheus/classDemand.ts'

function query(expression: string): ClassQuery {
  return { class: `chat/llama/${expression}`, signal: 'requestsPerSecond', expression }
}

/** A back end where expression `v<n>` is n, and every bundle with `bad` in it is refused. */
function backEnd(status: 400 | 422 = 400): { readonly put: Put; readonly asked: string[] } {
  const asked: string[] = []
  const put: Put = async (promql) => {
    asked.push(promql)
    if (promql.includes('bad')) {
      return { answer: { kind: 'refused', why: `status ${status}` }, permanent: status === 400 }
    }
    const rows = [...promql.matchAll(/v(\d+)\n\)\), "mixscaler_class", "(\d+)"/g)].map(
      ([, value, index]) => ({
        labels: { mixscaler_class: index ?? '' },
        value: Number(value),
      }),
    )
    return { answer: { kind: 'rows', rows }, permanent: false }
  }
  return { put, asked }
}

function values(answers: readonly ClassAnswer[]): readonly unknown[] {
  return answers.map(({ answer }) =>
    answer.kind === 'rows' ? answer.rows.map(({ value }) => value) : answer.kind,
  )
}

describe('queries of policy authors', () => {
  it('are bundled into one, each summed and told apart by a label', () => {
    expect(bundled(['a', 'rate(b[1m])'])).toBe(
      'label_replace(sum((\na\n)), "mixscaler_class", "0", "", "")\nor\nlabel_replace(sum((\nrate(b[1m])\n)), "mixscaler_class", "1", "", "")',
    )
  })

  it('cost one request a tick while all are good', async () => {
    const { put, asked } = backEnd()
    const queries = Array.from({ length: 40 }, (_, index) => query(`v${index}`))
    const answers = await classDemandAsker().ask(queries, put)
    expect(values(answers)).toEqual(queries.map((_, index) => [index]))
    expect(asked).toHaveLength(1)
  })

  it('cost none where there are none', async () => {
    const { put, asked } = backEnd()
    expect(await classDemandAsker().ask([], put)).toEqual([])
    expect(asked).toEqual([])
  })

  it('one that is refused does not take down the others, and is not asked again', async () => {
    const asker = classDemandAsker()
    const { put, asked } = backEnd()
    const queries = [query('v1'), query('bad'), query('v3')]
    expect(values(await asker.ask(queries, put))).toEqual([[1], 'refused', [3]])
    expect(asked).toHaveLength(4)
    expect(values(await asker.ask(queries, put))).toEqual([[1], 'refused', [3]])
    expect(asked).toHaveLength(5)
  })

  it('one that cannot be evaluated today is asked alone until it can', async () => {
    const asker = classDemandAsker()
    const sick = backEnd(422)
    const queries = [query('v1'), query('bad 1')]
    await asker.ask(queries, sick.put)
    expect(values(await asker.ask(queries, sick.put))).toEqual([[1], 'refused'])
    const well: Put = async () => ({ answer: { kind: 'rows', rows: [] }, permanent: false })
    expect(values(await asker.ask(queries, well))).toEqual([[], []])
    const again = backEnd()
    await asker.ask([query('v1'), query('v2')], again.put)
    expect(again.asked).toHaveLength(1)
  })

  it('never need more than seven requests a tick, and the good ones among many are found', async () => {
    const asker = classDemandAsker()
    const queries = Array.from({ length: 60 }, (_, index) =>
      query(index % 9 === 4 ? `bad${index}` : `v${index}`),
    )
    const expected = queries.map(({ expression }, index) =>
      expression.startsWith('bad') ? 'refused' : [index],
    )
    for (let tick = 0; ; tick++) {
      const { put, asked } = backEnd()
      const answers = values(await asker.ask(queries, put))
      expect(asked.length).toBeLessThanOrEqual(7)
      if (JSON.stringify(answers) === JSON.stringify(expected)) break
      expect(tick).toBeLessThan(60)
    }
  })

  it('a back end that is down convicts nobody', async () => {
    const down: Answer = { kind: 'failed', why: 'no connection: ECONNREFUSED' }
    let requests = 0
    const asker = classDemandAsker()
    const answers = await asker.ask([query('v1'), query('v2')], async () => {
      requests++
      return { answer: down, permanent: false }
    })
    expect(values(answers)).toEqual(['failed', 'failed'])
    expect(requests).toBe(1)
  })

  it.each([
    ['sum(x)) or (y', 'unexpected ")"'],
    ['sum(x', '")" is missing'],
    ['x{a="b"', '"}" is missing'],
    ['x{a="b}', 'a string is not closed'],
    ['x[5m)', 'unexpected ")"'],
    ['# nothing', 'the query is empty'],
    [' \n', 'the query is empty'],
    ['`a', 'a string is not closed'],
  ])('%j is refused before it is asked: %s', async (expression, problem) => {
    expect(expressionProblem(expression)).toBe(problem)
    const { put, asked } = backEnd()
    expect(values(await classDemandAsker().ask([query(expression), query('v1')], put))).toEqual([
      'refused',
      [1],
    ])
    expect(asked).toHaveLength(1)
  })

  it.each([
    'sum(x{a=")"})',
    "x{a='\"('}",
    'x # ) comment',
    'x{a=`(\\`}',
    'sum by (a) (rate(x[5m])) / 2',
  ])('%j may be asked', (expression) => {
    expect(expressionProblem(expression)).toBeUndefined()
  })

  it('an accepted expression leaves the text around it as it was', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('(', ')', '{', '}', '"', "'", '`', '\\', '#', '\n', 'a') }),
        (text) => {
          fc.pre(expressionProblem(text) === undefined)
          // If it ended a string, a comment or a parenthesis of ours, the whole would not be balanced either.
          expect(expressionProblem(bundled([text, 'x']))).toBeUndefined()
          expect(expressionProblem(`(\n${text}\n`)).toBe('")" is missing')
        },
      ),
      { numRuns: 2000 },
    )
  })
})
