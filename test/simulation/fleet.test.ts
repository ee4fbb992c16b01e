import { describe, expect, test } from 'vitest'
import { constantRate, renewalArrivals } from '../../src/simulation/arrivals.ts'
import { Fleet, type FleetSettings } from '../../src/simulation/fleet.ts'
import { lognormalLengths } from '../../src/simulation/lengths.ts'
import type { FleetVariant } from '../../src/simulation/pod.ts'
import { Score } from '../../src/simulation/score.ts'
import { llama8b, profileOf, requestAt } from './runReplica.ts'

const h100: FleetVariant = {
  name: 'chat-h100',
  role: 'unified',
  profile: llama8b,
  maxNumSeqs: 256,
  maxNumBatchedTokens: 8192,
  kvTokens: 400_000,
  costPerHour: 3.6,
  startup: { medianSeconds: 60, sigma: 0 },
  routingWeight: 1,
  initialReplicas: 1,
}
const classes = [{ name: 'chat', ttftSeconds: 1, itlSeconds: 0.05 }]

function fleetOf(overrides: Partial<FleetSettings> = {}): { fleet: Fleet; score: Score } {
  const score = new Score(overrides.classes ?? classes)
  const settings: FleetSettings = {
    namespace: 'chat',
    model: 'llama-8b',
    variants: [h100],
    classes,
    routing: 'joinShortestQueue',
    seed: 1,
    ...overrides,
  }
  return { fleet: new Fleet(settings, score), score }
}

function* traffic(requestsPerSecond: number, untilSeconds: number) {
  const lengths = lognormalLengths(1150, 210, 0.9)
  yield* renewalArrivals({
    rate: constantRate(requestsPerSecond),
    lengths,
    seed: 3,
    cv: 1,
    classIndex: 0,
    fromSeconds: 0,
    untilSeconds,
  })
}

function runningByPod(fleet: Fleet): number[] {
  return fleet.pods().map((pod) => pod.inSystem)
}

describe('the life of a replica', () => {
  test('asked for, it starts, is ready after its start-up time, and is paid for from the first second', () => {
    const { fleet } = fleetOf()
    fleet.advance(100)
    fleet.scale('chat-h100', 3)
    expect(fleet.counts('chat-h100')).toEqual({ desired: 3, ready: 1, starting: 2, terminating: 0 })
    fleet.advance(159.9)
    expect(fleet.counts('chat-h100').ready).toBe(1)
    fleet.advance(160)
    expect(fleet.counts('chat-h100')).toEqual({ desired: 3, ready: 3, starting: 0, terminating: 0 })
    // One for 160 s and two for 60 s at $3.60/h.
    expect(fleet.cost()['chat-h100']).toBeCloseTo(0.28, 12)
  })

  test('told to go, it takes nothing new, finishes what it runs, and is then neither there nor paid for', () => {
    const { fleet, score } = fleetOf({ variants: [{ ...h100, initialReplicas: 2 }] })
    for (let i = 0; i < 4; i++) fleet.submit(requestAt(0, 100, 200))
    fleet.scale('chat-h100', 1)
    expect(fleet.counts('chat-h100')).toEqual({ desired: 1, ready: 1, starting: 0, terminating: 1 })
    fleet.submit(requestAt(0.1, 100, 10))
    expect(runningByPod(fleet).toSorted()).toEqual([2, 3])
    for (let second = 1; second <= 3600; second++) fleet.advance(second)
    expect(fleet.counts('chat-h100')).toEqual({ desired: 1, ready: 1, starting: 0, terminating: 0 })
    expect(score.classes[0]?.finished).toBe(5)
    // The drain of 200 tokens took some 1.4 s; seen at the next whole second.
    expect(fleet.cost()['chat-h100']).toBeCloseTo(3.6 + 2 / 1000, 12)
  })

  test('what has not started yet goes first, then the youngest', () => {
    const { fleet } = fleetOf()
    const [oldest] = fleet.pods()
    fleet.scale('chat-h100', 2)
    fleet.advance(70)
    fleet.scale('chat-h100', 3)
    fleet.scale('chat-h100', 2)
    expect(fleet.counts('chat-h100')).toEqual({ desired: 2, ready: 2, starting: 0, terminating: 0 })
    fleet.scale('chat-h100', 1)
    expect(fleet.pods().map((pod) => pod.name)).toEqual([oldest?.name])
  })

  test('start-up times are drawn around their median', () => {
    const { fleet } = fleetOf({ variants: [{ ...h100, startup: { medianSeconds: 100, sigma: 0.3 } }] })
    fleet.scale('chat-h100', 201)
    const times = fleet
      .pods()
      .map((pod) => pod.readyAtSeconds)
      .filter((seconds) => seconds > 0)
      .toSorted((a, b) => a - b)
    expect(times[100]).toBeGreaterThan(90)
    expect(times[100]).toBeLessThan(110)
    expect(times[20]).toBeLessThan(75)
    expect(times[180]).toBeGreaterThan(130)
  })

  test('a crash restarts the container under its name, with counters at 0, and its requests go elsewhere', () => {
    const { fleet, score } = fleetOf({ variants: [{ ...h100, initialReplicas: 2 }] })
    for (let i = 0; i < 10; i++) fleet.submit(requestAt(0, 500, 100))
    fleet.advance(0.5)
    const victim = fleet.pods()[0]
    expect(victim?.engine?.metrics.promptTokens).toBe(2500)
    fleet.crash(victim?.name ?? '')
    expect(runningByPod(fleet)).toEqual([0, 10])
    expect(fleet.counts('chat-h100')).toEqual({ desired: 2, ready: 1, starting: 1, terminating: 0 })
    fleet.advance(61)
    expect(fleet.counts('chat-h100').ready).toBe(2)
    expect(victim?.engine?.metrics.promptTokens).toBe(0)
    expect(victim?.engine?.metrics.startedAtSeconds).toBe(60.5)
    expect(score.classes[0]?.finished).toBe(10)
  })

  test('pods are named as Kubernetes names them, each differently', () => {
    const { fleet } = fleetOf()
    fleet.scale('chat-h100', 50)
    const names = fleet.pods().map((pod) => pod.name)
    for (const name of names)
      expect(name).toMatch(/^chat-h100-[bcdfghjklmnpqrstvwxz2456789]{10}-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
    expect(new Set(names).size).toBe(50)
  })
})

describe('the router', () => {
  test('holds requests while nobody is ready and hands them on when somebody is', () => {
    const { fleet, score } = fleetOf({ variants: [{ ...h100, initialReplicas: 0 }] })
    fleet.submit(requestAt(0, 512, 1))
    fleet.submit(requestAt(1, 512, 1))
    expect([fleet.gatewayQueued, fleet.gatewayArrived]).toEqual([2, 2])
    fleet.scale('chat-h100', 1)
    fleet.advance(60.9)
    expect(fleet.gatewayQueued).toBe(2)
    fleet.advance(62)
    expect(fleet.gatewayQueued).toBe(0)
    expect(score.classes[0]?.finished).toBe(2)
    expect(score.classes[0]?.withinSlo).toBe(0)
    expect(score.classes[0]?.ttft.quantile(0.9)).toBeGreaterThan(60)
  })

  test('joins the shortest queue, and one twice as strong gets twice as much', () => {
    const strong = { ...h100, name: 'chat-h200', routingWeight: 2 }
    const { fleet } = fleetOf({ variants: [h100, strong] })
    for (let i = 0; i < 30; i++) fleet.submit(requestAt(0, 100, 1000))
    expect(runningByPod(fleet)).toEqual([10, 20])
  })

  test('round robin gives everybody the same number', () => {
    const { fleet } = fleetOf({ routing: 'roundRobin', variants: [{ ...h100, initialReplicas: 3 }] })
    for (let i = 0; i < 30; i++) fleet.submit(requestAt(0, 100, 1000))
    expect(runningByPod(fleet)).toEqual([10, 10, 10])
  })

  test('joining the shortest queue keeps TTFT p95 well below random choice', () => {
    const p95 = (['joinShortestQueue', 'random'] as const).map((routing) => {
      const { fleet, score } = fleetOf({ routing, variants: [{ ...h100, initialReplicas: 4 }] })
      for (const request of traffic(72, 300)) fleet.submit(request)
      fleet.advance(600)
      return score.classes[0]?.ttft.quantile(0.95) ?? Number.NaN
    })
    expect((p95[0] ?? Number.NaN) / (p95[1] ?? Number.NaN)).toBeLessThan(0.9)
  })
})

describe('the score', () => {
  test('counts a request as served when both its TTFT and its mean gap keep their bounds, network included', () => {
    const variants = [{ ...h100, profile: profileOf({ a: 10, h: 100 }) }]
    const bounds = [
      { name: 'met', ttftSeconds: 0.2, itlSeconds: 0.011 },
      { name: 'ttft broken by the network', ttftSeconds: 0.1, itlSeconds: 0.011 },
      { name: 'itl broken', ttftSeconds: 0.2, itlSeconds: 0.009 },
      { name: 'no bound', ttftSeconds: Infinity, itlSeconds: Infinity },
    ]
    const { fleet, score } = fleetOf({ variants, classes: bounds })
    for (const classIndex of bounds.keys()) fleet.submit({ ...requestAt(classIndex, 100, 5), classIndex })
    fleet.advance(10)
    expect(score.classes.map(({ attainment }) => attainment)).toEqual([1, 0, 0, 1])
    expect(score.classes.map(({ slowGaps, gaps }) => [slowGaps, gaps])).toEqual([
      [0, 4],
      [0, 4],
      [4, 4],
      [0, 4],
    ])
  })

  test('a seed says everything: equal ones give equal runs, others differ', () => {
    const run = (seed: number) => {
      const { fleet, score } = fleetOf({
        seed,
        routing: 'random',
        variants: [{ ...h100, initialReplicas: 3 }],
      })
      for (const request of traffic(30, 60)) fleet.submit(request)
      return [score.itl.mean, score.classes[0]?.ttft.mean, fleet.pods().map((pod) => pod.name)]
    }
    expect(run(5)).toEqual(run(5))
    expect(run(5)).not.toEqual(run(6))
  })
})
