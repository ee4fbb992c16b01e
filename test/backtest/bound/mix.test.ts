import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { clairvoyant } from '../../../src/backtest/bound/clairvoyant.ts'
import { type Known, type KnownCapacity, knownCapacity } from '../../../src/backtest/bound/known.ts'
import { type MixBoundProblem, mixBound } from '../../../src/backtest/bound/mixBound.ts'
import { costOf, roundedUp } from '../../../src/backtest/bound/rounded.ts'
import { createCapacityMemo } from '../../../src/core/capacity/memo.ts'
import { assumedLengths } from '../../../src/core/capacity/shape.ts'
import type { Variant } from '../../../src/core/policy.ts'
import { loadEngines } from '../../../src/solvers/engines.ts'
import { policy, trafficClass, variant } from '../../decide/world.ts'

const { large: engine } = await loadEngines()

const shape = {
  ...{ promptTokens: assumedLengths(500), outputTokens: assumedLengths(130), prefixHitRate: 0 },
}

function known(rates: readonly number[]): Known {
  const requestsPerSecond = Float64Array.from(rates)
  const one = {
    ...{ trafficClass: trafficClass('chat'), shapes: [shape] },
    ...{ requestsPerSecond, shapeAt: new Uint16Array(rates.length) },
  }
  return { stepSeconds: 60, steps: rates.length, classes: [one] }
}

function problem(
  variants: readonly Variant[],
  rates: readonly number[],
  perReplica: Readonly<Record<string, number>>,
  changes: Partial<MixBoundProblem> = {},
): MixBoundProblem {
  const capacity: KnownCapacity = (_, { name }) => perReplica[name] ?? 0
  return {
    ...{ policy: policy(variants), pools: [], known: known(rates), capacity, allowedMisses: 0 },
    ...changes,
  }
}

/** Costs a dollar a minute unless said. */
const made = (name: string, changes: Partial<Variant> = {}): Variant =>
  variant(name, { costPerHour: 60, startupSeconds: 120, replicas: { min: 0, max: 3 }, ...changes })

describe('the bound of a mix', () => {
  test('fractions: a hill costs its area over the capacity, and its rise', () => {
    const answer = mixBound(problem([made('a')], [5, 5, 5, 15, 25, 15, 5], { a: 10 }), engine)
    // Sum of counts 7.5 at a dollar, and a rise of 2 at two dollars.
    expect(answer).toMatchObject({ kind: 'bound' })
    if (answer.kind === 'bound') expect(answer.dollars).toBeCloseTo(11.5, 9)
  })

  test('where whole replicas are what is needed, it is the optimum', () => {
    const answer = mixBound(problem([made('a')], [10, 10, 10, 20, 30, 20], { a: 10 }), engine)
    if (answer.kind !== 'bound') throw new Error(answer.kind)
    expect(answer.dollars).toBeCloseTo(10 + 4, 9)
    expect(answer.counts['chat/llama/a']?.map((count) => Math.round(1e6 * count) / 1e6)).toEqual([
      1, 1, 1, 2, 3, 2,
    ])
  })

  test('pools hold, and what they leave out is missed or impossible', () => {
    const pools = [{ name: 'h100', gpus: 2 }]
    const asked = problem([made('a')], [10, 30], { a: 10 }, { pools })
    expect(mixBound(asked, engine)).toEqual({ kind: 'infeasible' })
    expect(mixBound({ ...asked, allowedMisses: 0.25 }, engine)).toMatchObject({ kind: 'bound' })
  })

  test('a pair needs both of its legs', () => {
    const pair = [
      made('p', { role: 'prefill', transferGroup: 'g' }),
      made('d', { role: 'decode', transferGroup: 'g', costPerHour: 120 }),
    ]
    const answer = mixBound(problem(pair, [10], { p: 20, d: 5 }), engine)
    // Half a prefill replica and two decode replicas for a minute.
    if (answer.kind !== 'bound') throw new Error(answer.kind)
    expect(answer.dollars).toBeCloseTo(0.5 + 4, 9)
  })
})

const mixes = fc.record({
  rates: fc.array(fc.integer({ min: 0, max: 24 }), { minLength: 1, maxLength: 3 }),
  costs: fc.tuple(fc.integer({ min: 10, max: 90 }), fc.integer({ min: 10, max: 90 })),
  startup: fc.constantFrom(0, 60, 200),
  capacities: fc.tuple(fc.integer({ min: 4, max: 12 }), fc.integer({ min: 4, max: 12 })),
})

test('no schedule of two variants in whole replicas is cheaper than the bound, and the rounded one carries everything', () => {
  fc.assert(
    fc.property(mixes, ({ rates, costs, startup, capacities }) => {
      const variants = [
        made('a', { costPerHour: costs[0], startupSeconds: startup }),
        made('b', { costPerHour: costs[1], startupSeconds: startup }),
      ]
      const asked = problem(variants, rates, { a: capacities[0], b: capacities[1] })
      const optimum = bruteForce(asked, variants, rates, capacities)
      const answer = clairvoyant(asked, engine)
      if (answer.kind !== 'bound') throw new Error(answer.kind)
      expect(answer.dollars).toBeLessThanOrEqual(optimum + 1e-6)
      expect(answer.schedule.dollars).toBeGreaterThanOrEqual(optimum - 1e-6)
      const bare = mixBound(asked, engine)
      if (bare.kind !== 'bound') throw new Error(bare.kind)
      const { counts } = roundedUp(asked, bare.counts)
      rates.forEach((rate, t) => {
        const carried = variants.reduce(
          (sum, { id }, v) => sum + (counts[id]?.[t] ?? 0) * (capacities[v] ?? 0),
          0,
        )
        expect(carried).toBeGreaterThanOrEqual(rate - 1e-6)
      })
    }),
    { numRuns: 60 },
  )
})

function bruteForce(
  asked: MixBoundProblem,
  variants: readonly Variant[],
  rates: readonly number[],
  capacities: readonly [number, number],
): number {
  const all = (length: number): number[][] =>
    length === 0 ? [[]] : all(length - 1).flatMap((counts) => [0, 1, 2, 3].map((count) => [...counts, count]))
  const sequences = all(rates.length)
  const [a, b] = variants as [Variant, Variant]
  let best = Number.POSITIVE_INFINITY
  for (const first of sequences) {
    const base = costOf(asked, a, first)
    if (base >= best) continue
    for (const second of sequences) {
      const enough = rates.every(
        (rate, t) => (first[t] ?? 0) * capacities[0] + (second[t] ?? 0) * capacities[1] >= rate,
      )
      if (enough) best = Math.min(best, base + costOf(asked, b, second))
    }
  }
  return best
}

test('capacity is taken without margins and with the whole gain of pooling', () => {
  const asked = policy([made('a')])
  const capacity = knownCapacity(asked, createCapacityMemo())
  const [one] = known([1]).classes
  const [only] = asked.variants
  if (one === undefined || only === undefined) throw new Error('nothing is known')
  const bare = capacity(one, only, 0)
  const margins = policy([made('a')], {
    behavior: { ...asked.behavior, sloMargin: 0.5, maxLoad: 0.5 },
  })
  expect(knownCapacity(margins, createCapacityMemo())(one, only, 0)).toBe(bare)
  expect(bare).toBeGreaterThan(20)
})
