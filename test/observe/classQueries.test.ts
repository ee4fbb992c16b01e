import { describe, expect, it } from 'vitest'
import { classQueries, classSignals, classWarnings } from '../../src/core/observe/classQueries.ts'
import type { Answer } from '../../src/core/observe/series.ts'
import { owner, policySet } from './policies.ts'

const set = policySet({
  variants: [owner('h100')],
  classes: [
    { name: 'chat', demand: { kind: 'engine' } },
    { name: 'api', demand: { kind: 'query', requestsPerSecond: 'sum(rate(api_total[1m]))' } },
    { name: 'eval', demand: { kind: 'query', requestsPerSecond: 'eval_rate', backlogTokens: 'eval_tokens' } },
  ],
})

function rows(...values: readonly number[]): Answer {
  return { kind: 'rows', rows: values.map((value) => ({ labels: {}, value })) }
}

describe('queries of policy authors', () => {
  it('are asked for the classes that have them', () => {
    expect(classQueries(set).map((query) => [query.class, query.signal, query.expression])).toEqual([
      ['chat/llama/api', 'requestsPerSecond', 'sum(rate(api_total[1m]))'],
      ['chat/llama/eval', 'requestsPerSecond', 'eval_rate'],
      ['chat/llama/eval', 'backlogTokens', 'eval_tokens'],
    ])
  })

  it('give a number, or say why there is none', () => {
    const answers: readonly Answer[] = [
      rows(3.5),
      { kind: 'refused', why: 'parse error' },
      { kind: 'failed', why: 'no answer within 5.0 s' },
    ]
    const classAnswers = classQueries(set).map((query, index) => ({
      query,
      answer: answers[index] ?? rows(),
    }))
    expect(classSignals(classAnswers)).toEqual({
      'chat/llama/api': { requestsPerSecond: 3.5 },
      'chat/llama/eval': {
        requestsPerSecond: {
          missing: 'noSeries',
          detail: 'query requestsPerSecond was refused: parse error',
        },
        backlogTokens: { missing: 'backendDown', detail: 'query backlogTokens: no answer within 5.0 s' },
      },
    })
    expect(classWarnings(classAnswers)).toEqual([
      'class chat/llama/eval, query requestsPerSecond: parse error',
    ])
  })

  it.each([
    [rows(), 'noSeries'],
    [rows(Number.NaN), 'notANumber'],
    [rows(Number.POSITIVE_INFINITY), 'infinite'],
    [rows(-2), 'infinite'],
  ])('tell %j apart from zero', (answer, reason) => {
    const [query] = classQueries(set)
    if (query === undefined) throw new Error('no query')
    expect(classSignals([{ query, answer }])['chat/llama/api']?.requestsPerSecond).toMatchObject({
      missing: reason,
    })
  })
})
