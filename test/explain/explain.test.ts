// Every figure of an explanation against a decision made anew on changed policies, or against the capacity model.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { predict } from '../../src/core/capacity/predict.ts'
import { decide } from '../../src/core/decide.ts'
import type { Decision } from '../../src/core/decision.ts'
import type { Alternative } from '../../src/core/explain/alternatives.ts'
import { explain, type PolicyExplanation } from '../../src/core/explain/explain.ts'
import { replicaLimit } from '../../src/core/explain/limit.ts'
import { subjects } from '../../src/core/explain/subject.ts'
import type { Restriction } from '../../src/core/optimize/explain.ts'
import { applyWhatIf } from '../../src/core/optimize/whatIf.ts'
import type { Behavior, PolicyId, PolicySet, Variant } from '../../src/core/policy.ts'
import { isMissing, type Reading } from '../../src/core/reading.ts'
import { emptyState } from '../../src/core/state.ts'
import { totals } from '../../src/core/totals.ts'
import { look } from '../../src/core/view.ts'
import { behavior } from '../behavior.ts'
import { observe, policy, policySet, signals, tools, variant } from '../decide/world.ts'
import {
  blindWorld,
  documented,
  fullPool,
  held,
  mixed,
  redundant,
  short,
  split,
  tolerant,
  twoPolicies,
  type World,
  worlds,
} from './worlds.ts'

function explained({ policies, observation }: World, id: PolicyId = 'chat/llama'): PolicyExplanation {
  return explain(policies, { state: emptyState, observation, tools }, { policy: id })
}

interface Under {
  readonly policies: PolicySet
  readonly decision: Decision
  readonly short: Readonly<Record<string, number>>
}

function decided({ policies, observation }: World, whatIf: string): Under {
  const applied = applyWhatIf(policies, whatIf)
  if (applied.kind === 'invalid') throw new Error(applied.errors.join())
  const { decision } = decide(applied.policies, emptyState, observation, tools)
  return { policies: applied.policies, decision, short: totals(applied.policies, decision).shortfall }
}

function costOf({ decision }: Under): number {
  return number(decision.costPerHour.plan)
}

/** Start-up time at full price, spread over a quarter of an hour: docs/MODEL.md. */
function startsOf({ policies, decision }: Under, { observation }: World): number {
  let sum = 0
  for (const each of policies.policies.flatMap(({ variants }) => variants)) {
    const replicas = observation.variants[each.id]?.replicas
    const wanted = decision.policies
      .flatMap(({ variants }) => variants)
      .find(({ id }) => id === each.id)?.wanted
    if (replicas === undefined || isMissing(replicas) || wanted === undefined || isMissing(wanted)) continue
    const started = Math.max(0, wanted - replicas.ready - replicas.starting)
    sum += (started * each.costPerHour * each.startupSeconds) / 900
  }
  return sum
}

function number(reading: Reading | undefined): number {
  if (reading === undefined || isMissing(reading)) throw new Error('a number is missing')
  return reading
}

function wantedOf({ decision }: Pick<Under, 'decision'>, id: PolicyId): Record<string, number> {
  const own = decision.policies.find((each) => each.id === id)
  return Object.fromEntries((own?.variants ?? []).map((each) => [each.id, number(each.wanted)]))
}

function all(explanation: PolicyExplanation): readonly Alternative[] {
  return [
    ...explanation.alternatives,
    ...explanation.remedies,
    ...explanation.variants.flatMap(({ neighbour }) => neighbour ?? []),
  ]
}

const planned = worlds.filter((world) => world !== blindWorld)

describe('what one change would do', () => {
  test.each([...planned, ...documented])('is what the decision says under that what-if: $name', (world) => {
    const base = decided(world, 'holdBand=0')
    for (const { id: policyId } of world.policies.policies) {
      const alternatives = all(explained(world, policyId))
      expect(alternatives.length).toBeGreaterThan(1)
      for (const each of alternatives) {
        const after = decided(world, each.whatIf)
        const [from, to] = [wantedOf(base, policyId), wantedOf(after, policyId)]
        expect(each.morePerHour, each.whatIf).toBeCloseTo(costOf(after) - costOf(base), 6)
        expect(each.moreForStarts, each.whatIf).toBeCloseTo(startsOf(after, world) - startsOf(base, world), 6)
        expect(each.moved, each.whatIf).toEqual(
          Object.fromEntries(
            Object.entries(to)
              .filter(([id, count]) => count !== from[id])
              .map(([id, count]) => [id, { from: from[id], to: count }]),
          ),
        )
        const own = (id: string) => id.startsWith(`${policyId}/`)
        for (const [id, move] of Object.entries(each.shortfall)) {
          expect(move.from).toBeCloseTo(base.short[id] ?? 0, 6)
          expect(move.to).toBeCloseTo(after.short[id] ?? 0, 6)
        }
        expect(Object.keys(each.shortfall).sort()).toEqual(
          [...new Set([...Object.keys(base.short), ...Object.keys(after.short)])].filter(own).sort(),
        )
        const elsewhere = Object.entries(after.short).filter(([id]) => !own(id))
        expect(each.shortElsewhere.to).toBeCloseTo(
          elsewhere.reduce((sum, [, rate]) => sum + rate, 0),
          6,
        )
      }
    }
  })

  test('asks about each SLO a fifth further out, by name where that is enough', () => {
    const whatIfs = explained(mixed).alternatives.map(({ whatIf }) => whatIf)
    expect(whatIfs).toEqual(
      expect.arrayContaining(['holdBand=0,slo.chat.ttft=1200ms', 'holdBand=0,slo.chat.itl=60ms']),
    )
    const ambiguous = explained(twoPolicies).variants.map(({ neighbour }) => neighbour?.whatIf)
    expect(ambiguous[0]).toMatch(/^holdBand=0,variant\.chat\/llama\/h100\.max=\d+$/)
  })

  test('prices a full pool by the GPUs of one more replica', () => {
    const { mix, alternatives, limits } = explained(fullPool)
    expect(limits).toContainEqual({ kind: 'pool', pool: 'h100', gpus: 2, planned: 2, binds: true })
    expect(mix?.prices?.gpu['h100']).toBeGreaterThan(0.5)
    const more = alternatives.find(({ change }) => change.kind === 'pool')
    expect(more?.whatIf).toBe('holdBand=0,pool.h100=3')
    expect(more?.morePerHour).toBeLessThan(-0.5)
  })

  test('tells what redundancy would be given up', () => {
    const losses = all(explained(redundant)).map(({ notCovered }) => notCovered)
    expect(losses.some(({ from, to }) => to > from)).toBe(true)
  })
})

describe('what is short', () => {
  const { remedies, decision } = explained(short)

  test('has remedies of every kind, each of which leaves less short', () => {
    expect(decision.status).toBe('shortfall')
    for (const { shortfall } of remedies) {
      const before = Object.values(shortfall).reduce((sum, { from }) => sum + from, 0)
      const after = Object.values(shortfall).reduce((sum, { to }) => sum + to, 0)
      expect(after).toBeLessThan(before)
    }
    expect(remedies.length).toBeGreaterThan(0)
  })

  test('names the least that carries everything, where one change does', () => {
    // 300 req/s and a tenth on replicas of one kind: what is needed follows from one replica's capacity.
    const alone: World = {
      name: 'one variant, one pool',
      policies: policySet([policy([variant('h100')])], [{ name: 'h100', gpus: 2 }]),
      observation: observe(1_800_000_000, { h100: signals(2, 200) }),
    }
    const [first] = explained(alone).remedies
    if (first?.change.kind !== 'pool') throw new Error('a larger pool would help most')
    const { to } = first.change
    expect(Object.values(first.shortfall).every((move) => move.to === 0)).toBe(true)
    const shortWith = (gpus: number) => Object.keys(decided(alone, `pool.h100=${gpus}`).short)
    expect(shortWith(to)).toEqual([])
    expect(shortWith(to - 1)).toEqual(['chat/llama/chat'])
  })

  test('is helped by a higher maximum and by more budget where those are what stops it', () => {
    const stopped = (changes: Parameters<typeof variant>[1], budgetPerHour?: number): World => ({
      name: 'stopped',
      policies: policySet([
        policy([variant('h100', changes)], {
          behavior: { ...behavior, ...(budgetPerHour === undefined ? {} : { budgetPerHour }) },
        }),
      ]),
      observation: observe(1_800_000_000, { h100: signals(2, 200) }),
    })
    const kinds = (world: World) => explained(world).remedies.map(({ change }) => change.kind)
    expect(kinds(stopped({ replicas: { min: 1, max: 2 } }))).toContain('max')
    const [first] = explained(stopped({}, 9)).remedies
    expect(first?.change).toMatchObject({ kind: 'budget', fromPerHour: 9 })
    expect(first?.morePerHour).toBeGreaterThan(0)
  })
})

describe('what limits a replica', () => {
  test.each(planned)('holds at the rate that is named, and would not hold beyond: $name', (world) => {
    const [policyAsked] = world.policies.policies
    if (policyAsked === undefined) throw new Error('no policy')
    const view = look(policyAsked, emptyState, world.observation, tools.capacities)
    for (const { carries, decision } of explained(world).variants) {
      const asked = policyAsked.variants.find(({ id }) => id === decision.id)
      for (const { class: name, perReplica, limit, costPerRequestPerSecond } of carries) {
        const trafficClass = policyAsked.classes.find((each) => each.name === name)
        if (asked === undefined || trafficClass === undefined) throw new Error('not in the policy')
        const count = Math.max(1, number(decision.wanted))
        const question = view.questionOf(trafficClass, asked, count)
        const capacity = tools.capacities.capacityOf(question)
        if (capacity.kind === 'infeasible') throw new Error(capacity.why)
        expect(perReplica).toBe(capacity.requestsPerSecond)
        expect(limit).toEqual(replicaLimit(question, capacity))
        expect(costPerRequestPerSecond * perReplica).toBeCloseTo(asked.costPerHour)
        if (limit.kind === 'latency') {
          // Within what sizing allows, and at a tenth more load beyond the bound that is planned with.
          expect(limit.lateShare).toBeLessThanOrEqual(1 - limit.percentile + 1e-9)
          const beyond = predict(question, limit.overload.requestsPerSecond)
          const latency = beyond.kind === 'stable' ? beyond[limit.metric] : undefined
          expect(limit.overload.seconds).toBe(latency?.percentile(limit.percentile))
          expect(limit.overload.seconds ?? Number.POSITIVE_INFINITY).toBeGreaterThan(limit.plannedSeconds)
        }
        if (limit.kind === 'throughput') {
          const rate = limit.saturationRequestsPerSecond
          expect(predict(question, rate * 1.01)).toMatchObject({ kind: 'saturated' })
          expect(predict(question, rate * 0.99).kind).toBe('stable')
        }
        if (limit.kind === 'kvCache') {
          expect(limit.sequences * limit.tokensPerSequence).toBeLessThanOrEqual(limit.kvTokens)
          expect(limit.sequences).toBeLessThan(question.limits.maxNumSeqs)
        }
      }
    }
  })

  test('is the cache where a decode replica holds few tokens', () => {
    const decode = explained(split).variants.find(({ decision }) => decision.name === 'decode')
    expect(decode?.carries[0]?.limit).toMatchObject({ kind: 'kvCache', kvTokens: 20_000 })
  })
})

describe('what is carried', () => {
  test.each(planned)('adds up to what is planned for, less what is short: $name', (world) => {
    const { classes, variants } = explained(world)
    for (const { class: name, plannedFor, shortfall } of classes) {
      for (const other of ['prefill', 'decode'] as const) {
        const carried = variants
          .filter(({ decision }) => decision.role !== other)
          .flatMap(({ carries }) => carries)
          .filter((each) => each.class === name)
          .reduce((sum, each) => sum + each.requestsPerSecond, 0)
        expect(carried).toBeCloseTo(number(plannedFor) - number(shortfall), 3)
      }
    }
    for (const { load } of variants) expect(load ?? 0).toBeLessThanOrEqual(1 + 1e-6)
  })

  test('of work that waits: how much, and when the first of it is due', () => {
    const evals = explained(tolerant).classes.find((each) => each.class === 'eval')
    // 3e6 output tokens in requests of 130; half of two hours are left for what is seen for the first time.
    expect(evals?.waiting?.requests).toBeCloseTo(3e6 / (evals?.requests?.outputTokens ?? 0), 6)
    expect(evals?.waiting?.firstDueInSeconds).toBe(3600)
  })
})

describe('what is held', () => {
  test('by the hold band: the counts stay, and the cheapest mix is told with what it would save', () => {
    const { cheapest, decision } = explained(held)
    const now = wantedOf({ decision: { ...decided(held, 'demand=1x').decision } }, 'chat/llama')
    expect(Object.values(now)).toEqual([3, 2])
    const free = decided(held, 'holdBand=0')
    expect(cheapest?.replicas).toEqual(wantedOf(free, 'chat/llama'))
    const saves = number(decision.costPerHour.now) - number(free.decision.costPerHour.plan)
    expect(saves).toBeGreaterThan(1)
    expect(cheapest?.heldForPerHour).toBeCloseTo(saves)
  })

  test('for want of data: the reason stands with the variant, the rest is explained', () => {
    const { variants, cheapest } = explained(blindWorld)
    const unseen = variants.find(({ decision }) => decision.name === 'l40s')
    expect(unseen?.carries).toEqual([])
    expect(unseen?.decision.reasons.map(({ kind }) => kind)).toEqual(['unknown'])
    expect(cheapest?.replicas).toEqual({ 'chat/llama/h100': expect.any(Number) })
  })

  test('altogether: there is no plan to explain', () => {
    const { decision, cheapest, alternatives, remedies, mix } = explained({
      ...blindWorld,
      observation: observe(1_800_000_000, {}),
    })
    expect(decision.status).toBe('held')
    expect([cheapest, mix, alternatives, remedies]).toEqual([undefined, undefined, [], []])
  })
})

describe('what is stated', () => {
  /** The policies with one restriction of one policy taken back. */
  function without(
    { policies, pools, alsoAllowed }: PolicySet,
    id: PolicyId,
    stated: Restriction,
  ): PolicySet {
    const unbound = ({ budgetPerHour: _, ...rest }: Behavior): Behavior => rest
    const behaviorOf = (given: Behavior): Behavior =>
      stated.kind === 'budget'
        ? unbound(given)
        : stated.kind === 'surviveReplicas' || stated.kind === 'hpaTolerance'
          ? { ...given, [stated.kind]: 0 }
          : given
    const variantOf = (given: Variant): Variant => {
      if (!('variant' in stated) || stated.variant !== given.id) return given
      const { min, max } = given.replicas
      switch (stated.kind) {
        case 'min':
          return { ...given, replicas: { min: 0, max } }
        case 'max':
          return { ...given, replicas: { min, max: 10 * Math.max(1, max) } }
        case 'minShare':
          return { ...given, minShare: 0 }
        case 'maxShare':
          return { ...given, maxShare: 1 }
      }
    }
    return {
      policies: policies.map((each) =>
        each.id === id
          ? { ...each, behavior: behaviorOf(each.behavior), variants: each.variants.map(variantOf) }
          : each,
      ),
      pools: pools.map((pool) =>
        stated.kind === 'pool' && pool.name === stated.pool ? { ...pool, gpus: 10_000 } : pool,
      ),
      alsoAllowed,
    }
  }

  test.each([
    mixed,
    fullPool,
    short,
    redundant,
    ...documented,
  ])('costs what the plan without it saves: $name', (world) => {
    const base = decided(world, 'holdBand=0')
    let checked = 0
    for (const { id } of world.policies.policies) {
      const shortIn = ({ short: all }: Under) =>
        Object.entries(all).reduce((sum, [key, rate]) => (key.startsWith(`${id}/`) ? sum + rate : sum), 0)
      for (const { restriction, shortfall, costPerHour } of explained(world, id).mix?.restrictions ?? []) {
        const free = decided({ ...world, policies: without(world.policies, id, restriction) }, 'holdBand=0')
        expect(shortfall, restriction.kind).toBeCloseTo(Math.max(0, shortIn(base) - shortIn(free)), 3)
        const saved = costOf(base) + startsOf(base, world) - costOf(free) - startsOf(free, world)
        if (shortfall === 0) expect(costPerHour, restriction.kind).toBeCloseTo(saved, 4)
        checked++
      }
    }
    expect(checked).toBeGreaterThan(0)
  })

  test('names the minimum that costs money', () => {
    const min = explained(mixed).mix?.restrictions.find(({ restriction }) => restriction.kind === 'min')
    expect(min?.restriction).toEqual({ kind: 'min', variant: 'chat/llama/l40s', replicas: 4 })
    expect(min?.costPerHour).toBeGreaterThan(0.5)
  })
})

describe('the runner-up', () => {
  test.each([
    mixed,
    fullPool,
    held,
    tolerant,
    ...documented,
  ])('is a plan of other counts, at its price: $name', (world) => {
    const base = decided(world, 'holdBand=0')
    let checked = 0
    for (const { id } of world.policies.policies) {
      const { mix, cheapest, decision } = explained(world, id)
      if (mix?.runnerUp === undefined) continue
      const { replicas, morePerHour } = mix.runnerUp
      // Redundancy comes before cost: where it cannot be had in full, a plan with less of it may be cheaper.
      const reasons = decision.variants.flatMap((variant) => variant.reasons)
      const uncovered = reasons.some(({ kind }) => kind === 'lossNotCovered')
      if (!uncovered) expect(morePerHour).toBeGreaterThanOrEqual(-1e-6)
      expect(replicas).not.toEqual(cheapest?.replicas)
      const pinned = Object.entries(replicas)
        .flatMap(([one, count]) => [`variant.${one}.min=${count}`, `variant.${one}.max=${count}`])
        .join(',')
      const other = decided(world, `holdBand=0,${pinned}`)
      expect(wantedOf(other, id)).toEqual(replicas)
      expect(Object.keys(other.short)).toEqual(Object.keys(base.short))
      const more = costOf(other) + startsOf(other, world) - costOf(base) - startsOf(base, world)
      expect(more).toBeCloseTo(morePerHour, 4)
      checked++
    }
    expect(checked).toBeGreaterThan(0)
  })
})

describe('two policies', () => {
  test('see what their change does to each other', () => {
    const { alternatives, variants } = explained(twoPolicies)
    const others = [...alternatives, ...variants.flatMap(({ neighbour }) => neighbour ?? [])]
    expect(others.some(({ shortElsewhere: { from, to } }) => to < from)).toBe(true)
  })

  test('count their GPUs together', () => {
    const { limits } = explained(twoPolicies, 'search/rank')
    expect(limits).toContainEqual({ kind: 'pool', pool: 'h100', gpus: 6, planned: 6, binds: true })
  })
})

test('equal inputs are explained alike', () => {
  for (const world of worlds) expect(explained(structuredClone(world))).toEqual(explained(world))
})

test('more demand never costs less nor leaves less short, where nothing ties the plan to what runs now', () => {
  const replicas = fc.record({ h100: fc.integer({ min: 1, max: 6 }), l40s: fc.integer({ min: 0, max: 12 }) })
  fc.assert(
    fc.property(fc.integer({ min: 5, max: 120 }), replicas, (requestsPerSecond, { h100, l40s: cards }) => {
      const free = { ...behavior, holdBand: 0 }
      const variants = mixed.policies.policies
        .flatMap((each) => each.variants)
        .map((each) => ({
          ...each,
          startupSeconds: 0,
          replicas: { min: 0, max: each.name === 'h100' ? h100 : cards },
        }))
      const world: World = {
        name: 'free',
        policies: policySet([policy(variants, { behavior: free })]),
        observation: observe(1_800_000_000, { h100: signals(1, requestsPerSecond), l40s: signals(1, 1) }),
      }
      let before = { cost: 0, short: 0 }
      for (const factor of [0.5, 1, 1.5, 2, 3, 4]) {
        const under = decided(world, `demand=${factor}x`)
        const now = {
          cost: costOf(under),
          short: Object.values(under.short).reduce((sum, each) => sum + each, 0),
        }
        expect(now.short).toBeGreaterThanOrEqual(before.short - 1e-3)
        expect(now.cost).toBeGreaterThanOrEqual(before.cost - 1e-6)
        before = now
      }
    }),
    { numRuns: 25 },
  )
})

describe('a name', () => {
  const { policies } = twoPolicies
  test.each([
    ['chat/llama', [{ policy: 'chat/llama' }]],
    ['rank', [{ policy: 'search/rank' }]],
    ['search/rank/h100', [{ policy: 'search/rank', variant: 'search/rank/h100' }]],
  ])('%s means %j', (name, found) => {
    expect(subjects(policies, name)).toEqual({ kind: 'found', subjects: found })
  })

  test('of a model means all policies that serve it', () => {
    const twins = policies.policies.map((each) => ({ ...each, model: 'meta/llama' }))
    expect(subjects({ ...policies, policies: twins }, 'meta/llama')).toMatchObject({
      subjects: [{ policy: 'chat/llama' }, { policy: 'search/rank' }],
    })
  })

  test('of variants in several policies lists them', () => {
    expect(subjects(policies, 'h100')).toEqual({
      kind: 'ambiguous',
      ids: ['chat/llama/h100', 'search/rank/h100'],
    })
  })

  test('that nothing bears is answered with the nearest and all there are', () => {
    expect(subjects(policies, 'h10')).toEqual({
      kind: 'unknown',
      nearest: 'h100',
      known: ['h100', 'llama', 'rank'],
    })
  })
})
