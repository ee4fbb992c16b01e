import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { capacityOf, poolingOf } from '../../src/core/capacity/capacity.ts'
import { capacityKey, createCapacityMemo } from '../../src/core/capacity/memo.ts'
import { chat, plausibleQuestions } from './questions.ts'

describe('capacity memo', () => {
  it('answers as the model does, the first time and every later one', () => {
    const memo = createCapacityMemo(10)
    fc.assert(
      fc.property(plausibleQuestions, (question) => {
        const answer = capacityOf(question)
        expect(memo.capacityOf(question)).toEqual(answer)
        expect(memo.capacityOf(structuredClone(question))).toEqual(answer)
      }),
      { numRuns: 40 },
    )
  })

  it('works an answer out once for all counts of replicas', () => {
    const asked = createCapacityMemo(10)
    const first = asked.capacityOf(chat)
    const start = performance.now()
    for (let i = 0; i < 200; i++) expect(asked.capacityOf({ ...chat, replicas: 1 })).toEqual(first)
    const remembered = performance.now() - start
    const again = performance.now()
    for (let i = 0; i < 20; i++) capacityOf(chat)
    const workedOut = performance.now() - again
    expect(remembered / 200).toBeLessThan(workedOut / 20)
    expect(asked.capacityOf({ ...chat, replicas: 7 })).toEqual(capacityOf({ ...chat, replicas: 7 }))
  })

  it('keeps what is asked for again and again, and forgets the rest after as many questions', () => {
    const workedOut: number[] = []
    const answer = poolingOf(chat)
    const memo = createCapacityMemo(40, (question) => {
      workedOut.push(question.shape.contextTokens ?? 0)
      return answer
    })
    const ask = (contextTokens: number) =>
      memo.capacityOf({ ...chat, shape: { ...chat.shape, contextTokens } })
    for (let turn = 0; turn < 30; turn++) for (const id of [701, 702, 703, 1000 + turn]) ask(id)
    ask(1000)
    ask(1029)
    expect(workedOut.filter((id) => id < 1000)).toEqual([701, 702, 703])
    expect(workedOut.filter((id) => id === 1000 || id === 1029)).toEqual([1000, 1029, 1000])
  })

  it('tells questions apart by everything that changes an answer', () => {
    const { shape, limits, profile } = chat
    const others = [
      { ...chat, role: 'decode' as const },
      { ...chat, profile: { ...profile, g: 0.01 } },
      { ...chat, profile: { ...profile, mixtureOfExperts: { x: 5, kappa: 0.1 } } },
      { ...chat, limits: { ...limits, kvTokens: limits.kvTokens + 1 } },
      { ...chat, shape: { ...shape, prefixHitRate: 0.05 } },
      { ...chat, shape: { ...shape, contextTokens: 700 } },
      { ...chat, goal: { kind: 'throughput' as const } },
      { ...chat, goal: { kind: 'interactive' as const, itl: { percentile: 0.95, seconds: 0.05 } } },
      { ...chat, goal: { kind: 'interactive' as const, tpot: { percentile: 0.95, seconds: 0.05 } } },
      { ...chat, dispersion: 2 },
      { ...chat, maxLoad: 0.8 },
    ]
    const keys = [chat, ...others].map(capacityKey)
    expect(new Set(keys).size).toBe(keys.length)
    expect(capacityKey({ ...chat, replicas: 9, profile: { ...profile, name: 'other' } })).toBe(
      capacityKey(chat),
    )
  })
})
