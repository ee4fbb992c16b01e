// To zero and back as stories: on a simulated fleet behind its gateway, scraped and decided for as live, and by hand for
// what the simulated fleet cannot do.
import { describe, expect, it } from 'vitest'
import { decide } from '../../src/core/decide.ts'
import type { GatewaySignals } from '../../src/core/observation.ts'
import { defaultObserveOptions, queryPlan } from '../../src/core/observe/queries.ts'
import type { GatewayKind, ZeroRule } from '../../src/core/policy.ts'
import { type Missing, missing } from '../../src/core/reading.ts'
import { sentence } from '../../src/core/sentence.ts'
import { emptyState } from '../../src/core/state.ts'
import { Scraper } from '../../src/demo/scraper.ts'
import { publishedDecision } from '../../src/loop/publication.ts'
import { constantRate, renewalArrivals } from '../../src/simulation/arrivals.ts'
import { Fleet } from '../../src/simulation/fleet.ts'
import { fixedLengths } from '../../src/simulation/lengths.ts'
import type { Completion, Request } from '../../src/simulation/request.ts'
import { observeStore } from '../../src/simulation/seriesObserver.ts'
import { SeriesStore } from '../../src/simulation/seriesStore.ts'
import { World } from '../../src/simulation/world.ts'
import { behavior } from '../behavior.ts'
import {
  h100,
  observe,
  policy,
  policySet,
  signals,
  story,
  tools,
  trafficClass,
  variant,
  variantOf,
} from './world.ts'

const epoch = 1_800_000_000
const tickSeconds = 15
const busySeconds = 300
const wakeSecond = 1502
const zero: ZeroRule = { afterSeconds: 300 }

function gatewayClass(gateway: GatewayKind) {
  return trafficClass('chat', { demand: { kind: 'gateway', gateway, namespace: 'chat', match: {} } })
}

/** Busy for five minutes, silent for twenty, then one request. */
function* traffic(): Generator<Request> {
  const lengths = fixedLengths(500, 130)
  const process = { rate: constantRate(5), lengths, seed: 1, cv: 1, classIndex: 0 }
  yield* renewalArrivals({ ...process, fromSeconds: 0, untilSeconds: busySeconds })
  yield {
    arrivedAtSeconds: wakeSecond,
    promptTokens: 500,
    cachedTokens: 0,
    outputTokens: 130,
    classIndex: 0,
  }
}

interface Tick {
  readonly second: number
  readonly target: unknown
  readonly active: boolean
  readonly reasons: readonly string[]
}

function played(gateway: GatewayKind, noneReady: 'queue' | 'turnAway') {
  const set = policySet([
    policy([variant('h100', { replicas: { min: 0, max: 4 }, startupSeconds: 60 })], {
      classes: [gatewayClass(gateway)],
      behavior: { ...behavior, zero },
    }),
  ])
  const completions: Completion[] = []
  const observer = { gap: () => undefined, completed: (one: Completion) => void completions.push(one) }
  const deployment = {
    name: 'h100',
    role: 'unified' as const,
    profile: h100,
    maxNumSeqs: 256,
    maxNumBatchedTokens: 8192,
    kvTokens: 400_000,
    costPerHour: 4,
    startup: { medianSeconds: 60, sigma: 0 },
    routingWeight: 1,
    initialReplicas: 1,
  }
  const fleet = new Fleet(
    {
      namespace: 'chat',
      model: 'llama',
      variants: [deployment],
      classes: [{ name: 'chat', ttftSeconds: 1, itlSeconds: 0.05 }],
      routing: 'joinShortestQueue',
      noneReady,
      seed: 1,
    },
    observer,
  )
  const world = new World(fleet, traffic())
  const store = new SeriesStore(600)
  const scraper = new Scraper(fleet, store, epoch, gateway)
  const plan = queryPlan(set, defaultObserveOptions)
  let now = epoch
  const publication = publishedDecision(() => now, 'target')
  publication.setPolicies(set)
  const ticks: Tick[] = []
  let state = emptyState
  for (let second = 0; second <= 1650; second += 5) {
    world.advance(second)
    scraper.scrape()
    if (second % tickSeconds !== 0) continue
    now = epoch + second
    const observation = observeStore(store, set, plan, now, { replicas: scraper.replicas(set) })
    const decided = decide(set, state, observation, tools)
    state = decided.state
    publication.publish(decided.decision)
    const { target } = variantOf(decided, 'h100')
    const answer = publication.target({ namespace: 'chat', policy: 'llama', variant: 'h100' })
    const active = answer.kind === 'target' && answer.replicas >= 1
    const reasons = (decided.decision.policies[0]?.reasons ?? []).map(sentence)
    ticks.push({ second, target, active, reasons })
    if (typeof target === 'number') fleet.scale('h100', target)
  }
  return { ticks, fleet, completions }
}

function at(ticks: readonly Tick[], second: number): Tick {
  const tick = ticks.findLast((one) => one.second <= second)
  if (tick === undefined) throw new Error(`no tick at ${second}`)
  return tick
}

describe('a fleet behind a gateway', () => {
  it('goes to zero when silence is proven, and the request that waits at the gateway wakes it and is served', () => {
    const { ticks, fleet, completions } = played('inferenceGateway', 'queue')
    expect(at(ticks, 200).target).toBeGreaterThanOrEqual(1)
    // The last rates have gone to 0 a minute after the traffic; from then on the policy's five minutes count.
    const firstZero = ticks.find(({ second, target }) => second > 60 && target === 0)?.second
    expect(firstZero).toBeGreaterThanOrEqual(busySeconds + zero.afterSeconds)
    expect(firstZero).toBeLessThanOrEqual(busySeconds + 60 + zero.afterSeconds + 2 * tickSeconds)
    expect(at(ticks, 500).reasons).toContain(
      'one replica stays for chat until 5 min without demand are proven',
    )
    // Once there, it stays there.
    for (const tick of ticks.filter(({ second }) => second >= Number(firstZero) && second < wakeSecond))
      expect(tick).toMatchObject({ target: 0, active: false })
    // One tick after the scrape that saw the queue, and the activity flips with the same decision.
    const woken = ticks.find(({ second }) => second >= wakeSecond)
    expect(woken).toMatchObject({ target: 1, active: true })
    expect(woken?.reasons).toContain('chat has demand and nothing is ready: it is started from zero')
    expect(fleet.gatewayQueued).toBe(0)
    const last = completions.at(-1)
    expect(last?.request.arrivedAtSeconds).toBe(wakeSecond)
    expect(last?.firstTokenAtSeconds).toBeLessThan(wakeSecond + 2 * tickSeconds + 60 + 1)
    // Nothing takes the replica away again while it has just begun.
    expect(ticks.at(-1)?.target).toBe(1)
  })

  it.each([
    'productionStack',
    'kserve',
    'dynamo',
  ] as const)('of %s is woken by a request that it turned away', (gateway) => {
    const { ticks, fleet } = played(gateway, 'turnAway')
    expect(at(ticks, wakeSecond - 1).target).toBe(0)
    expect(ticks.find(({ second }) => second >= wakeSecond)).toMatchObject({ target: 1, active: true })
    expect(fleet.gatewayRejected).toBe(1)
  })
})

const silent: GatewaySignals = {
  passedPerSecond: 0,
  rejectedPerSecond: 0,
  queued: 0,
  queueGrowthPerSecond: 0,
  counted: 'some',
  arrivingNow: missing('noSeries'),
  promptTokens: missing('idle'),
  outputTokens: missing('idle'),
}
const waiting: GatewaySignals = { ...silent, queued: 1, queueGrowthPerSecond: 0.02 }
const optional = { replicas: { min: 0, max: 4 } }

function quietTicks(
  count: number,
  gateway: (tick: number) => GatewaySignals | Missing,
  names: readonly string[],
  change: (tick: number) => Parameters<typeof signals>[2] = () => ({}),
) {
  return Array.from({ length: count }, (_, tick) =>
    observe(
      tick * tickSeconds,
      Object.fromEntries(names.map((name) => [name, signals(1, 0, change(tick))])),
      { chat: { gateway: gateway(tick) } },
    ),
  )
}

function behind(variants: Parameters<typeof policy>[0], rule: ZeroRule = zero) {
  return policySet([
    policy(variants, { classes: [gatewayClass('inferenceGateway')], behavior: { ...behavior, zero: rule } }),
  ])
}

describe('the proof that nothing is asked for', () => {
  const one = behind([variant('h100', optional)])
  const enough = zero.afterSeconds / tickSeconds + 1

  it('takes the time of the policy', () => {
    const steps = story(
      one,
      quietTicks(enough, () => silent, ['h100']),
    )
    expect(variantOf(steps.at(-2), 'h100').target).toBe(1)
    expect(variantOf(steps.at(-1), 'h100').target).toBe(0)
  })

  it.each([
    [
      'a gateway that cannot be read for a moment',
      (t: number) => (t === 10 ? missing('stale') : silent),
      () => ({}),
    ],
    ['a request that waits', (t: number) => (t === 10 ? waiting : silent), () => ({})],
    ['an engine that still works on one', () => silent, (t: number) => (t === 10 ? { running: 1 } : {})],
    [
      'an engine whose counters cannot be read',
      () => silent,
      (t: number) => (t === 10 ? { running: missing('stale') } : {}),
    ],
  ])('begins anew after %s', (_, gateway, change) => {
    const steps = story(one, quietTicks(enough, gateway, ['h100'], change))
    expect(variantOf(steps.at(-1), 'h100').target).toBe(1)
    const longer = story(one, quietTicks(enough + 12, gateway, ['h100'], change))
    expect(variantOf(longer.at(-1), 'h100').target).toBe(0)
  })

  it('begins anew after a gap that no rate looks back over', () => {
    const ticks = quietTicks(enough, () => silent, ['h100'])
    const gap = ticks.filter((_, index) => index < 8 || index > 12)
    expect(variantOf(story(one, gap).at(-1), 'h100').target).toBe(1)
  })

  it('is not given by engines, and the policy says why one replica stays', () => {
    const engines = policySet([policy([variant('h100', optional)], { behavior: { ...behavior, zero } })])
    const [step] = story(engines, [observe(0, { h100: signals(1, 0) })])
    expect(variantOf(step, 'h100').target).toBe(1)
    expect(step?.decision.policies[0]?.reasons.map(sentence)).toContain(
      'one replica stays for chat: engines cannot report requests that no replica receives',
    )
  })

  it('is not asked of a fleet that is at zero already: a restart of the scaler starts nothing', () => {
    const [step] = story(one, [observe(0, { h100: signals(0, 0) }, { chat: { gateway: silent } })])
    expect(variantOf(step, 'h100').target).toBe(0)
  })
})

describe('from zero', () => {
  const cheap = variant('cheap', { ...optional, costPerHour: 1, startupSeconds: 900 })
  const fast = variant('fast', { ...optional, costPerHour: 4, startupSeconds: 60 })
  const first = (ready: Readonly<Record<string, number>>, starting: Readonly<Record<string, number>> = {}) =>
    observe(
      0,
      Object.fromEntries(
        Object.keys(ready).map((name) => {
          const up = ready[name] ?? 0
          const coming = starting[name] ?? 0
          const replicas = { desired: up + coming, ready: up, starting: coming, terminating: 0 }
          return [name, signals(up, 0, { replicas })]
        }),
      ),
      { chat: { gateway: waiting } },
    )

  it('the cheapest variant is started', () => {
    const [step] = story(behind([cheap, fast]), [first({ cheap: 0, fast: 0 })])
    expect([variantOf(step, 'cheap').target, variantOf(step, 'fast').target]).toEqual([1, 0])
  })

  it('the cheapest that can start in time is, where the policy sets a time', () => {
    const rule = { ...zero, startWithinSeconds: 120 }
    const [step] = story(behind([cheap, fast], rule), [first({ cheap: 0, fast: 0 })])
    expect([variantOf(step, 'cheap').target, variantOf(step, 'fast').target]).toEqual([0, 1])
    // Where none can, the cheapest comes late rather than never.
    const [late] = story(behind([cheap], rule), [first({ cheap: 0 })])
    expect(variantOf(late, 'cheap').target).toBe(1)
  })

  it('one that is starting already is enough', () => {
    const rule = { ...zero, startWithinSeconds: 120 }
    const [step] = story(behind([cheap, fast], rule), [first({ cheap: 0, fast: 0 }, { fast: 1 })])
    expect([variantOf(step, 'cheap').target, variantOf(step, 'fast').target]).toEqual([0, 1])
  })
})

describe('prefill and decode', () => {
  const pair = [
    variant('prefill', { ...optional, role: 'prefill', transferGroup: 'nixl' }),
    variant('decode', { ...optional, role: 'decode', transferGroup: 'nixl', startupSeconds: 240 }),
  ]
  const names = ['prefill', 'decode']

  it('go to zero together, and come from zero together', () => {
    const quiet = quietTicks(25, () => silent, names)
    const atZero = observe(
      25 * tickSeconds,
      { prefill: signals(0, 0), decode: signals(0, 0) },
      { chat: { gateway: waiting } },
    )
    const steps = story(behind(pair), [...quiet, atZero])
    const both = steps.map((step) => names.map((name) => variantOf(step, name).target))
    expect(both.at(-3)).toEqual([0, 0])
    expect(both.at(-1)).toEqual([1, 1])
    for (const [prefill, decode] of both) expect(prefill === 0).toBe(decode === 0)
  })

  it('wait for each other where steps are limited', () => {
    const set = policySet([
      policy(pair, {
        classes: [gatewayClass('inferenceGateway')],
        behavior: { ...behavior, zero, stepLimits: { down: 1 } },
      }),
    ])
    const quiet = Array.from({ length: 30 }, (_, tick) =>
      observe(
        tick * tickSeconds,
        { prefill: signals(3, 0), decode: signals(1, 0) },
        { chat: { gateway: silent } },
      ),
    )
    const last = story(set, quiet).at(-1)
    expect(variantOf(last, 'prefill').target).toBe(2)
    expect(variantOf(last, 'decode').target).toBe(1)
    expect(variantOf(last, 'decode').reasons.map(sentence)).toContain(
      'goes to 0 only together with its prefill side',
    )
  })
})

describe('a gateway that cannot be read', () => {
  const one = behind([variant('h100', optional)])

  it('is replaced by the engines, visibly, where one of them is ready', () => {
    const [step] = story(one, [
      observe(0, { h100: signals(2, 40) }, { chat: { gateway: missing('stale', 'the gateway') } }),
    ])
    expect(step?.decision.policies[0]?.classes[0]?.demand).toBe(40)
    expect(step?.decision.warnings).toEqual([
      'policy chat/llama: the demand of chat is read from its engines: its gateway cannot be read (the newest sample is too old)',
    ])
  })

  it('is no proof of anything at zero: there the target holds', () => {
    const steps = story(one, [
      observe(0, { h100: signals(0, 0) }, { chat: { gateway: waiting } }),
      observe(15, { h100: signals(0, 0) }, { chat: { gateway: missing('noSeries') } }),
      observe(300, { h100: signals(0, 0) }, { chat: { gateway: missing('noSeries') } }),
    ])
    expect(variantOf(steps[1], 'h100').target).toBe(1)
    expect(variantOf(steps[2], 'h100').target).toMatchObject({ missing: 'noSeries' })
  })

  it('counts as unread where it knows nothing of a class whose engines are busy: a name does not match', () => {
    const [step] = story(one, [
      observe(0, { h100: signals(2, 40) }, { chat: { gateway: { ...silent, counted: 'none' } } }),
    ])
    expect(step?.decision.policies[0]?.classes[0]?.demand).toBe(40)
    expect(step?.decision.warnings).toHaveLength(1)
  })

  it('is missing where two classes of it share engines: those cannot tell them apart', () => {
    const classes = ['chat', 'api'].map((name) =>
      trafficClass(name, {
        demand: { kind: 'gateway', gateway: 'kserve', namespace: 'chat', match: { priority: name } },
      }),
    )
    const set = policySet([policy([variant('h100', optional)], { classes })])
    const lost = { gateway: missing('stale') }
    const [step] = story(set, [observe(0, { h100: signals(2, 40) }, { chat: lost, api: lost })])
    expect(variantOf(step, 'h100').target).toMatchObject({ missing: 'stale' })
  })
})

describe('demand at a gateway', () => {
  it('counts what passes, what is turned away and what waits, and a request of a pair once', () => {
    const set = behind([
      variant('prefill', { role: 'prefill', transferGroup: 'nixl' }),
      variant('decode', { role: 'decode', transferGroup: 'nixl' }),
    ])
    const gateway = {
      ...silent,
      passedPerSecond: 20,
      rejectedPerSecond: 4,
      queued: 120,
      queueGrowthPerSecond: 1,
    }
    const [step] = story(set, [
      observe(0, { prefill: signals(2, 20), decode: signals(2, 20) }, { chat: { gateway } }),
    ])
    // 20 + 4 + 1 arrive; 120 waiting are worked off in a minute.
    expect(step?.decision.policies[0]?.classes[0]?.demand).toBe(27)
  })

  it('is taken off what the engines receive for the class that is read at them', () => {
    const api = trafficClass('api', {
      demand: { kind: 'gateway', gateway: 'kserve', namespace: 'chat', match: {} },
    })
    const set = policySet([policy([variant('h100')], { classes: [trafficClass('chat'), api] })])
    const gateway = { ...silent, passedPerSecond: 15, rejectedPerSecond: 5 }
    const [step] = story(set, [observe(0, { h100: signals(2, 40) }, { api: { gateway } })])
    expect(step?.decision.policies[0]?.classes.map(({ demand }) => demand)).toEqual([25, 20])
  })

  it('adds what waits inside engines, divided among the classes that share them', () => {
    const classes = ['chat', 'api'].map((name) =>
      trafficClass(name, {
        demand: { kind: 'gateway', gateway: 'kserve', namespace: 'chat', match: { priority: name } },
      }),
    )
    const set = policySet([policy([variant('h100')], { classes })])
    const [step] = story(set, [
      observe(
        0,
        { h100: signals(2, 40, { waiting: 240 }) },
        {
          chat: { gateway: { ...silent, passedPerSecond: 30 } },
          api: { gateway: { ...silent, passedPerSecond: 10 } },
        },
      ),
    ])
    // 240 waiting over 60 s are 4 requests/s: 3 of chat, 1 of api.
    expect(step?.decision.policies[0]?.classes.map(({ demand }) => demand)).toEqual([33, 11])
  })
})
