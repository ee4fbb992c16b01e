import { describe, expect, it } from 'vitest'
import { type ReportedProblem, reportOnce } from '../../src/grpc/problems.ts'

function log() {
  let now = 0
  const reported: ReportedProblem[] = []
  const report = reportOnce((problem) => reported.push(problem), {
    now: () => now,
    after: () => () => undefined,
  })
  return {
    reported,
    at: (seconds: number, text: string, name = 'so') => {
      now = seconds * 1_000
      report({ method: 'GetMetrics', code: 'UNAVAILABLE', text, namespace: 'chat', name })
    },
  }
}

describe('reportOnce', () => {
  it('reports a problem when it first happens and then once a minute, with the number in between', () => {
    const { reported, at } = log()
    for (let second = 0; second <= 60; second += 1) at(second, 'nothing has been decided yet', `so-${second}`)
    expect(reported.map(({ name, suppressed }) => [name, suppressed])).toEqual([
      ['so-0', 0],
      ['so-60', 59],
    ])
  })

  it('takes texts that differ in their figures only for one problem', () => {
    const { reported, at } = log()
    at(1, 'the last decision is 61 s old')
    at(2, 'the last decision is 62 s old')
    at(3, 'no target: Prometheus does not answer')
    expect(reported.map(({ text }) => text)).toEqual([
      'the last decision is 61 s old',
      'no target: Prometheus does not answer',
    ])
  })

  it('is not talked into more than a hundred lines a minute', () => {
    const { reported, at } = log()
    const word = (n: number): string => n.toString(2).replaceAll('0', 'a').replaceAll('1', 'b')
    for (let n = 0; n < 500; n += 1) at(1, word(n))
    expect(reported).toHaveLength(100)
    for (let n = 500; n < 1_000; n += 1) at(62, word(n))
    expect(reported).toHaveLength(200)
  })
})
