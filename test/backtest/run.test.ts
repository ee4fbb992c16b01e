// Whole backtests: the production decision over traffic, its repeatability, what it observes, what its limits say.
import { expect, test } from 'vitest'
import { backtest, defaultPlant, type Setup } from '../../src/backtest/backtest.ts'
import { controllers } from '../../src/backtest/controllers.ts'
import { broken, readLimits } from '../../src/backtest/limits.ts'
import { decideController } from '../../src/backtest/ours.ts'
import { scrapeOf } from '../../src/backtest/podScrape.ts'
import { type Result, spendingLayers } from '../../src/backtest/result.ts'
import { SignalWindow } from '../../src/backtest/signalWindow.ts'
import type { TargetLayers } from '../../src/backtest/targetLayers.ts'
import { syntheticSource } from '../../src/backtest/traffic/synthetic.ts'
import type { Traffic } from '../../src/backtest/traffic/traffic.ts'
import { defaultObserveOptions, lookBackOf, queryPlan } from '../../src/core/observe/queries.ts'
import type { PolicySet } from '../../src/core/policy.ts'
import { isMissing, type Reading } from '../../src/core/reading.ts'
import { createTools } from '../../src/core/tools.ts'
import { Scraper } from '../../src/demo/scraper.ts'
import { renewalArrivals } from '../../src/simulation/arrivals.ts'
import { Fleet } from '../../src/simulation/fleet.ts'
import { lognormalLengths } from '../../src/simulation/lengths.ts'
import { observeStore } from '../../src/simulation/seriesObserver.ts'
import { SeriesStore } from '../../src/simulation/seriesStore.ts'
import { loadEngines } from '../../src/solvers/engines.ts'
import { oneVariant, siteFor } from './sites.ts'

const engines = await loadEngines()

function wave(untilSeconds: number, rate = 24): Traffic {
  const source = syntheticSource({
    ...{
      kind: 'diurnal',
      rate,
      swing: 0.6,
      periodSeconds: untilSeconds,
      peak: 0,
      count: 0,
      untilSeconds,
    },
    ...{ promptTokens: 1150, outputTokens: 210, cv: 1.1 },
  })
  return { untilSeconds, sources: [{ classIndex: 0, scale: 1, shiftSeconds: 0, source }] }
}

function ran(
  overrides: Partial<Omit<Setup, 'controllerOf'>> & { readonly controller?: string } = {},
): Result {
  const { controller = 'mixscaler', ...rest } = overrides
  const tools = createTools(engines)
  const setup: Omit<Setup, 'controllerOf'> = {
    policies: oneVariant(),
    traffic: wave(1800),
    tools,
    plant: defaultPlant,
    ...{ fidelity: 'request', seed: 1, tickSeconds: 15, stepSeconds: 5 },
    ...{ warmupSeconds: 300, startupSigma: 0.1, modelError: 0 },
    ...rest,
  }
  const { traffic, seed, tickSeconds } = setup
  const make = controllers[controller]
  if (make === undefined) throw new Error(`no controller ${controller}`)
  const going = backtest({
    ...setup,
    controllerOf: (site) => make({ site, tools, tickSeconds, traffic, seed }),
  })
  for (;;) {
    const next = going.next()
    if (next.done === true) return next.value
  }
}

const [request, fluid] = (['request', 'fluid'] as const).map((fidelity) => ran({ fidelity })) as [
  Result,
  Result,
]

test('our own decision follows a wave: within its SLO, for less than the fleet that its peak needs', () => {
  const [own, fixed] = ['mixscaler', 'static'].map((controller) =>
    ran({ controller, fidelity: 'fluid', traffic: wave(10_800, 80) }),
  ) as [Result, Result]
  expect(own.classes[0]?.attainment?.all).toBeGreaterThan(0.98)
  expect(fixed.classes[0]?.attainment?.all).toBeGreaterThan(0.98)
  expect(own.dollarsPerHour).toBeLessThan(0.9 * fixed.dollarsPerHour)
  expect([fixed.events.scaleUps, fixed.events.scaleDowns]).toEqual([0, 0])
  expect(own.events.scaleUps).toBeGreaterThan(0)
  const { ready = [] } = own.minutes.variants['demo/chat/h100'] ?? {}
  expect(Math.max(...ready)).toBeGreaterThan(2 * Math.min(...ready))
})

test('the fluid plant comes within 5 % of the request-level one in attainment and in cost', () => {
  const attained = (result: Result) => result.classes[0]?.attainment?.all ?? Number.NaN
  for (const seed of [1, 2, 3]) {
    const [played, flowing] = (['request', 'fluid'] as const).map((fidelity) => ran({ fidelity, seed })) as [
      Result,
      Result,
    ]
    expect(Math.abs(attained(flowing) / attained(played) - 1)).toBeLessThan(0.05)
    expect(Math.abs(flowing.dollarsPerHour / played.dollarsPerHour - 1)).toBeLessThan(0.05)
  }
})

test('equal seeds give equal bytes, other seeds others', () => {
  expect(JSON.stringify(ran())).toBe(JSON.stringify(request))
  expect(JSON.stringify(ran({ seed: 2 }))).not.toBe(
    JSON.stringify({ ...request, settings: { ...request.settings, seed: 2 } }),
  )
})

test('series have an entry for every minute, and the scores are those of the series', () => {
  for (const result of [request, fluid]) {
    const { dollarsPerHour, classes, variants } = result.minutes
    expect(dollarsPerHour).toHaveLength(30)
    for (const columns of [...Object.values(classes), ...Object.values(variants)])
      for (const column of Object.values(columns)) expect(column).toHaveLength(30)
    const mean = dollarsPerHour.slice(5).reduce((sum, each) => sum + each, 0) / 25
    expect(mean / result.dollarsPerHour).toBeCloseTo(1, 4)
    const { demand = [], attainment = [] } = classes['demo/chat/chat'] ?? {}
    const arrived = demand.slice(5).reduce((sum, rate) => sum + 60 * rate, 0)
    expect(arrived / (result.classes[0]?.requests ?? 0)).toBeCloseTo(1, 4)
    const good = demand.slice(5).reduce((sum, rate, i) => sum + 60 * rate * (attainment[5 + i] ?? 0), 0)
    expect(good / arrived).toBeCloseTo(result.classes[0]?.attainment?.all ?? 0, 4)
  }
})

test('where the money went adds up to what was paid, in both plants; other rules have no such split', () => {
  for (const { spending, dollarsPerHour, minutes } of [request, fluid]) {
    const { perHour, attributedShare } = spending ?? { perHour: {}, attributedShare: 0 }
    expect(Object.keys(perHour)).toEqual([...spendingLayers])
    const sum = Object.values(perHour).reduce((total, each) => total + each, 0)
    expect(Math.abs(sum / dollarsPerHour - 1)).toBeLessThan(1e-9)
    expect(attributedShare).toBe(1)
    // Asked for are the targets, a poll later; paid is what came of them.
    const { target = [] } = minutes.variants['demo/chat/h100'] ?? {}
    const asked = target.slice(5).reduce((total, each) => total + (each * 3.6) / 25, 0)
    expect(Math.abs((spending?.perHour.actuation ?? 0) - (dollarsPerHour - asked))).toBeLessThan(
      0.05 * dollarsPerHour,
    )
  }
  for (const controller of ['static', 'keda-waiting'])
    expect(ran({ controller, fidelity: 'fluid' })).not.toHaveProperty('spending')
})

test('layers of a run are the means of its decisions’, what dead band and hold band cost among them', () => {
  const traffic = wave(3600, 160)
  const banded = withBands(0.1, 0.05)
  const told: Reading<TargetLayers>[] = []
  const going = backtest({
    ...{ policies: banded, traffic, tools: createTools(engines), plant: defaultPlant },
    ...{ fidelity: 'fluid', seed: 1, tickSeconds: 60, stepSeconds: 5 },
    ...{ warmupSeconds: 600, startupSigma: 0.1, modelError: 0 },
    controllerOf: (site) => {
      const controller = decideController(site, createTools(engines), 60)
      return {
        ...controller,
        step: (observation) => {
          const answer = controller.step(observation)
          const layers = answer.layers?.()
          if (layers !== undefined) told.push(layers)
          return answer
        },
      }
    },
  })
  let next = going.next()
  while (next.done !== true) next = going.next()
  const { spending } = next.value
  const scored = told.slice(9, 59).flatMap((layers) => (isMissing(layers) ? [] : [layers]))
  expect(scored).toHaveLength(50)
  const mean = (of: (layers: TargetLayers) => number): number =>
    scored.reduce((sum, layers) => sum + of(layers) / scored.length, 0)
  expect(spending?.perHour.deadBand).toBeCloseTo(
    mean(({ deadBand }) => deadBand),
    4,
  )
  expect(spending?.perHour.demand).toBeCloseTo(
    mean(({ demand }) => demand),
    3,
  )
  expect(spending?.perHour.deadBand).toBeGreaterThan(0)
  const free = ran({ policies: withBands(0, 0), fidelity: 'fluid', traffic, tickSeconds: 60 })
  expect(free.spending?.perHour.deadBand).toBe(0)
})

/** Of the one variant, with so wide a dead band and hold band. */
function withBands(hpaTolerance: number, holdBand: number): PolicySet {
  const { policies, ...rest } = oneVariant()
  return {
    ...rest,
    policies: policies.map((policy) => ({
      ...policy,
      behavior: { ...policy.behavior, hpaTolerance, holdBand },
    })),
  }
}

test('engines slower than their profiles serve worse, and replicas that start slowly cost attainment or money', () => {
  const off = ran({ modelError: 0.6 })
  expect(off.classes[0]?.attainment?.all).toBeLessThan(request.classes[0]?.attainment?.all ?? 0)
  const slow = ran({ startupSeconds: 300 })
  const waste = (result: Result) => result.variants[0]?.startingReplicaMinutes ?? 0
  expect(waste(slow)).toBeGreaterThan(2 * waste(request))
})

test('signals are those that text, scrape and query give', () => {
  const site = siteFor(oneVariant())
  const [variant] = site.variants
  if (variant === undefined) throw new Error('the site has a variant')
  const lengths = lognormalLengths(1150, 210, 0.8)
  const arrivals = renewalArrivals({
    rate: (at) => 20 + at / 30,
    lengths,
    seed: 4,
    cv: 1,
    classIndex: 0,
    fromSeconds: 0,
    untilSeconds: 600,
  })
  const fleet = new Fleet(
    {
      namespace: 'demo',
      model: 'llama',
      variants: [
        {
          ...variant,
          name: variant.scaleTarget,
          routingWeight: 1,
          initialReplicas: 3,
          role: 'unified',
          classes: [0],
          transferGroup: 'none',
        },
      ],
      classes: [{ name: 'chat', ttftSeconds: 1, itlSeconds: 0.05 }],
      routing: 'joinShortestQueue',
      seed: 1,
    },
    { gap: () => undefined, completed: () => undefined },
  )
  const store = new SeriesStore(lookBackOf(defaultObserveOptions))
  const scraper = new Scraper(fleet, store, 0)
  const window = new SignalWindow()
  let next = arrivals.next()
  for (let at = 15; at <= 600; at += 15) {
    while (next.done !== true && next.value.arrivedAtSeconds <= at) {
      fleet.submit(next.value)
      next = arrivals.next()
    }
    fleet.advance(at)
    if (at === 300) fleet.scale(variant.scaleTarget, 5)
    if (at === 450) fleet.scale(variant.scaleTarget, 2)
    scraper.scrape()
    const up = fleet.pods().filter(({ engine }) => engine !== undefined)
    for (const pod of up) window.scraped(pod.name, scrapeOf(pod, at))
    window.only(new Set(up.map(({ name }) => name)), at)
    if (at < 60) continue
    const plan = queryPlan(site.policies, defaultObserveOptions)
    const observed = observeStore(store, site.policies, plan, at + 7, {
      replicas: scraper.replicas(site.policies),
      pools: {},
    })
    const theirs = observed.variants[variant.id]
    const ours = window.signals(at + 7, fleet.counts(variant.scaleTarget), variant.kvTokens)
    for (const name of [
      'running',
      'waiting',
      'reporting',
      'inSystemGrowthPerSecond',
      'completionsPerSecond',
      'generationTokensPerSecond',
      'preemptionsPerSecond',
      'kvUsage',
      'kvTokensPerReplica',
    ] as const) {
      const [mine, other] = [ours[name], theirs?.[name]]
      if (typeof mine !== 'number' || typeof other !== 'number')
        throw new Error(`${name} at ${at}: ${JSON.stringify([mine, other])}`)
      expect(mine, `${name} at ${at}`).toBeCloseTo(other, 6)
    }
    for (const name of [
      'gapsPerSecond',
      'gapSecondsPerSecond',
      'firstTokensPerSecond',
      'ttftSecondsPerSecond',
    ] as const) {
      const [mine, other] = [ours.typicalEngine, theirs?.typicalEngine]
      if (mine === undefined || other === undefined || isMissing(mine) || isMissing(other))
        throw new Error(`a typical engine at ${at}`)
      expect(mine[name], `${name} at ${at}`).toBeCloseTo(other[name], 6)
    }
    expect(JSON.stringify(ours.arrivingNow), `arriving now at ${at}`).toBe(
      JSON.stringify(theirs?.arrivingNow),
    )
    for (const name of ['promptTokens', 'outputTokens', 'ttft', 'itl'] as const) {
      const [mine, other] = [ours[name], theirs?.[name]]
      if (mine === undefined || other === undefined || isMissing(mine) || isMissing(other))
        throw new Error(`${name} at ${at}`)
      expect(mine.upperBounds, name).toEqual(other.upperBounds)
      expect(mine.sumPerSecond, name).toBeCloseTo(other.sumPerSecond, 4)
      for (const [bucket, rate] of mine.perSecond.entries())
        expect(rate, `${name} ${bucket} at ${at}`).toBeCloseTo(other.perSecond[bucket] ?? Number.NaN, 6)
    }
  }
})

test('limits hold or break by their figure, for all classes or the one that is named', () => {
  const limits = readLimits('attainment<=100%, cost>1/h, ttft.p95[chat]>=1ms, itl.p99>10s, events>9999', [
    'chat',
  ])
  if (typeof limits === 'string') throw new Error(limits)
  expect(broken(limits, request).map(({ limit, className }) => [limit.figure, className])).toEqual([
    ['attainment', 'chat'],
    ['cost', undefined],
    ['ttft.p95', 'chat'],
  ])
})

test.each([
  ['attainment', 'must be conditions such as attainment<99%,cost>120/h: got "attainment"'],
  ['atainment<99%', /^knows no "atainment": it is one of .*\. Did you mean attainment\?$/],
  ['attainment<99', 'must compare attainment with a value such as 99%: got "99"'],
  ['attainment[chta]<99%', 'knows no class "chta": it is one of chat'],
  ['cost[chat]>3', '"cost" is of the whole fleet, not of a class'],
  ['ttft.p95>1', 'must compare ttft.p95 with a value such as 800ms: got "1"'],
])('a limit that cannot be read says what is allowed: %s', (text, message) => {
  const answer = readLimits(text, ['chat'])
  if (typeof message === 'string') expect(answer).toBe(message)
  else expect(answer).toMatch(message)
})
