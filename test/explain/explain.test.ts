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
import { applyWhatIf } from '../../src/core/optimize/whatIf.ts'
import type { PolicyId, PolicySet } from '../../src/core/policy.ts'
import { isMissing, type Reading } from '../../src/core/reading.ts'
import { emptyState } from '../../src/core/state.ts'
import { totals } from '../../src/core/totals.ts'
import { look } from '../../src/core/view.ts'
import { behavior, observe, policy, policySet, signals, tools, variant } from '../decide/world.ts'
import {
  blindWorld,
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

function decided(
  { policies, observation }: World,
  whatIf: string,
): { policies: PolicySet; decision: Decision } {
  const applied = applyWhatIf(policies, whatIf)
  if (applied.kind === 'invalid') throw new Error(applied.errors.join())
  return {
    policies: applied.policies,
    decision: decide(applied.policies, emptyState, observation, tools).decision,
  }
}

function number(reading: Reading | undefined): number {
  if (reading === undefined || isMissing(reading)) throw new Error('a number is missing')
  return reading
}

function wantedOf({ decision }: { decision: Decision }, id: PolicyId): Record<string, number> {
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
  test.each(planned)('is what the decision says under that what-if: $name', (world) => {
    const base = decided(world, 'holdBand=0')
    const alternatives = all(explained(world))
    expect(alternatives.length).toBeGreaterThan(1)
    for (const each of alternatives) {
      const after = decided(world, each.whatIf)
      const [from, to] = [wantedOf(base, 'chat/llama'), wantedOf(after, 'chat/llama')]
      const cost = ({ decision }: typeof base) => number(decision.costPerHour.plan)
      expect(each.morePerHour, each.whatIf).toBeCloseTo(cost(after) - cost(base), 6)
      expect(each.moved, each.whatIf).toEqual(
        Object.fromEntries(
          Object.entries(to)
            .filter(([id, count]) => count !== from[id])
            .map(([id, count]) => [id, { from: from[id], to: count }]),
        ),
      )
      const shortIn = (plan: typeof base) => totals(plan.policies, plan.decision).shortfall
      for (const [id, move] of Object.entries(each.shortfall)) {
        expect(move.from).toBeCloseTo(shortIn(base)[id] ?? 0, 6)
        expect(move.to).toBeCloseTo(shortIn(after)[id] ?? 0, 6)
      }
      const elsewhere = (plan: typeof base) =>
        Object.entries(shortIn(plan)).reduce(
          (sum, [id, rate]) => (id.startsWith('chat/llama/') ? sum : sum + rate),
          0,
        )
      expect(each.shortElsewhere.to).toBeCloseTo(elsewhere(after), 6)
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
    const shortWith = (gpus: number) => {
      const { policies, decision: at } = decided(alone, `pool.h100=${gpus}`)
      return Object.keys(totals(policies, at).shortfall)
    }
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
  test('costs what the plan without it saves', () => {
    const { mix } = explained(mixed)
    const min = mix?.restrictions.find(({ restriction }) => restriction.kind === 'min')
    expect(min?.restriction).toEqual({ kind: 'min', variant: 'chat/llama/l40s', replicas: 4 })
    const cost = (whatIf: string) => number(decided(mixed, whatIf).decision.costPerHour.plan)
    const started = (whatIf: string) => {
      const wanted = wantedOf(decided(mixed, whatIf), 'chat/llama')
      // Starts weigh as in plans: start-up time over a quarter of an hour, at full price.
      const starts = (id: string, now: number, price: number) =>
        (Math.max(0, (wanted[id] ?? 0) - now) * price * 180) / 900
      return starts('chat/llama/h100', 2, 4) + starts('chat/llama/l40s', 1, 1.5)
    }
    const [stated, free] = ['holdBand=0', 'holdBand=0,variant.l40s.min=0']
    expect(min?.costPerHour).toBeCloseTo(cost(stated) + started(stated) - cost(free) - started(free), 6)
    expect(min?.costPerHour).toBeGreaterThan(0.5)
  })
})

describe('the runner-up', () => {
  test.each([
    mixed,
    fullPool,
    held,
    tolerant,
  ])('is no better than the plan, and carries everything: $name', (world) => {
    const { mix, cheapest } = explained(world)
    const runnerUp = mix?.runnerUp
    if (runnerUp === undefined || cheapest === undefined) throw new Error('no runner-up')
    expect(runnerUp.morePerHour).toBeGreaterThanOrEqual(-1e-6)
    expect(runnerUp.replicas).not.toEqual(cheapest.replicas)
    const pinned = Object.entries(runnerUp.replicas)
      .flatMap(([id, count]) => [`variant.${id}.min=${count}`, `variant.${id}.max=${count}`])
      .join(',')
    const { policies, decision } = decided(world, `holdBand=0,${pinned}`)
    expect(totals(policies, decision).shortfall).toEqual({})
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
        const { policies, decision } = decided(world, `demand=${factor}x`)
        const { costPerHour, shortfall } = totals(policies, decision)
        const now = {
          cost: number(costPerHour),
          short: Object.values(shortfall).reduce((sum, each) => sum + each, 0),
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
