import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { capacityOf } from '../../src/core/capacity/capacity.ts'
import { predict } from '../../src/core/capacity/predict.ts'
import type { Capacity, CapacityQuestion } from '../../src/core/capacity/question.ts'
import { llama70b } from './engines.ts'
import { chat, plausibleQuestions, rate, wildQuestions } from './questions.ts'
import { fixed, workloads } from './workloads.ts'

function interactive(bounds: { ttft?: number; itl?: number; tpot?: number }): CapacityQuestion['goal'] {
  const { ttft, itl, tpot } = bounds
  return {
    kind: 'interactive',
    ...(ttft === undefined ? {} : { ttft: { percentile: 0.95, seconds: ttft } }),
    ...(itl === undefined ? {} : { itl: { percentile: 0.95, seconds: itl } }),
    ...(tpot === undefined ? {} : { tpot: { percentile: 0.95, seconds: tpot } }),
  }
}

function limitOf(capacity: Capacity): string {
  return `${capacity.kind} ${capacity.limitedBy}`
}

describe('capacity of one replica', () => {
  it('meets its bounds less margin and reserve at the answer, and breaks the named one 1 % above it', () => {
    for (const goal of [
      interactive({ ttft: 0.1 }),
      interactive({ itl: 0.04 }),
      interactive({ tpot: 0.02 }),
    ]) {
      const question = { ...chat, goal }
      const capacity = capacityOf(question)
      if (capacity.kind !== 'feasible' || goal.kind !== 'interactive') throw new Error(limitOf(capacity))
      const { limitedBy, requestsPerSecond } = capacity
      if (limitedBy !== 'ttft' && limitedBy !== 'itl' && limitedBy !== 'tpot') throw new Error(limitedBy)
      const allowed = (goal[limitedBy]?.seconds ?? 0) * question.sloMargin
      const plannedAt = (rps: number): number => {
        const prediction = predict(question, rps)
        return prediction.kind === 'stable' ? (prediction[limitedBy]?.percentile(1 - 0.9 * 0.05) ?? 0) : 0
      }
      expect(plannedAt(requestsPerSecond)).toBeLessThanOrEqual(allowed * (1 + 1e-6))
      expect(plannedAt(1.01 * requestsPerSecond)).toBeGreaterThan(allowed)
    }
  })

  it('names what runs out first', () => {
    const limits = (changed: Partial<CapacityQuestion>): string =>
      limitOf(capacityOf({ ...chat, ...changed }))
    expect(limits({ goal: interactive({ ttft: 0.1, itl: 1 }) })).toBe('feasible ttft')
    expect(limits({ goal: interactive({ ttft: 10, itl: 0.03 }) })).toBe('feasible itl')
    expect(limits({ goal: interactive({ ttft: 10, tpot: 0.015 }) })).toBe('feasible tpot')
    expect(limits({ goal: { kind: 'throughput' }, limits: { ...chat.limits, maxNumSeqs: 16 } })).toBe(
      'feasible maxNumSeqs',
    )
    expect(limits({ goal: { kind: 'throughput' }, limits: { ...chat.limits, kvTokens: 20_000 } })).toBe(
      'feasible kvCache',
    )
    expect(limits({ goal: { kind: 'throughput' }, shape: workloads.azcode })).toBe('feasible throughput')
    // Slots are taken long before the engine is slow: a longer wait for the first token is theirs.
    expect(limits({ goal: interactive({ ttft: 0.5 }), limits: { ...chat.limits, maxNumSeqs: 8 } })).toBe(
      'feasible maxNumSeqs',
    )
  })

  it('is at most the stated share of saturation, whatever the SLO allows', () => {
    const all = rate(capacityOf({ ...chat, goal: { kind: 'throughput' }, maxLoad: 1 }))
    const loose = rate(capacityOf({ ...chat, goal: interactive({ ttft: 60, itl: 10 }), maxLoad: 0.8 }))
    expect(loose).toBeCloseTo(0.8 * all, 6)
  })

  it('says with numbers why an SLO cannot be met', () => {
    expect(
      capacityOf({ ...chat, ...llama70b, goal: interactive({ ttft: 0.03 }), shape: workloads.fix512x128 }),
    ).toEqual({
      kind: 'infeasible',
      limitedBy: 'ttft',
      why: 'TTFT p95 is planned at 0.0457 s on an almost idle replica; allowed are 0.0285 s (0.03 s times the margin 0.95)',
    })
    expect(capacityOf({ ...chat, limits: { ...chat.limits, kvTokens: 500 } })).toEqual({
      kind: 'infeasible',
      limitedBy: 'kvCache',
      why: 'a running request holds 637 tokens on average; the KV cache has 500, of which 85 % are planned with',
    })
    expect(capacityOf({ ...chat, profile: { ...chat.profile, a: 0 } })).toEqual({
      kind: 'infeasible',
      limitedBy: 'throughput',
      why: 'profile.a must be greater than 0: got 0',
    })
  })

  it('grows with prefix hits, as far as they are believed', () => {
    const hits = (prefixHitRate: number): number =>
      rate(capacityOf({ ...chat, shape: { ...chat.shape, prefixHitRate } }))
    expect(hits(0.5)).toBeGreaterThan(1.1 * hits(0))
    expect(hits(0.9)).toBeGreaterThan(hits(0.5))
    expect(hits(1)).toBe(hits(0.9))
  })

  it('shrinks with every coefficient of the law', () => {
    const base = rate(capacityOf({ ...chat, goal: interactive({ ttft: 0.15, itl: 0.04 }) }))
    const slower = (profile: Partial<CapacityQuestion['profile']>): number =>
      rate(
        capacityOf({
          ...chat,
          profile: { ...chat.profile, ...profile },
          goal: interactive({ ttft: 0.15, itl: 0.04 }),
        }),
      )
    const { a, b, c, bp } = chat.profile
    for (const profile of [
      { a: 1.2 * a, ap: 1.2 * a },
      { b: 2 * b },
      { c: 2 * c },
      { ap: 2 * a },
      { bp: 1.3 * bp },
      { d2: 1e-5 },
      { g: 0.05 },
      { h: 60 },
      { mixtureOfExperts: { x: 5, kappa: 0.03 } },
    ]) {
      expect(slower(profile), JSON.stringify(profile)).toBeLessThan(0.995 * base)
    }
  })

  it('sizes answers of one token, which have no gaps between tokens', () => {
    const capacity = capacityOf({ ...chat, shape: { ...chat.shape, outputTokens: fixed(1) } })
    expect(rate(capacity)).toBeGreaterThan(rate(capacityOf(chat)))
  })

  it('never falls with more replicas behind the router', () => {
    fc.assert(
      fc.property(plausibleQuestions, fc.integer({ min: 1, max: 40 }), (question, more) => {
        const few = rate(capacityOf(question))
        const many = rate(capacityOf({ ...question, replicas: question.replicas + more }))
        expect(many).toBeGreaterThanOrEqual(few)
      }),
      { numRuns: 100 },
    )
  })

  it('never rises as an SLO tightens', () => {
    fc.assert(
      fc.property(plausibleQuestions, fc.double({ min: 0.2, max: 1, noNaN: true }), (question, factor) => {
        const alone = { ...question, replicas: 1 }
        const loose = rate(capacityOf(alone))
        const tight = rate(capacityOf({ ...alone, sloMargin: alone.sloMargin * factor }))
        expect(tight).toBeLessThanOrEqual(loose)
        const { goal } = alone
        if (goal.kind === 'throughput' || goal.ttft === undefined) return
        const rarer = { ...goal.ttft, percentile: 0.5 + 0.5 * goal.ttft.percentile }
        expect(rate(capacityOf({ ...alone, goal: { ...goal, ttft: rarer } }))).toBeLessThanOrEqual(loose)
      }),
      { numRuns: 100 },
    )
  })

  it('answers equal questions equally', () => {
    fc.assert(
      fc.property(plausibleQuestions, (question) => {
        expect(capacityOf(structuredClone(question))).toEqual(capacityOf(question))
      }),
      { numRuns: 30 },
    )
  })

  it('gives finite numbers and no exception for any finite input', () => {
    const sound = (question: CapacityQuestion): void => {
      const capacity = capacityOf(question)
      if (capacity.kind === 'feasible') {
        expect(Number.isFinite(capacity.requestsPerSecond) && capacity.requestsPerSecond > 0).toBe(true)
      } else {
        expect(capacity.why).not.toMatch(/NaN|undefined|Infinity/)
      }
    }
    fc.assert(fc.property(wildQuestions, sound), { numRuns: 1000 })
    fc.assert(fc.property(plausibleQuestions, sound), { numRuns: 200 })
  })
})

describe('prediction at a rate', () => {
  it('is a distribution: percentiles rise, and shares within them are those asked for', () => {
    const prediction = predict(chat, 30)
    if (prediction.kind !== 'stable' || prediction.ttft === undefined) throw new Error(prediction.kind)
    const shares = [0.1, 0.5, 0.9, 0.95, 0.99, 0.999]
    const seconds = shares.map(prediction.ttft.percentile)
    expect(seconds).toEqual([...seconds].sort((x, y) => x - y))
    seconds.forEach((at, i) => {
      expect(prediction.ttft?.shareWithin(at)).toBeGreaterThanOrEqual(shares[i] ?? 1)
    })
  })

  it('rises with the rate', () => {
    const p95 = [5, 10, 20, 30, 40].map((requestsPerSecond) => {
      const prediction = predict(chat, requestsPerSecond)
      return prediction.kind === 'stable' ? prediction.ttft?.percentile(0.95) : undefined
    })
    expect(p95).toEqual([...p95].sort((x, y) => (x ?? 0) - (y ?? 0)))
    expect(p95).not.toContain(undefined)
  })

  it('says when the rate cannot be sustained', () => {
    expect(predict(chat, 500)).toEqual({
      kind: 'saturated',
      requestsPerSecond: rate(capacityOf({ ...chat, goal: { kind: 'throughput' }, maxLoad: 1 })),
    })
  })

  it('knows a first token of prefill replicas, and gaps of decode replicas', () => {
    expect(Object.keys(predict({ ...chat, role: 'prefill' }, 20))).toEqual([
      'kind',
      'ttft',
      'requestsInSystem',
    ])
    expect(Object.keys(predict({ ...chat, role: 'decode' }, 20))).toEqual([
      'kind',
      'ttft',
      'itl',
      'tpot',
      'requestsInSystem',
    ])
  })
})
