// Burstiness from rates over seconds: the index of dispersion against arrivals whose index is known, its steps, and what
// the decision makes of it.
import { describe, expect, it } from 'vitest'
import { type BurstMemory, burstiness, dispersionOf } from '../../src/core/demand/burst.ts'
import type { ShortRate } from '../../src/core/observation.ts'
import { missing } from '../../src/core/reading.ts'
import { sentence } from '../../src/core/sentence.ts'
import { renewalArrivals } from '../../src/simulation/arrivals.ts'
import { fixedLengths } from '../../src/simulation/lengths.ts'
import { observe, policy, policySet, signals, story, trafficClass, variant } from '../decide/world.ts'

const tickSeconds = 15
const windowSeconds = 10

/** Counts in the last ten seconds of every tick. */
function ratesOf(
  cv: number,
  requestsPerSecond: (second: number) => number,
  ticks: number,
  seed: number,
): ShortRate[] {
  const until = ticks * tickSeconds
  const process = {
    lengths: fixedLengths(10, 10),
    seed,
    cv,
    classIndex: 0,
    fromSeconds: 0,
    untilSeconds: until,
  }
  const counts = new Array<number>(ticks).fill(0)
  for (const { arrivedAtSeconds } of renewalArrivals({ ...process, rate: requestsPerSecond })) {
    const tick = Math.floor(arrivedAtSeconds / tickSeconds)
    if (arrivedAtSeconds % tickSeconds >= tickSeconds - windowSeconds) counts[tick] = (counts[tick] ?? 0) + 1
  }
  return counts.map((count) => ({ requestsPerSecond: count / windowSeconds, seconds: windowSeconds }))
}

/** Quiet and busy by turns: half a minute at ten times the rate of the rest. */
function onOff(second: number): number {
  return second % 75 < 15 ? 60 : 2
}

const chat = trafficClass('chat')

function seenBy(rates: readonly ShortRate[], start?: BurstMemory) {
  let last = burstiness(chat, missing('noSeries'), start, 0)
  rates.forEach((rate, tick) => {
    last = burstiness(chat, rate, last.memory, (tick + 1) * tickSeconds)
  })
  return last
}

describe('the index of dispersion', () => {
  it.each([
    [1, 1],
    [1.5, 2.25],
    [2, 4],
  ])('of a renewal process with a coefficient of variation of %f is its square', (cv, expected) => {
    const estimates = Array.from(
      { length: 20 },
      (_, seed) => dispersionOf(ratesOf(cv, () => 20, 80, seed)) ?? 0,
    )
    const mean = estimates.reduce((sum, value) => sum + value, 0) / estimates.length
    // 20 estimates of 80 windows: a relative error of sqrt(3 / 1600), and less than 1 is never said.
    expect(mean).toBeGreaterThan(expected * 0.85)
    expect(mean).toBeLessThan(expected * 1.15)
  })

  it('sees no burst in a trend, and none in a jump', () => {
    const trend = dispersionOf(ratesOf(1, (second) => 10 + second / 10, 80, 3))
    const jump = dispersionOf(ratesOf(1, (second) => (second < 600 ? 20 : 60), 80, 4))
    expect(trend).toBeLessThan(2)
    expect(jump).toBeLessThan(2)
  })

  it('is not known from a few windows, or where nothing arrives', () => {
    expect(dispersionOf(ratesOf(1, () => 20, 39, 1))).toBeUndefined()
    expect(dispersionOf(ratesOf(1, () => 0, 80, 1))).toBeUndefined()
  })
})

describe('burstiness of a class', () => {
  it('stays at 1 until there is something to go by, and for Poisson arrivals', () => {
    expect(seenBy(ratesOf(1, () => 20, 30, 1)).dispersion).toBe(1)
    const steps = Array.from({ length: 20 }, (_, seed) => seenBy(ratesOf(1, () => 20, 80, seed)).dispersion)
    expect(steps.filter((step) => step === 1).length).toBeGreaterThanOrEqual(19)
  })

  it('comes in few steps, and is chosen anew at most every five minutes', () => {
    const seen = new Set<number>()
    const changes: number[] = []
    let last = burstiness(chat, missing('noSeries'), undefined, 0)
    ratesOf(1.5, () => 20, 400, 5).forEach((rate, tick) => {
      const next = burstiness(chat, rate, last.memory, (tick + 1) * tickSeconds)
      if (next.memory.chosenAt !== last.memory.chosenAt) changes.push(tick)
      seen.add(next.dispersion)
      last = next
    })
    expect([...seen].every((step) => [1, 2, 4].includes(step))).toBe(true)
    expect(last.dispersion).toBe(2)
    // 400 ticks are 20 turns, and the first choice waits for 40 rates.
    expect(changes.length).toBeLessThanOrEqual(19)
    expect(last.memory.rates.length).toBeLessThanOrEqual(80)
  })

  it('is the same for a server that has seen the last 25 minutes only', () => {
    const rates = ratesOf(2, () => 20, 240, 6)
    const always = seenBy(rates)
    let late = burstiness(chat, missing('noSeries'), undefined, 0)
    rates.forEach((rate, tick) => {
      if (tick >= 140) late = burstiness(chat, rate, late.memory, (tick + 1) * tickSeconds)
    })
    expect(late).toEqual(always)
  })

  it('beyond what the model covers says so, and which rate takes nearly all requests', () => {
    const { dispersion, untrusted } = seenBy(ratesOf(1, onOff, 80, 7))
    expect(dispersion).toBe(4)
    expect(untrusted?.dispersion).toBeGreaterThan(5.66)
    expect(untrusted?.seconds).toBe(windowSeconds)
    expect(untrusted?.requestsPerSecond).toBeGreaterThan(40)
  })

  it('counts no arrivals twice where windows are longer than ticks', () => {
    const long = { requestsPerSecond: 5, seconds: 25 }
    expect(seenBy([long, long, long, long]).memory.rates).toHaveLength(2)
  })
})

describe('a decision on bursty arrivals', () => {
  const set = policySet([policy([variant('h100')])])
  const history = (rates: readonly ShortRate[]) =>
    rates.map((arrivingNow, tick) => observe(tick * tickSeconds, { h100: signals(2, 14, { arrivingNow }) }))

  it('sizes for their dispersion, and says when sizing cannot be trusted', () => {
    const [calm, bursty] = [ratesOf(1, () => 14, 81, 1), ratesOf(1, onOff, 81, 2)].map((rates) => {
      const steps = story(set, history(rates))
      const last = steps.at(-1)
      const capacity = last?.decision.policies[0]?.variants[0]?.capacity['chat']
      return { last, perReplica: capacity?.kind === 'feasible' ? capacity.requestsPerSecond : 0 }
    })
    expect(bursty?.perReplica).toBeLessThan((calm?.perReplica ?? 0) * 0.98)
    const last = bursty?.last?.decision
    expect(last?.policies[0]?.reasons.map(sentence).join()).toMatch(
      /arrivals of chat vary \d+ times as much as Poisson ones over 10 s: sizing cannot be trusted; minimums that carry \d+\.\d req\/s would take nearly all of them/,
    )
    expect(last?.warnings).toEqual([
      'policy chat/llama: arrivals of chat are too bursty for its sizing to be trusted',
    ])
    expect(calm?.last?.decision.warnings).toEqual([])
  })

  it('asks the capacity model anew only when the step changes', () => {
    const steps = story(set, history(ratesOf(1.5, () => 14, 120, 3)))
    const capacities = steps.map(({ decision }) =>
      JSON.stringify(decision.policies[0]?.variants[0]?.capacity['chat']),
    )
    expect(new Set(capacities).size).toBeGreaterThan(1)
    expect(new Set(capacities).size).toBeLessThanOrEqual(3)
  })
})

describe('the front end of a replica', () => {
  const short = { promptTokens: { upperBounds: [100], perSecond: [400, 0], sumPerSecond: 20_000 } }
  const answers = { outputTokens: { upperBounds: [20], perSecond: [400, 0], sumPerSecond: 4000 } }
  const busy = (apiServers: number) =>
    story(policySet([policy([variant('h100', { engine: { apiServers }, replicas: { min: 3, max: 3 } })])]), [
      observe(0, { h100: signals(3, 400, { ...short, ...answers }) }),
    ])[0]

  it('is named as a limit that no engine law sees, where replicas would take more than 100 requests/s each', () => {
    const decided = busy(1)?.decision
    expect(decided?.policies[0]?.variants[0]?.reasons.map(sentence).join()).toMatch(
      /each API server would pass on 1\d\d\.\d req\/s and 1\d\d\d tokens\/s, with 1 per replica/,
    )
    expect(decided?.warnings).toEqual([
      'variant chat/llama/h100: its API servers may be the limit before its engines are',
    ])
  })

  it('is no limit where the replica has API servers enough', () => {
    expect(busy(2)?.decision.warnings).toEqual([])
  })

  it('streams few requests with long answers as hard', () => {
    const long = { outputTokens: { upperBounds: [900], perSecond: [60, 0], sumPerSecond: 30_000 } }
    const wide = { ...variant('h100').profile, a: 1, b: 0.001, c: 1e-7, ap: 1, bp: 0.001 }
    const [step] = story(
      policySet([policy([variant('h100', { profile: wide, replicas: { min: 1, max: 1 } })])]),
      [observe(0, { h100: signals(1, 60, long) })],
    )
    expect(step?.decision.policies[0]?.variants[0]?.reasons.map(sentence).join()).toMatch(
      /each API server would pass on \d\d\.\d req\/s and [123]\d{4} tokens/,
    )
  })
})
