// Equal variants as one column: the same cost as apart, whatever they are called, and nothing moves without a reason.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { copied, model, uniform } from '../../bench/fleets.ts'
import { memoized, toInstance } from '../../src/core/optimize/instance.ts'
import type { MixPlan, MixProblem, MixVariant } from '../../src/core/optimize/mix.ts'
import { weighed } from '../../src/core/optimize/planTogether.ts'
import { bruteForce, isPositive, priorities } from './bruteForce.ts'
import { demand, mix, planned, variant } from './mixes.ts'
import { mixes } from './randomMixes.ts'

/** `v0` and `v0-1` are twins, with bounds and counts of their own. */
const twins: fc.Arbitrary<MixProblem> = fc
  .record({
    made: mixes,
    own: fc.array(
      fc.record({
        min: fc.constantFrom(0, 0, 1),
        more: fc.integer({ min: 0, max: 3 }),
        current: fc.integer({ min: 0, max: 4 }),
      }),
      { minLength: 2, maxLength: 2 },
    ),
  })
  .map(({ made, own }) => ({
    ...made,
    variants: made.variants.slice(0, 2).flatMap((first, index) => {
      const { min = 0, more = 0, current = 0 } = own[index] ?? {}
      return [first, { ...first, id: `${first.id}-1`, min, max: min + more, current }]
    }),
    capacity: (classId, id, replicas) => made.capacity(classId, id.slice(0, 2), replicas),
  }))

/** Nobody's twin: what others would give for their GPUs differs by a billionth. */
function apart(problem: MixProblem): MixProblem {
  const variants = problem.variants.map((one, index) => ({ ...one, gpuPrice: 1e-9 * (index + 1) }))
  return { ...problem, variants }
}

function mergedIn(problem: MixProblem): readonly (readonly string[])[] {
  const { blocks } = toInstance([problem], problem.pools, memoized())
  return blocks.flatMap((block) =>
    [...block.twins.values()].map((members) => members.map((member) => member.id)),
  )
}

function shortOf(problem: MixProblem, plan: MixPlan): readonly number[] {
  return priorities(problem).map((priority) =>
    problem.classes.reduce(
      (sum, { id, priority: own }) => (own === priority ? sum + (plan.shortfall[id] ?? 0) : sum),
      0,
    ),
  )
}

describe('twins', () => {
  it('are planned at the cost of brute force, and of the same variants kept apart', () => {
    let merged = 0
    fc.assert(
      fc.property(twins, (problem) => {
        if (mergedIn(problem).length > 0) merged++
        const plan = planned(problem)
        const other = planned(apart(problem))
        const best = bruteForce(problem)
        for (const [level, short] of best.short.entries()) {
          expect(shortOf(problem, plan)[level]).toBeCloseTo(short, 3)
          expect(shortOf(problem, other)[level]).toBeCloseTo(short, 3)
        }
        if (problem.surviveReplicas > 0 && isPositive(best.short)) return
        expect(weighed(problem, plan)).toBeCloseTo(best.cost, 6)
        expect(weighed(problem, other)).toBeCloseTo(best.cost, 6)
      }),
      { numRuns: 1_000, seed: 3 },
    )
    expect(merged).toBeGreaterThan(200)
  })

  it('cost the same in any order and under any names', () => {
    const renamed = (problem: MixProblem): MixProblem => {
      const otherName = (id: string): string => (id.includes('-') ? id.slice(0, 2) : `${id}-1`)
      return {
        ...problem,
        variants: problem.variants.map((one) => ({ ...one, id: otherName(one.id) })).reverse(),
      }
    }
    fc.assert(
      fc.property(twins, (problem) => {
        const plan = planned(problem)
        const turned = planned(renamed(problem))
        for (const [level, short] of shortOf(problem, plan).entries()) {
          expect(shortOf(problem, turned)[level]).toBeCloseTo(short, 3)
        }
        if (problem.surviveReplicas > 0 && plan.status === 'shortfall') return
        expect(weighed(renamed(problem), turned)).toBeCloseTo(weighed(problem, plan), 6)
      }),
      { numRuns: 300 },
    )
  })

  it('stay where they are at constant load, however the input is shuffled', () => {
    for (const startCost of [0, 0.1]) {
      const random = uniform(4)
      let problem = fourByFour(7, startCost)
      const first = planned(problem).replicas
      for (let tick = 0; tick < 40; tick++) {
        const variants = problem.variants
          .map((one) => ({ one: { ...one, current: first[one.id] ?? 0 }, at: random() }))
          .sort((x, y) => x.at - y.at)
          .map(({ one }) => one)
        problem = { ...problem, variants, classes: [...problem.classes].reverse() }
        expect(planned(problem).replicas).toEqual(first)
      }
    }
  })

  it('are found among sixteen variants, four of each kind', () => {
    expect(mergedIn(fourByFour(7, 0.1)).map((members) => members.length)).toEqual([4, 4, 4, 4])
  })
})

/** Four kinds of a synthetic model, four times each. */
function fourByFour(seed: number, startCost: number): MixProblem {
  const kinds = model('m', 4, 'r', uniform(seed))
  const variants = kinds.variants.map((kind) => ({ ...kind, current: 0, min: 0, startCost }))
  return copied({ ...kinds, variants }, 4)
}

describe('the count of twins', () => {
  const three = (...differs: readonly Partial<MixVariant>[]): MixProblem => {
    const ids = ['a', 'b', 'c']
    const variants = ids.map((id, index) => variant(id, { startCost: 0.1, max: 5, ...differs[index] }))
    return mix([demand('chat', 8)], variants, { chat: { a: 1, b: 1, c: 1 } })
  }

  it('is filled up in the order of names', () => {
    expect(planned(three()).replicas).toEqual({ a: 5, b: 3, c: 0 })
  })

  it('stays with those that run, within the bounds of each', () => {
    expect(planned(three({ current: 1 }, { current: 2 }, { current: 3 })).replicas).toEqual({
      a: 3,
      b: 2,
      c: 3,
    })
    expect(planned(three({ current: 4 }, { current: 4 }, { current: 4, min: 3 })).replicas).toEqual({
      a: 4,
      b: 1,
      c: 3,
    })
  })

  it('shares the flow in proportion', () => {
    const plan = planned(three({ min: 4, current: 4 }, { min: 2, current: 2 }, { min: 4, current: 4 }))
    expect(plan.flow['chat']).toEqual({
      a: expect.closeTo(3.2),
      b: expect.closeTo(1.6),
      c: expect.closeTo(3.2),
    })
  })
})

describe('variants that look like twins', () => {
  const pair = (differs: Partial<MixVariant> = {}, of: Partial<MixProblem> = {}): MixProblem =>
    mix(
      [demand('chat', 8)],
      [variant('a', { startCost: 0.1 }), variant('b', { startCost: 0.1, ...differs })],
      { chat: { a: 1, b: 1 } },
      of,
    )
  const pooled = (_: string, __: string, replicas: number): number => 2 - 1 / Math.min(replicas, 4)

  it.each([
    ['alike', pair(), [['a', 'b']]],
    ['with counts and bounds of their own', pair({ min: 2, max: 9, current: 5 }), [['a', 'b']]],
    ['of another price', pair({ costPerHour: 2 }), []],
    ['of another pool', pair({ pool: 'other' }), []],
    ['of another role', pair({ role: 'decode', transferGroup: 'g' }), []],
    ['with a cap on their share', pair({ maxShare: 0.5 }), []],
    ['with a minimum share', pair({ minShare: 0.5 }), []],
    ['of another speed', pair({}, { capacity: (_, id) => (id === 'a' ? 1 : 2) }), []],
    ['that get faster by being many', pair({}, { capacity: pooled }), []],
    ['that must survive the loss of one', pair({}, { surviveReplicas: 1 }), []],
    ['with counts the HPA ignores', pair({ current: 12 }, { hpaTolerance: 0.1 }), []],
    [
      'with too few replicas for the HPA to ignore',
      pair({ current: 9 }, { hpaTolerance: 0.1 }),
      [['a', 'b']],
    ],
    ['that must start to reach their minimum', pair({ min: 1 }), []],
  ])('%s', (_, problem, merged) => {
    expect(mergedIn(problem)).toEqual(merged)
  })
})
