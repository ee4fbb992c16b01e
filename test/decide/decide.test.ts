// The decision told as stories on a time line: what is observed at each tick, and what is emitted.
import { describe, expect, it } from 'vitest'
import type { Variant } from '../../src/core/policy.ts'
import type { Profile } from '../../src/core/profile.ts'
import { isMissing, missing } from '../../src/core/reading.ts'
import { sentence } from '../../src/core/sentence.ts'
import { emptyState } from '../../src/core/state.ts'
import { behavior } from '../behavior.ts'
import {
  blind,
  h100,
  l40s,
  observe,
  policy,
  policySet,
  signals,
  story,
  trafficClass,
  variant,
  variantOf,
} from './world.ts'

/** The H100's law with every time multiplied. */
function scaled(factor: number): Profile {
  return {
    ...h100,
    a: h100.a * factor,
    b: h100.b * factor,
    c: h100.c * factor,
    ap: h100.ap * factor,
    bp: h100.bp * factor,
  }
}

const one = policySet([policy([variant('h100')])])

describe('sizing', () => {
  it('adds replicas at once when demand exceeds what the ready ones carry', () => {
    const [quiet, busy] = story(one, [
      observe(0, { h100: signals(1, 5) }),
      observe(15, { h100: signals(1, 120) }),
    ])
    expect(variantOf(quiet, 'h100').target).toBe(1)
    // 120 req/s x 1.1 headroom over at most 50.6 req/s (saturation) x 0.9 per replica: 3 at the very least
    expect(variantOf(busy, 'h100').target).toBeGreaterThanOrEqual(3)
    expect(variantOf(busy, 'h100').reasons.map(sentence).join('; ')).toMatch(
      /carries 100 % of chat at .* per replica/,
    )
  })

  it('counts what piles up: completions alone would find just enough', () => {
    const saturated = { completionsPerSecond: 30, inSystemGrowthPerSecond: 20, waiting: 1200 }
    const [completionsOnly] = story(one, [observe(0, { h100: signals(1, 30) })])
    const [all] = story(one, [observe(0, { h100: signals(1, 30, saturated) })])
    expect(Number(variantOf(all, 'h100').target)).toBeGreaterThan(
      Number(variantOf(completionsOnly, 'h100').target),
    )
    // 30 + 20 arriving, 1,200 waiting / 60 s
    expect(all?.decision.policies[0]?.classes[0]?.demand).toBe(70)
  })

  it('takes the variant that carries the demand most cheaply', () => {
    const cheap = variant('l40s', { profile: l40s, costPerHour: 1.5, replicas: { min: 0, max: 20 } })
    const dear = variant('l40s', { profile: l40s, costPerHour: 4, replicas: { min: 0, max: 20 } })
    const free = variant('h100', { replicas: { min: 0, max: 20 } })
    const tick = observe(0, { h100: signals(1, 100), l40s: signals(0, 0) })
    // A third of the speed: at the price of an H100 it is never bought.
    expect(variantOf(story(policySet([policy([free, dear])]), [tick])[0], 'l40s').wanted).toBe(0)
    // So cheap that it beats the H100 per request at SLO.
    const bargain = { ...cheap, costPerHour: 0.2, replicas: { min: 0, max: 60 } }
    expect(variantOf(story(policySet([policy([free, bargain])]), [tick])[0], 'h100').wanted).toBe(0)
  })

  it('says which demand is short when the maximum is too small', () => {
    const small = policySet([policy([variant('h100', { replicas: { min: 1, max: 2 } })])])
    const [step] = story(small, [observe(0, { h100: signals(2, 200) })])
    expect(variantOf(step, 'h100').target).toBe(2)
    expect(step?.decision.policies[0]?.status).toBe('shortfall')
    expect(step?.decision.policies[0]?.reasons.map(sentence).join('; ')).toMatch(/of chat cannot be carried/)
    expect(variantOf(step, 'h100').reasons.map(sentence)).toContain('at its maximum of 2')
  })
})

describe('restrictions that cannot be kept', () => {
  it('says which loss is not covered, and which share is not reached', () => {
    const pinned = (name: string, changes: Partial<Variant>): Variant =>
      variant(name, { replicas: { min: 1, max: 2 }, ...changes })
    const [loss] = story(
      policySet([policy([pinned('h100', {})], { behavior: { ...behavior, surviveReplicas: 1 } })]),
      [observe(0, { h100: signals(2, 60) })],
    )
    expect(variantOf(loss, 'h100').reasons.map(sentence).join('; ')).toMatch(
      /losing replicas of it would leave .* req\/s uncarried/,
    )
    const [share] = story(
      policySet([policy([pinned('h100', {}), pinned('spare', { minShare: 0.9, profile: scaled(3) })])]),
      [observe(0, { h100: signals(2, 40), spare: signals(1, 4) })],
    )
    expect(variantOf(share, 'spare').reasons.map(sentence)).toContain(
      'cannot be given its minimum share of chat',
    )
  })
})

describe('an SLO that no replica can meet', () => {
  const impossible = trafficClass('chat', {
    serviceLevel: { kind: 'interactive', itl: { percentile: 0.95, seconds: 0.001 } },
  })

  it('is sized for throughput and said, and never scales down what carries the load', () => {
    const [step] = story(policySet([policy([variant('h100')], { classes: [impossible] })]), [
      observe(0, { h100: signals(3, 120) }),
    ])
    expect(variantOf(step, 'h100').wanted).toBeGreaterThanOrEqual(3)
    expect(step?.decision.policies[0]?.reasons.map(sentence)).toContain(
      'no replica meets the SLO of chat, however idle: sized for throughput instead',
    )
  })

  it('keeps to the variants that can meet it as long as one can', () => {
    const slow = variant('slow', { profile: scaled(10), costPerHour: 0.1, replicas: { min: 0, max: 50 } })
    const [step] = story(policySet([policy([variant('h100'), slow])]), [
      observe(0, { h100: signals(3, 120), slow: signals(0, 0) }),
    ])
    expect(variantOf(step, 'slow').wanted).toBe(0)
    expect(variantOf(step, 'slow').reasons.map(sentence)[0]).toMatch(/^cannot serve chat: ITL p95 is/)
  })
})

describe('missing data', () => {
  it('is never read as idle: the last target holds for the budget, then there is none', () => {
    const down = blind(missing('backendDown'))
    const steps = story(one, [
      observe(0, { h100: signals(3, 120) }), // planned
      observe(15, { h100: down }), // Prometheus goes down
      observe(120, { h100: down }), // still within the budget of 120 s
      observe(135, { h100: down }), // beyond it
      observe(150, { h100: signals(3, 120) }), // and back
    ])
    const planned = variantOf(steps[0], 'h100').target
    expect(planned).toBeGreaterThanOrEqual(3)
    expect(variantOf(steps[1], 'h100').target).toBe(planned)
    expect(variantOf(steps[1], 'h100').reasons.map(sentence)[0]).toMatch(
      /^holds: the number of replicas is missing \(the back end does not answer\)/,
    )
    expect(variantOf(steps[2], 'h100').target).toBe(planned)
    expect(variantOf(steps[3], 'h100').target).toEqual(missing('backendDown'))
    expect(variantOf(steps[4], 'h100').target).toBe(planned)
  })

  it('gives no target at all on a cold start', () => {
    const [step] = story(one, [observe(0, { h100: blind(missing('noSeries')) })])
    expect(variantOf(step, 'h100').target).toEqual(missing('noSeries'))
    expect(step?.decision.policies[0]?.status).toBe('held')
  })

  it('holds the variant whose series vanish, names it, and lets the others go on', () => {
    const two = policySet([policy([variant('h100'), variant('spare')])])
    const steps = story(two, [
      observe(0, { h100: signals(3, 60), spare: signals(3, 60) }),
      observe(15, { h100: signals(3, 240), spare: blind(missing('noSeries')) }),
    ])
    const held = variantOf(steps[1], 'spare')
    expect(held.target).toBe(variantOf(steps[0], 'spare').target)
    expect(held.reasons.map(sentence)[0]).toMatch(
      /^holds: the number of replicas is missing \(no such series\)/,
    )
    expect(Number(variantOf(steps[1], 'h100').target)).toBeGreaterThanOrEqual(6)
  })

  it('holds a whole transfer group when one side cannot be seen', () => {
    const pair = policySet([
      policy([
        variant('prefill', { role: 'prefill', transferGroup: 'nixl' }),
        variant('decode', { role: 'decode', transferGroup: 'nixl' }),
      ]),
    ])
    const steps = story(pair, [
      observe(0, { prefill: signals(2, 20), decode: signals(2, 20) }),
      observe(15, { prefill: signals(2, 20), decode: blind(missing('stale')) }),
    ])
    expect(variantOf(steps[1], 'prefill').target).toBe(variantOf(steps[0], 'prefill').target)
    expect(variantOf(steps[1], 'prefill').reasons.map(sentence)[0]).toMatch(/of decode is missing/)
  })

  it('plans for the last demand of a class while its query fails, then holds what serves it', () => {
    const gateway = trafficClass('chat', { demand: { kind: 'query', requestsPerSecond: 'sum(gateway)' } })
    const policies = policySet([policy([variant('h100')], { classes: [gateway] })])
    const failing = { chat: { requestsPerSecond: missing('notANumber') } }
    const steps = story(policies, [
      observe(0, { h100: signals(3, 100) }, { chat: { requestsPerSecond: 120 } }),
      observe(60, { h100: signals(3, 100) }, failing),
      observe(200, { h100: signals(3, 100) }, failing),
    ])
    expect(steps[1]?.decision.policies[0]).toMatchObject({
      status: 'planned',
      classes: [{ demand: missing('notANumber'), plannedFor: 132 }],
    })
    expect(steps[1]?.decision.policies[0]?.reasons.map(sentence)).toContain(
      'holds: the demand of chat is missing (the value is not a number)',
    )
    expect(variantOf(steps[2], 'h100').target).toEqual(missing('notANumber'))
  })

  it('does not let a batch queue that cannot be read hold up the chat beside it', () => {
    const batch = trafficClass('batch', {
      serviceLevel: { kind: 'latencyTolerant', completeWithinSeconds: 3600 },
      demand: { kind: 'query', backlogTokens: 'sum(queue)' },
      priority: 10,
    })
    const own = variant('own', { classes: ['batch'], replicas: { min: 0, max: 4 } })
    const policies = policySet([policy([variant('h100'), own], { classes: [trafficClass('chat'), batch] })])
    const [step] = story(policies, [
      observe(
        0,
        { h100: signals(1, 200), own: signals(2, 3) },
        { batch: { backlogTokens: missing('noSeries') } },
      ),
    ])
    expect(Number(variantOf(step, 'h100').target)).toBeGreaterThanOrEqual(4)
    expect(variantOf(step, 'own').target).toEqual(missing('noSeries'))
  })

  it('keeps the lengths last seen through a quiet minute', () => {
    const steps = story(one, [
      observe(0, { h100: signals(2, 60) }),
      observe(15, { h100: signals(2, 60, { promptTokens: missing('idle'), outputTokens: missing('idle') }) }),
    ])
    expect(variantOf(steps[1], 'h100').capacity).toEqual(variantOf(steps[0], 'h100').capacity)
  })
})

describe('stabilizing', () => {
  it('goes down only after the hold, counted from the last time more was wanted', () => {
    const steps = story(one, [
      observe(0, { h100: signals(4, 120) }),
      observe(60, { h100: signals(4, 20) }),
      observe(105, { h100: signals(4, 20) }),
      observe(120, { h100: signals(4, 20) }),
    ])
    const high = variantOf(steps[0], 'h100').target
    expect(variantOf(steps[1], 'h100').target).toBe(high)
    expect(steps[1]?.decision.policies[0]?.reasons.map(sentence)).toContain(
      'the plan is still made for the 120.0 req/s of chat planned for a moment ago',
    )
    expect(variantOf(steps[2], 'h100').target).toBe(high)
    expect(variantOf(steps[3], 'h100').target).toBe(1)
  })

  it('does not scale down because it has just started', () => {
    const steps = story(one, [observe(0, { h100: signals(6, 20) }), observe(60, { h100: signals(6, 20) })])
    expect(variantOf(steps[0], 'h100')).toMatchObject({ wanted: 1, target: 6 })
    expect(variantOf(steps[0], 'h100').reasons.map(sentence)).toContain(
      'holds before going down to 1: too little has been seen yet',
    )
    expect(variantOf(steps[1], 'h100').target).toBe(6)
  })

  it('shrinks one variant for another only when the other is ready', () => {
    // The cheap variant becomes available (max 0 -> 20): the plan swaps, the move waits for its start-up.
    const swap = policySet([
      policy([
        variant('h100', { replicas: { min: 0, max: 20 } }),
        variant('bargain', { costPerHour: 1, replicas: { min: 0, max: 20 } }),
      ]),
    ])
    const starting = { replicas: { desired: 4, ready: 0, starting: 4, terminating: 0 } }
    const steps = story(swap, [
      observe(0, { h100: signals(4, 120), bargain: signals(0, 0) }),
      observe(180, { h100: signals(4, 120), bargain: signals(0, 0, starting) }), // past the hold, not ready
      observe(195, { h100: signals(4, 120), bargain: signals(4, 0) }), // ready
    ])
    expect(variantOf(steps[0], 'bargain').target).toBeGreaterThanOrEqual(3)
    expect(variantOf(steps[0], 'h100').wanted).toBe(0)
    expect(variantOf(steps[1], 'h100').target).toBe(4)
    expect(variantOf(steps[1], 'h100').reasons.map(sentence)).toContain(
      'stays above 0 until bargain is ready',
    )
    expect(variantOf(steps[2], 'h100').target).toBe(0)
  })

  it('lets go what fewer would do without for a quarter of an hour, however little it saves', () => {
    const banded = policySet([policy([variant('h100')], { behavior: { ...behavior, holdBand: 0.3 } })])
    const ticks = (ready: number) =>
      Array.from({ length: 100 }, (_, i) => observe(15 * i, { h100: signals(ready, 300) }))
    const needed = Number(variantOf(story(banded, ticks(1)).at(-1), 'h100').wanted)
    const steps = story(banded, ticks(needed + 2))
    expect(steps[20]?.decision.policies[0]?.reasons.map(sentence).at(-1)).toMatch(
      /not worth the change, but what is spare goes within a quarter of an hour$/,
    )
    const targets = steps.map((step) => variantOf(step, 'h100').target)
    expect(targets.findIndex((target) => target !== needed + 2) * 15).toBeGreaterThanOrEqual(900)
    expect(targets.at(-1)).toBe(needed)
  })

  it('does not flip between mixes of nearly equal cost, nor keep the sum of their maxima', () => {
    // Two kinds of replica, one 1.5 times the other in speed and in price but for half a per cent, and 3 % noise.
    const fast = variant('fast', {
      costPerHour: 6.03,
      profile: scaled(1 / 1.5),
      replicas: { min: 0, max: 30 },
    })
    const slow = variant('slow', { costPerHour: 4, replicas: { min: 0, max: 30 } })
    const counts = { fast: 3, slow: 1 }
    let state = emptyState
    let changes = 0
    let cost = 0
    for (let tick = 0; tick < 400; tick++) {
      const noise = 1 + 0.03 * Math.sin(tick * 12.9898) // not random, not periodic in ticks
      const observation = observe(15 * tick, {
        fast: signals(counts.fast, 110 * noise),
        slow: signals(counts.slow, 50 * noise),
      })
      const [step] = story(policySet([policy([fast, slow])]), [observation], state)
      if (step === undefined) throw new Error('no decision')
      state = step.state
      for (const name of ['fast', 'slow'] as const) {
        const target = Number(variantOf(step, name).target)
        if (tick > 20 && target !== counts[name]) changes++
        counts[name] = target
      }
      if (tick > 20) cost += counts.fast * 6.03 + counts.slow * 4
    }
    const [fresh] = story(policySet([policy([fast, slow])]), [
      observe(0, { fast: signals(0, 0), slow: signals(5, 160 * 1.03) }),
    ])
    expect(changes).toBeLessThanOrEqual(2)
    expect(cost / 379).toBeLessThanOrEqual(1.1 * Number(fresh?.decision.costPerHour.plan))
  })

  it('keeps to the step limits', () => {
    const limited = policySet([
      policy([variant('h100')], { behavior: { ...behavior, stepLimits: { up: 2, down: 1 } } }),
    ])
    const steps = story(limited, [
      observe(0, { h100: signals(1, 300) }),
      observe(200, { h100: signals(6, 5) }),
      observe(400, { h100: signals(6, 5) }),
    ])
    expect(variantOf(steps[0], 'h100').target).toBe(3)
    expect(variantOf(steps[2], 'h100').target).toBe(5)
  })

  it('repeats a tick without moving anything', () => {
    const first = story(one, [observe(0, { h100: signals(4, 120) }), observe(15, { h100: signals(4, 20) })])
    const again = story(one, [observe(15, { h100: signals(4, 20) })], first[1]?.state)
    expect(again[0]).toEqual(first[1])
  })
})

describe('zero', () => {
  const optional = variant('h100', { replicas: { min: 0, max: 20 } })

  it('is not reached on the word of the engines alone: without a replica they could report no demand', () => {
    const steps = story(policySet([policy([optional])]), [
      observe(0, { h100: signals(1, 0) }),
      observe(600, { h100: signals(1, 0) }),
    ])
    expect(variantOf(steps[1], 'h100').target).toBe(1)
  })

  it('is reached once a source has said for the time of the policy that nothing arrives', () => {
    const gateway = trafficClass('chat', { demand: { kind: 'query', requestsPerSecond: 'sum(gateway)' } })
    const policies = policySet([policy([optional], { classes: [gateway] })])
    const quiet = { chat: { requestsPerSecond: 0 } }
    const steps = story(policies, [
      ...Array.from({ length: 11 }, (_, minute) => observe(60 * minute, { h100: signals(1, 0) }, quiet)),
      observe(615, { h100: signals(0, 0) }, { chat: { requestsPerSecond: 3 } }),
      observe(630, { h100: signals(0, 0) }, { chat: { requestsPerSecond: missing('backendDown') } }),
    ])
    expect(variantOf(steps[9], 'h100').target).toBe(1)
    expect(variantOf(steps[10], 'h100').target).toBe(0)
    expect(variantOf(steps[11], 'h100').target).toBe(1) // from zero at once
    expect(variantOf(steps[12], 'h100').target).toBe(1) // and the query's failure is no proof of silence
  })
})

describe('several classes, roles and policies', () => {
  it('counts a request once that passes a prefill and a decode engine', () => {
    const pair = policySet([
      policy([
        variant('prefill', { role: 'prefill', transferGroup: 'nixl' }),
        variant('decode', { role: 'decode', transferGroup: 'nixl' }),
      ]),
    ])
    const [step] = story(pair, [observe(0, { prefill: signals(2, 20), decode: signals(2, 20) })])
    expect(step?.decision.policies[0]?.classes[0]?.demand).toBe(20)
  })

  it('subtracts what a queried class sends to shared engines from what the engines see', () => {
    const batch = trafficClass('batch', {
      priority: 10,
      serviceLevel: { kind: 'latencyTolerant', completeWithinSeconds: 3600 },
      demand: { kind: 'query', requestsPerSecond: 'sum(batch)' },
    })
    const policies = policySet([policy([variant('h100')], { classes: [trafficClass('chat'), batch] })])
    const [step] = story(policies, [
      observe(0, { h100: signals(2, 50) }, { batch: { requestsPerSecond: 12 } }),
    ])
    const demand = Object.fromEntries(
      (step?.decision.policies[0]?.classes ?? []).map(({ name, demand: asked }) => [name, asked]),
    )
    expect(demand['chat']).toBe(38)
    // Seen for the first time: at this rate for half of its hour, less what a start and a request take of the rest.
    expect(demand['batch']).toBeGreaterThan(12)
    expect(demand['batch']).toBeLessThan(12 * (1800 / 1500))
  })

  it('works a backlog off by its deadline, faster as the deadline nears', () => {
    const batch = trafficClass('batch', {
      serviceLevel: { kind: 'latencyTolerant', completeWithinSeconds: 3600 },
      demand: { kind: 'query', backlogTokens: 'sum(queue)' },
    })
    const policies = policySet([policy([variant('h100')], { classes: [batch] })])
    // 130 output tokens per request: 1.3 M tokens are 10,000 requests.
    const steps = story(policies, [
      observe(0, { h100: signals(1, 0) }, { batch: { backlogTokens: 0 } }),
      observe(15, { h100: signals(1, 0) }, { batch: { backlogTokens: 1_300_000 } }),
      observe(1815, { h100: signals(1, 0) }, { batch: { backlogTokens: 1_300_000 } }),
    ])
    const rates = steps.map((step) => Number(step.decision.policies[0]?.classes[0]?.demand))
    expect(rates[0]).toBe(0)
    // Due at 3600; a start of 180 s and the last request are to fit in before.
    expect(rates[1]).toBeGreaterThan(10_000 / 3585)
    expect(rates[1]).toBeLessThan(10_000 / 3300)
    expect(rates[2]).toBeGreaterThan(10_000 / 1785)
    expect(rates[2]).toBeLessThan(10_000 / 1500)
  })

  it('never plans more GPUs than a pool has, whoever asks', () => {
    const first = policy([variant('a', { id: 'chat/first/a' })], { id: 'chat/first', name: 'first' })
    const second = policy([variant('b', { id: 'chat/second/b' })], { id: 'chat/second', name: 'second' })
    const observation = {
      ...observe(0, {}),
      variants: { 'chat/first/a': signals(1, 400), 'chat/second/b': signals(1, 400) },
    }
    const [step] = story(policySet([first, second], [{ name: 'h100', gpus: 6 }]), [observation])
    const targets = step?.decision.policies.flatMap((decided) =>
      decided.variants.map(({ target }) => Number(target)),
    )
    expect(targets?.reduce((sum, target) => sum + target, 0)).toBeLessThanOrEqual(6)
    expect(step?.decision.policies.flatMap(({ reasons }) => reasons.map(sentence)).join('; ')).toMatch(
      /pool h100 has no more than/,
    )
  })
})

it('gives the same bytes for the same input', () => {
  const tick = observe(0, { h100: signals(3, 77.7) })
  const [first] = story(one, [tick], emptyState)
  const [second] = story(one, [structuredClone(tick)], structuredClone(emptyState))
  expect(JSON.stringify(first)).toBe(JSON.stringify(second))
  expect(isMissing(variantOf(first, 'h100').target)).toBe(false)
})

describe('GPUs that move from one policy to another', () => {
  it('are asked for by the second only when the first has really let them go', () => {
    const chat = policy([variant('chat', { id: 'chat/first/chat', replicas: { min: 1, max: 8 } })], {
      id: 'chat/first',
      name: 'first',
    })
    const low = policy([variant('low', { id: 'chat/second/low', replicas: { min: 1, max: 8 } })], {
      id: 'chat/second',
      name: 'second',
      classes: [trafficClass('bulk', { id: 'chat/second/bulk', priority: 5 })],
    })
    const observation = (at: number, first: number, second: number) => ({
      ...observe(at, {}),
      variants: { 'chat/first/chat': signals(first, 280), 'chat/second/low': signals(second, 120) },
    })
    const steps = story(policySet([chat, low], [{ name: 'h100', gpus: 8 }]), [
      observation(0, 2, 6),
      observation(200, 2, 6),
      observation(215, 2, 1),
    ])
    for (const step of steps) {
      const sum = Number(variantOf(step, 'chat').target) + Number(variantOf(step, 'low').target)
      expect(sum).toBeLessThanOrEqual(8)
    }
    expect(variantOf(steps[1], 'chat')).toMatchObject({ wanted: 7, target: 2 })
    expect(variantOf(steps[1], 'chat').reasons.map(sentence)).toContain(
      'waits for GPUs of pool h100 to become free before going to 7',
    )
    expect(variantOf(steps[1], 'low').target).toBe(1) // priority 0 is served first
    expect(variantOf(steps[2], 'chat').target).toBe(7)
  })
})
