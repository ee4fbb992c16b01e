import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { capacityOf } from '../../src/core/capacity/capacity.ts'
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
