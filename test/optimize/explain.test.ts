// The explanation's figures, each checked against solving again.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { model, uniform } from '../../bench/fleets.ts'
import { explainMix, shadowPrices } from '../../src/core/optimize/explain.ts'
import type { MixProblem } from '../../src/core/optimize/mix.ts'
import { planMix } from '../../src/core/optimize/planMix.ts'
import { weighed } from '../../src/core/optimize/planTogether.ts'
import { demand, engines, mix, planned, variant } from './mixes.ts'

const rates = { chat: { fast: 4, slow: 2.5 } }
const kinds = [variant('fast', { costPerHour: 3 }), variant('slow', { costPerHour: 2, pool: 'other' })]

function explained(problem: MixProblem) {
  return explainMix(problem, planned(problem), engines)
}

describe('explainMix', () => {
  it('says what each stated restriction costs', () => {
    // Without any 8: two fast, one slow. Five slow at least cost 10.
    const dear = [variant('fast', { costPerHour: 3 }), variant('slow', { costPerHour: 2, min: 5 })]
    expect(explained(mix([demand('chat', 10)], dear, rates)).restrictions).toEqual([
      { restriction: { kind: 'min', variant: 'slow', replicas: 5 }, costPerHour: 2, shortfall: 0 },
    ])
  })

  it('says which restriction leaves demand short, and how much', () => {
    const problem = mix([demand('chat', 10)], kinds, rates, {
      pools: [
        { name: 'pool', gpus: 1 },
        { name: 'other', gpus: 2 },
      ],
    })
    // 4 + 5 of 10 are carried; either pool alone would do.
    expect(explained(problem)).toMatchObject({
      restrictions: [
        { restriction: { kind: 'pool', pool: 'pool' }, shortfall: expect.closeTo(1, 4) },
        { restriction: { kind: 'pool', pool: 'other' }, shortfall: expect.closeTo(1, 4) },
      ],
    })
    expect(explained(problem).prices).toBeUndefined()
  })

  it('finds the runner-up', () => {
    // Optimal: two fast, one slow at 8, first by name; four slow cost 8 too.
    const one = explained(mix([demand('chat', 10)], kinds, rates, { pools: [] }))
    expect(one.runnerUp?.morePerHour).toBeCloseTo(0)
    expect(one.runnerUp?.replicas).toEqual({ fast: 0, slow: 4 })
    // Starting costs 0.5: staying on four slow is best, then two fast and one slow with two starts.
    const running = [
      variant('fast', { costPerHour: 3, startCost: 0.5 }),
      variant('slow', { costPerHour: 2, current: 4 }),
    ]
    const two = explained(mix([demand('chat', 10)], running, rates))
    expect(two.runnerUp).toEqual({ replicas: { fast: 2, slow: 1 }, morePerHour: expect.closeTo(1) })
  })

  it('names no runner-up that its pool or budget has no room for', () => {
    // Four slow cost 8, as two fast and one slow would; there is one fast at most: with three slow 9.
    const pools = [{ name: 'pool', gpus: 1 }]
    const inPool = explained(mix([demand('chat', 10)], kinds, rates, { pools }))
    expect(inPool.runnerUp).toEqual({ replicas: { fast: 1, slow: 3 }, morePerHour: expect.closeTo(1) })
    const dear = [variant('fast', { costPerHour: 3 })]
    expect(explained(mix([demand('chat', 8)], dear, rates, { budgetPerHour: 8 })).runnerUp).toBeUndefined()
  })

  it('names no runner-up that gives up the redundancy of the plan', () => {
    // 8 on two fast; a third survives the loss of one. Two would be cheaper, and no answer to the same question.
    const only = [variant('fast', { costPerHour: 3, max: 4 })]
    const problem = mix([demand('chat', 8)], only, rates, { surviveReplicas: 1 })
    expect(planned(problem).replicas).toEqual({ fast: 3 })
    expect(explained(problem).runnerUp).toEqual({ replicas: { fast: 4 }, morePerHour: expect.closeTo(3) })
  })

  it('never names a runner-up that is cheaper than the plan, nor a restriction that saves money', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), (seed) => {
        const problem = { ...model('m', 5, 'r', uniform(seed)), surviveReplicas: 1 }
        const plan = planned(problem)
        const why = explainMix(problem, plan, engines)
        // With redundancy a plan is proven to 0.1 % only (docs/MODEL.md): the runner-up may be that much cheaper.
        const proven = 1e-3 * weighed(problem, plan)
        expect(why.runnerUp?.morePerHour ?? 0).toBeGreaterThanOrEqual(-proven - 1e-5)
        for (const cost of why.restrictions) {
          if (cost.restriction.kind !== 'surviveReplicas') continue
          const free = planMix({ ...problem, surviveReplicas: 0 }, engines)
          if (free.status === 'failed') throw new Error(free.why)
          expect(cost.costPerHour).toBeCloseTo(weighed(problem, plan) - weighed(problem, free), 6)
        }
      }),
      { numRuns: 15 },
    )
  })
})

describe('shadowPrices', () => {
  it('price a request per second by what carries the next one', () => {
    // Slow costs 2 / 2.5 per request, fast 3 / 4.
    const prices = shadowPrices(mix([demand('chat', 10)], kinds, rates, { pools: [] }), engines)
    expect(prices?.requestPerSecond['chat']).toBeCloseTo(0.75, 5)
  })

  it('equal the finite differences of the relaxation', () => {
    let positive = 0
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), (seed) => {
        const alone = model('m', 8, 'r', uniform(seed))
        const taken = planned(alone).replicas
        const names = new Set(alone.variants.map((one) => one.pool))
        const gpusOf = (pool: string): number =>
          alone.variants.reduce(
            (sum, one) => (one.pool === pool ? sum + one.gpusPerReplica * (taken[one.id] ?? 0) : sum),
            0,
          )
        // An odd tenth, so that no vertex of the relaxation lies exactly on it.
        const pools = [...names].map((name) => ({ name, gpus: 0.613 * gpusOf(name) + 2.1 }))
        const problem = { ...alone, pools }
        const now = shadowPrices(problem, engines)
        if (now === undefined) return
        const step = 1e-4
        for (const [pool, price] of Object.entries(now.gpu)) {
          const more = pools.map((one) => (one.name === pool ? { ...one, gpus: one.gpus + step } : one))
          const after = shadowPrices({ ...problem, pools: more }, engines)
          expect((now.relaxedPerHour - (after?.relaxedPerHour ?? 0)) / step).toBeCloseTo(price, 3)
          if (price > 0) positive++
        }
      }),
      { numRuns: 25, seed: 3 },
    )
    expect(positive).toBeGreaterThan(5)
  })
})
