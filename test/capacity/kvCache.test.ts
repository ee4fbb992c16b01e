import { describe, expect, it } from 'vitest'
import { capacityOf } from '../../src/core/capacity/capacity.ts'
import type { CapacityQuestion } from '../../src/core/capacity/question.ts'
import { constantRate, renewalArrivals } from '../../src/simulation/arrivals.ts'
import { lognormalLengths } from '../../src/simulation/lengths.ts'
import { Random } from '../../src/simulation/random.ts'
import { Replica } from '../../src/simulation/replica.ts'
import { playPool } from '../stage/pool.ts'
import { llama8b } from './engines.ts'
import { chat, rate } from './questions.ts'

/** Long answers of widely spread lengths: what runs out is the KV cache. */
const lengths = lognormalLengths(900, 1500, 1)

function points(of: 'promptTokens' | 'outputTokens'): CapacityQuestion['shape']['promptTokens'] {
  const random = new Random(1, 1)
  const sorted = Float64Array.from({ length: 120_000 }, () => lengths(random)[of]).sort()
  return Array.from({ length: 240 }, (_, i) => ({
    tokens: sorted.subarray(500 * i, 500 * (i + 1)).reduce((sum, tokens) => sum + tokens / 500, 0),
    weight: 1 / 240,
  }))
}

const seconds = 2
const question: CapacityQuestion = {
  ...chat,
  ...llama8b,
  limits: { ...llama8b.limits, kvTokens: 250_000 },
  shape: { promptTokens: points('promptTokens'), outputTokens: points('outputTokens'), prefixHitRate: 0 },
  goal: { kind: 'interactive', ttft: { percentile: 0.99, seconds } },
}

/** Share of first tokens that come too late, of so many replicas behind the shortest queue, over some twelve hours. */
function late(requestsPerSecond: number, replicas: number, seed: number): number {
  let [all, tooLate] = [0, 0]
  const pool = Array.from(
    { length: replicas },
    () =>
      new Replica(
        { ...question.limits, profile: question.profile, role: 'unified', slowGapSeconds: [] },
        {
          iteration: () => undefined,
          firstToken: ({ request, firstTokenAtSeconds }) => {
            if (request.arrivedAtSeconds < 1800) return
            all++
            if (firstTokenAtSeconds - request.arrivedAtSeconds > seconds) tooLate++
          },
          preempted: () => undefined,
          resumed: () => undefined,
          finished: () => undefined,
        },
        0,
      ),
  )
  const arrivals = renewalArrivals({
    ...{ rate: constantRate(requestsPerSecond * replicas), lengths, seed, cv: 1, classIndex: 0 },
    ...{ fromSeconds: 0, untilSeconds: 43_200 },
  })
  playPool(pool, arrivals)
  return tooLate / all
}

/** Spells of long answers make hours differ. */
function lateOnAverage(requestsPerSecond: number, replicas: number, seeds: readonly number[]): number {
  return seeds.reduce((sum, seed) => sum + late(requestsPerSecond, replicas, seed) / seeds.length, 0)
}

describe('a replica whose KV cache runs out', () => {
  it.each([
    { replicas: 1, above: 1.08, seeds: [1, 2, 3, 4, 5, 6, 7, 8] },
    { replicas: 8, above: 1.08, seeds: [1] },
  ])('among $replicas is late with hardly more than one in a hundred at its capacity, with more at $above times as much', ({
    replicas,
    above,
    seeds,
  }) => {
    const capacity = capacityOf({ ...question, replicas })
    expect(capacity).toMatchObject({ kind: 'feasible', limitedBy: 'kvCache' })
    expect(lateOnAverage(rate(capacity), replicas, seeds)).toBeLessThan(0.012)
    expect(lateOnAverage(above * rate(capacity), replicas, seeds)).toBeGreaterThan(0.015)
  })
})
