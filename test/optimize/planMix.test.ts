// The cheapest mix on problems small enough to solve by hand; the sums stand beside them.
import { describe, expect, it } from 'vitest'
import { fewer } from '../../src/core/optimize/hold.ts'
import { planMix } from '../../src/core/optimize/planMix.ts'
import { demand, engines, mix, planned, variant } from './mixes.ts'

const twoKinds = [variant('fast', { costPerHour: 3 }), variant('slow', { costPerHour: 2 })]
const rates = { chat: { fast: 4, slow: 2.5 } }

describe('planMix', () => {
  it('mixes variants where rounding makes the mix cheaper than either kind alone', () => {
    // 10/s: 3 fast cost 9, 4 slow cost 8; 2 fast + 1 slow carry 10.5 for 8 and come first by name.
    const plan = planned(mix([demand('chat', 10)], twoKinds, rates))
    expect(plan.costPerHour).toBe(8)
    expect(plan.status).toBe('optimal')
  })

  it('lets the free part of an interactive replica carry tolerant work before buying another', () => {
    const classes = [demand('chat', 5), demand('eval', 3, { priority: 10, tolerant: true })]
    const both = { chat: { fast: 4 }, eval: { fast: 4, batch: 100 } }
    const variants = [variant('fast', { costPerHour: 3 }), variant('batch', { costPerHour: 1 })]
    // 5/4 of a replica rounds to 2; what is left, 3/4, carries exactly the 3/s of eval.
    expect(planned(mix(classes, variants, both)).replicas).toEqual({ fast: 2, batch: 0 })
  })

  it('pairs prefill on one kind of hardware with decode on another, beside unified replicas', () => {
    const variants = [
      variant('prefill', { role: 'prefill', transferGroup: 'nixl', costPerHour: 3 }),
      variant('decode', { role: 'decode', transferGroup: 'nixl', costPerHour: 2 }),
      variant('whole', { costPerHour: 4, max: 2 }),
    ]
    // 10/s: 2 prefill (14/s) + 4 decode (12/s) = 14; with whole (2/s, 4 each) 1 prefill + 3 decode + 2 whole = 17.
    const plan = planned(mix([demand('chat', 10)], variants, { chat: { prefill: 7, decode: 3, whole: 2 } }))
    expect(plan.replicas).toEqual({ prefill: 2, decode: 4, whole: 0 })
    expect(plan.flow['chat']).toEqual({ prefill: expect.closeTo(10), decode: expect.closeTo(10) })
  })

  it('never pairs prefill with the decode of another transfer group', () => {
    const variants = [
      variant('p1', { role: 'prefill', transferGroup: 'one' }),
      variant('d2', { role: 'decode', transferGroup: 'two' }),
    ]
    const plan = planned(mix([demand('chat', 1)], variants, { chat: { p1: 5, d2: 5 } }))
    expect(plan.shortfall).toEqual({ chat: 1 })
    expect(plan.binding).toEqual([{ kind: 'noCapacity', class: 'chat' }])
  })

  it('serves the urgent class first when the pool is too small, and names the pool', () => {
    const classes = [demand('chat', 5, { priority: 1 }), demand('bulk', 50, { priority: 2 })]
    const problem = mix(
      classes,
      [variant('only')],
      { chat: { only: 2 }, bulk: { only: 100 } },
      { pools: [{ name: 'pool', gpus: 2 }] },
    )
    const plan = planned(problem)
    expect(plan.status).toBe('shortfall')
    expect(plan.shortfall['chat']).toBeCloseTo(1, 4)
    expect(plan.shortfall['bulk']).toBeCloseTo(50, 3)
    expect(plan.binding).toEqual([{ kind: 'pool', pool: 'pool', gpus: 2 }])
  })

  it('keeps minimums even where the pool or the budget is smaller than they are', () => {
    const variants = [variant('base', { min: 3, gpusPerReplica: 8 })]
    const few = { pools: [{ name: 'pool', gpus: 8 }], budgetPerHour: 1 }
    expect(planned(mix([demand('chat', 1)], variants, { chat: { base: 1 } }, few)).replicas).toEqual({
      base: 3,
    })
  })

  it('spends no more than the budget and says that it binds', () => {
    const plan = planned(mix([demand('chat', 10)], twoKinds, rates, { budgetPerHour: 6.5 }))
    // 3 slow carry 7.5 for 6; 2 fast carry 8 for 6.
    expect(plan.replicas).toEqual({ fast: 2, slow: 0 })
    expect(plan.shortfall['chat']).toBeCloseTo(2, 4)
    expect(plan.binding).toContainEqual({ kind: 'budget', perHour: 6.5 })
  })

  it('carries the load after losing a replica of any one variant', () => {
    // Five slow: four carry 10. Two fast + two slow (13 - 4 = 9) do not.
    expect(planned(mix([demand('chat', 10)], twoKinds, rates, { surviveReplicas: 1 })).replicas).toEqual({
      fast: 0,
      slow: 5,
    })
  })

  it('gives up redundancy before it gives up demand, and says by how much', () => {
    const plan = planned(
      mix([demand('chat', 10)], [variant('slow', { max: 4 })], rates, { surviveReplicas: 1 }),
    )
    expect(plan.status).toBe('optimal')
    expect(plan.replicas).toEqual({ slow: 4 })
    expect(plan.binding).toContainEqual({
      kind: 'redundancy',
      variant: 'slow',
      requestsPerSecond: expect.closeTo(2.5, 4),
    })
  })

  it('plans only counts that the HPA acts on', () => {
    // From 20 with 10 %: 21 and 22 are ignored, so 52/s (21 replicas) needs 23.
    const problem = (max: number) =>
      mix([demand('chat', 52)], [variant('slow', { current: 20, max })], rates, { hpaTolerance: 0.1 })
    expect(planned(problem(40)).replicas).toEqual({ slow: 23 })
  })

  it('plans what runs where the HPA ignores the step down that is allowed, even above pool and budget', () => {
    // From 20 a step of one is ignored: it stays at 20, whatever is left of the pool.
    const variants = [variant('slow', { current: 20, min: 19, max: 40 })]
    const shrunk = { hpaTolerance: 0.1, pools: [{ name: 'pool', gpus: 12 }], budgetPerHour: 12 }
    const plan = planned(mix([demand('chat', 52)], variants, rates, shrunk))
    expect(plan.replicas).toEqual({ slow: 20 })
    expect(plan.shortfall['chat']).toBeCloseTo(2, 3)
  })

  it('calls a scale-up that the HPA would ignore a shortfall', () => {
    const plan = planned(
      mix([demand('chat', 52)], [variant('slow', { current: 20, max: 22 })], rates, { hpaTolerance: 0.1 }),
    )
    expect(plan.replicas).toEqual({ slow: 20 })
    expect(plan.shortfall['chat']).toBeCloseTo(2, 3)
  })

  it('keeps a variant within its share of a class, and gives another its minimum share', () => {
    const variants = [
      variant('spot', { costPerHour: 1, maxShare: 0.5 }),
      variant('steady', { costPerHour: 3 }),
      variant('other', { costPerHour: 5, minShare: 0.1 }),
    ]
    const plan = planned(mix([demand('chat', 10)], variants, { chat: { spot: 1, steady: 1, other: 1 } }))
    expect(plan.replicas).toEqual({ spot: 5, steady: 4, other: 1 })
  })

  it('stays on running replicas while the saving is smaller than the start', () => {
    const running = (startCost: number) =>
      mix(
        [demand('chat', 4)],
        [variant('now', { costPerHour: 2, current: 2 }), variant('new', { costPerHour: 1.9, startCost })],
        { chat: { now: 2, new: 2 } },
      )
    expect(planned(running(0.2)).replicas).toEqual({ now: 2, new: 0 })
    expect(planned(running(0.05)).replicas).toEqual({ now: 0, new: 2 })
  })

  describe('with a hold band of 10 %', () => {
    // Six slow cost 12 and carry 15; ten a second need 8, fourteen 11 (three fast, one slow).
    const now = [variant('fast', { costPerHour: 3 }), variant('slow', { costPerHour: 2, current: 6 })]
    const holding = (rate: number, differs = {}) =>
      planned(mix([demand('chat', rate)], now, rates, { holdBand: 0.1, ...differs }))

    it('keeps the current counts while the cheapest mix saves less, and says what it would save', () => {
      const plan = holding(14)
      expect(plan.replicas).toEqual({ fast: 0, slow: 6 })
      expect(plan.binding).toEqual([{ kind: 'hold', savingPerHour: 1 }])
    })

    it('moves where the saving is larger, or the current counts do not carry the demand', () => {
      expect(holding(10).costPerHour).toBe(8)
      expect(holding(15.5).replicas).toEqual({ fast: 4, slow: 0 })
    })

    it('holds what was wanted last, not what there is: a swap goes on once what it starts is there', () => {
      // Four fast ones came to replace six slow ones, which are still there; three and a slow one would cost 11.
      const swapping = [
        variant('fast', { costPerHour: 3, current: 4, last: 4 }),
        variant('slow', { costPerHour: 2, current: 6, last: 0 }),
      ]
      const plan = planned(mix([demand('chat', 14)], swapping, rates, { holdBand: 0.1 }))
      expect(plan.replicas).toEqual({ fast: 4, slow: 0 })
    })

    it('knows what can be spared of it without a start', () => {
      const problem = mix([demand('chat', 12)], now, rates, { holdBand: 0.5 })
      expect(planned(problem).replicas).toEqual({ fast: 0, slow: 6 })
      expect(fewer(problem, engines)?.replicas).toEqual({ fast: 0, slow: 5 })
      expect(fewer(mix([demand('chat', 14)], now, rates), engines)).toBeUndefined()
    })

    it('never holds what the pool, the budget or a bound no longer allows', () => {
      expect(holding(14, { pools: [{ name: 'pool', gpus: 5 }] }).costPerHour).toBe(11)
      expect(holding(14, { budgetPerHour: 11 }).costPerHour).toBe(11)
    })
  })

  it('sizes by the capacity at the planned count when replicas share a router', () => {
    const pooled = (perReplica: number, replicas: number): number => perReplica * (1.4 - 0.4 / replicas)
    const problem = mix([demand('chat', 10)], twoKinds, rates, {
      capacity: (_, id, replicas) => pooled(id === 'fast' ? 4 : 2.5, replicas),
    })
    // fast 4, 9.6; slow 2.5, 6, 9.5, 13: one fast and two slow carry exactly 10 for 7; 8 is next.
    const plan = planned(problem)
    expect(plan.replicas).toEqual({ fast: 1, slow: 2 })
    expect(plan.lowerBoundPerHour).toBeLessThanOrEqual(7)
  })

  it('plans nothing for nothing', () => {
    expect(planned(mix([demand('chat', 0)], twoKinds, rates))).toMatchObject({
      status: 'optimal',
      replicas: { fast: 0, slow: 0 },
      costPerHour: 0,
    })
  })

  it('keeps one replica for the smallest demand above zero', () => {
    expect(planned(mix([demand('chat', 1e-9)], twoKinds, rates)).replicas).toEqual({ fast: 0, slow: 1 })
  })

  it('refuses input that an engine would misread', () => {
    const broken = [
      mix([demand('chat', Number.NaN)], twoKinds, rates),
      mix([demand('chat', 1)], [variant('fast', { min: 3, max: 2 })], rates),
      mix([demand('chat', 1)], [variant('fast'), variant('fast')], rates),
      mix([demand('chat', 1)], twoKinds, rates, { capacity: () => Number.NaN }),
    ]
    expect(broken.map((problem) => planMix(problem, engines))).toEqual([
      { status: 'failed', why: 'requestsPerSecond of chat must be finite and not negative: got NaN' },
      { status: 'failed', why: 'min of fast must not exceed max: got 3 > 2' },
      { status: 'failed', why: 'variant fast appears twice' },
      { status: 'failed', why: 'capacity of fast for chat must be finite and not negative: got NaN' },
    ])
  })
})
