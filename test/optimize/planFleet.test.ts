// Many models on shared pools: solved apart, coupled only where a pool is over-subscribed, never over a pool.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fleet, usage } from '../../bench/fleets.ts'
import { type FleetModel, planFleet } from '../../src/core/optimize/fleet.ts'
import { leastShort } from '../../src/core/optimize/leastShort.ts'
import type { MixPlan, MixPool, MixProblem } from '../../src/core/optimize/mix.ts'
import { planTogether } from '../../src/core/optimize/planTogether.ts'
import { shortByPriority } from '../../src/core/optimize/ration.ts'
import { demand, engines, mix, variant } from './mixes.ts'

function asModels(problems: readonly MixProblem[]): readonly FleetModel[] {
  return problems.map((problem, index) => ({ id: `m${index}`, problem, capacityKey: 'fixed' }))
}

/** A model that wants `rate` replicas on the pool, or twice the money elsewhere. */
function wants(id: string, rate: number, priority = 0): MixProblem {
  const variants = [
    variant(`${id}/near`, { costPerHour: 2 }),
    variant(`${id}/far`, { costPerHour: 4, pool: 'elsewhere' }),
  ]
  const rates = { [`${id}/chat`]: { [`${id}/near`]: 1, [`${id}/far`]: 1 } }
  return mix([demand(`${id}/chat`, rate, { priority })], variants, rates)
}

function replicasOf(
  plans: ReadonlyMap<string, MixPlan | { readonly status: 'failed' }>,
): Record<string, number> {
  const all: Record<string, number> = {}
  for (const plan of plans.values()) if (plan.status !== 'failed') Object.assign(all, plan.replicas)
  return all
}

/** A fleet whose every third pool holds less than the models would take alone. */
function contended(models: number, regions: number, seed: number, share: number) {
  const loose = fleet(models, 8, regions, seed, () => Number.POSITIVE_INFINITY)
  const free = planFleet(asModels(loose.problems), loose.pools, engines, new Map())
  const replicas = replicasOf(free.plans)
  const used = usage(loose.problems, (id) => replicas[id] ?? 0)
  const pools = loose.pools.map((pool, index): MixPool => {
    const taken = used.get(pool.name) ?? 0
    return { name: pool.name, gpus: index % 3 === 0 ? Math.floor(share * taken) : 4 + Math.ceil(1.3 * taken) }
  })
  return { problems: loose.problems, pools, free }
}

/** Models of one region whose every pool holds less than they would take. */
function scarce(models: number, seed: number, share: number) {
  const loose = fleet(models, 8, 1, seed, () => Number.POSITIVE_INFINITY)
  const replicas = replicasOf(planFleet(asModels(loose.problems), loose.pools, engines, new Map()).plans)
  const used = usage(loose.problems, (id) => replicas[id] ?? 0)
  const pools = loose.pools.map(
    ({ name }): MixPool => ({
      name,
      gpus: Math.floor(share * (used.get(name) ?? 0)),
    }),
  )
  return { problems: loose.problems, pools }
}

describe('planFleet', () => {
  it('leaves models apart while their pools hold what they take', () => {
    const plan = planFleet(
      asModels([wants('a', 3), wants('b', 4)]),
      [{ name: 'pool', gpus: 7 }],
      engines,
      new Map(),
    )
    expect(plan.coupled).toEqual([])
    expect(replicasOf(plan.plans)).toEqual({ 'a/near': 3, 'a/far': 0, 'b/near': 4, 'b/far': 0 })
    expect(plan.objective).toBeCloseTo(plan.lowerBound, 3)
  })

  it('couples only the models that use an over-subscribed pool', () => {
    const other = mix([demand('c/chat', 2)], [variant('c/v', { pool: 'third' })], { 'c/chat': { 'c/v': 1 } })
    const pools = [
      { name: 'pool', gpus: 5 },
      { name: 'third', gpus: 2 },
    ]
    const plan = planFleet(asModels([wants('a', 3), other, wants('b', 4)]), pools, engines, new Map())
    expect(plan.coupled).toEqual([['m0', 'm2']])
    // Seven replicas, five of them near: 5 x 2 + 2 x 4, and 2 for the third model.
    expect(plan.objective).toBeCloseTo(20)
  })

  it('couples again where a coupled model moves into a pool that others filled', () => {
    const settled = mix([demand('c/chat', 3)], [variant('c/v', { pool: 'elsewhere' })], {
      'c/chat': { 'c/v': 1 },
    })
    const dear = variant('a/dear', { costPerHour: 9, pool: 'third' })
    const a = wants('a', 3)
    const withWayOut: MixProblem = {
      ...a,
      variants: [...a.variants, dear],
      capacity: (classId, id, n) => (id === 'a/dear' ? 1 : a.capacity(classId, id, n)),
    }
    const pools = [
      { name: 'pool', gpus: 1 },
      { name: 'elsewhere', gpus: 4 },
    ]
    const plan = planFleet(asModels([withWayOut, settled, wants('b', 1)]), pools, engines, new Map())
    expect(plan.coupled).toEqual([['m0', 'm1', 'm2']])
    const replicas = replicasOf(plan.plans)
    expect((replicas['a/far'] ?? 0) + (replicas['b/far'] ?? 0) + (replicas['c/v'] ?? 0)).toBe(4)
    expect((replicas['a/near'] ?? 0) + (replicas['b/near'] ?? 0)).toBe(1)
    expect(replicas['a/dear']).toBe(2)
  })

  it('lets the urgent model have the GPUs when the pool cannot hold both, for few models and for many', () => {
    for (const others of [1, 8]) {
      const only = (id: string, rate: number, priority: number): MixProblem =>
        mix([demand(`${id}/chat`, rate, { priority })], [variant(`${id}/v`)], {
          [`${id}/chat`]: { [`${id}/v`]: 1 },
        })
      const rest = Array.from({ length: others }, (_, index) => only(`x${index}`, 2, 3))
      const plan = planFleet(
        asModels([...rest, only('urgent', 4, 0)]),
        [{ name: 'pool', gpus: 5 }],
        engines,
        new Map(),
      )
      const replicas = replicasOf(plan.plans)
      expect(replicas['urgent/v']).toBe(4)
      expect(Object.values(replicas).reduce((sum, count) => sum + count, 0)).toBe(5)
    }
  })

  it('stays within every pool and close to a bound that holds', () => {
    const gaps: number[] = []
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.constantFrom(1, 2, 3), (seed, regions) => {
        const { problems, pools, free } = contended(9, regions, seed, 0.9)
        const plan = planFleet(asModels(problems), pools, engines, new Map())
        const replicas = replicasOf(plan.plans)
        const used = usage(problems, (id) => replicas[id] ?? 0)
        const least = usage(problems, (id) => (id.endsWith('/v0') ? 1 : 0))
        for (const { name, gpus } of pools) {
          expect(used.get(name) ?? 0).toBeLessThanOrEqual(Math.max(gpus, least.get(name) ?? 0))
        }
        const short = [...plan.plans.values()].some((one) => one.status !== 'optimal')
        if (short) return
        expect(plan.lowerBound).toBeLessThanOrEqual(plan.objective + 1e-6)
        expect(plan.objective).toBeGreaterThanOrEqual(free.objective - 1e-3)
        gaps.push(plan.objective / plan.lowerBound - 1)
      }),
      { numRuns: 12, seed: 7 },
    )
    expect(Math.max(...gaps)).toBeLessThan(0.05)
  }, 60_000)

  it('says how much of a rationed shortfall nobody could avoid, and leaves the urgent no shorter for the others', () => {
    const { problems, pools } = scarce(14, 3, 0.7)
    const plan = planFleet(asModels(problems), pools, engines, new Map())
    expect(plan.rationed.map(({ priority }) => priority)).toEqual([0, 1, 2, 5])
    for (const { short, atLeast } of plan.rationed) expect(atLeast).toBeLessThanOrEqual(short)
    expect(plan.rationed.some(({ atLeast }) => atLeast > 1)).toBe(true)
    const urgent = problems.map((problem) => ({
      ...problem,
      classes: problem.classes.filter(({ priority }) => priority === 0),
    }))
    const alone = planFleet(asModels(urgent), pools, engines, new Map())
    const short = alone.rationed.find(({ priority }) => priority === 0)?.short ?? 0
    expect(plan.rationed[0]?.short).toBeCloseTo(short, 3)
  }, 60_000)

  it('bounds what the exact joint program leaves short, priority by priority', () => {
    for (const seed of [1, 2, 3]) {
      const { problems, pools } = scarce(3, seed, 0.5)
      const exact = planTogether(problems, pools, engines, { relativeGap: 1e-4, maxNodes: 5_000 })
      if (exact.status === 'failed') throw new Error(exact.why)
      const short = shortByPriority(
        problems,
        exact.plans.map(({ shortfall }) => shortfall),
      )
      const bounds = leastShort(problems, pools, engines, (priority) => short.get(priority))
      expect(bounds?.least.map(({ priority }) => priority)).toEqual([...short.keys()].sort((x, y) => x - y))
      for (const { priority, requestsPerSecond } of bounds?.least ?? []) {
        expect(requestsPerSecond).toBeLessThanOrEqual((short.get(priority) ?? 0) + 1e-3)
      }
      expect(bounds?.least.some(({ requestsPerSecond }) => requestsPerSecond > 1)).toBe(true)
    }
  }, 60_000)

  it('costs what the exact joint program costs, within its gap', () => {
    const { problems, pools } = contended(4, 1, 11, 0.85)
    const exact = planTogether(problems, pools, engines, { relativeGap: 1e-4, maxNodes: 20_000 })
    const plan = planFleet(asModels(problems), pools, engines, new Map())
    if (exact.status === 'failed') throw new Error(exact.why)
    expect(plan.objective).toBeGreaterThanOrEqual(exact.lowerBound - 1e-6)
    expect(plan.lowerBound).toBeLessThanOrEqual(exact.objective + 1e-6)
    expect(plan.objective / exact.objective).toBeLessThan(1.02)
  }, 60_000)

  it('solves only what changed', () => {
    const { problems, pools } = contended(9, 3, 5, 0.9)
    const memo = new Map()
    const first = planFleet(asModels(problems), pools, engines, memo)
    expect(first.solved).toBe(9 + first.coupled.length)
    const again = planFleet(asModels(problems), pools, engines, memo)
    expect(again.solved).toBe(0)
    expect(again.plans).toEqual(first.plans)
    const changed = asModels(problems).map((model, index) =>
      index === 0 ? { ...model, capacityKey: 'new' } : model,
    )
    expect(planFleet(changed, pools, engines, memo).solved).toBeLessThanOrEqual(2)
  })

  it('plans the same whatever the order of models and pools', () => {
    const { problems, pools } = contended(6, 2, 3, 0.9)
    const models = asModels(problems)
    const plan = planFleet(models, pools, engines, new Map())
    const turned = planFleet([...models].reverse(), [...pools].reverse(), engines, new Map())
    expect(replicasOf(turned.plans)).toEqual(replicasOf(plan.plans))
  })
})
