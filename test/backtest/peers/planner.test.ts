import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dynamoPlanner, shippedPlanner } from '../../../src/backtest/peers/dynamoPlanner.ts'
import { reactive } from '../../../src/backtest/peers/dynamoReactive.ts'
import type { Fleet } from '../../../src/backtest/peers/fleet.ts'
import { predictor } from '../../../src/backtest/peers/nextValue.ts'
import { meanGoalOf, profiledCapacity } from '../../../src/backtest/peers/profiledCapacity.ts'
import { observe, policy, signals, variant } from '../../decide/world.ts'
import { controllerFor, counts } from './rules.ts'

const h100 = variant('h100', { replicas: { min: 1, max: 50 } })
const one = policy([h100])
const lengths = { promptTokens: 500, outputTokens: 130 }
const goal = meanGoalOf(one)

describe('what Dynamo takes an engine to carry', () => {
  test('a unified one, by hand: where the mean step reaches the ITL bound', () => {
    // T(n) = 6.58 + (0.0193 + 5.46e-5 x 565) n + 22.9 n / 130 with B = 0.0193 x 500 + 5.46e-5 x 250 x ... per prompt:
    // B = 9.65 + 5.46e-5 x 250 = 9.66365; slope 0.0193 + 0.030849 + 0.0743358 = 0.1244848 ms per sequence.
    // T = 50 at n = 348.8, beyond 256 slots: n = 256, T = 38.448, and 256 / (130 x 38.448 ms) = 51.22 requests/s.
    expect(profiledCapacity(h100, lengths, goal)).toBeCloseTo(51.22, 1)
    // ITL 20 ms: n = 13.42 / 0.1244848 = 107.80; 107.80 / (130 x 20 ms) = 41.46.
    expect(profiledCapacity(h100, lengths, { ...goal, itl: 20 })).toBeCloseTo(41.46, 1)
  })

  test('a prefill one carries one prompt after the other, a decode one pays no prompts', () => {
    // 1000 / (6.58 + 9.66365)
    expect(profiledCapacity(variant('p', { role: 'prefill' }), lengths, goal)).toBeCloseTo(61.56, 1)
    // Slope 0.050149: n = 256, T = 19.418: 256 / (130 x 19.418 ms) = 101.4.
    expect(profiledCapacity(variant('d', { role: 'decode' }), lengths, goal)).toBeCloseTo(101.4, 0)
  })

  test('never more with a tighter bound', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 8, max: 60, noNaN: true }),
        fc.double({ min: 1, max: 30, noNaN: true }),
        (itl, more) => {
          const tight = profiledCapacity(h100, lengths, { ttft: 1000, itl })
          expect(tight).toBeLessThanOrEqual(
            profiledCapacity(h100, lengths, { ttft: 1000, itl: itl + more }) + 1e-9,
          )
        },
      ),
    )
  })
})

describe('the planner', () => {
  const plan = (safetyFactor: number, loadScaling: 'on' | 'off') =>
    controllerFor(
      dynamoPlanner({
        ...shippedPlanner,
        ...{ arrangement: 'h100', predictor: 'constant', safetyFactor, loadScaling },
      }),
      one,
    )
  /** 15 s apart, from 0 s on. */
  const rates = (ready: number, ...perSecond: readonly number[]) =>
    perSecond.map((rate, i) => observe(15 * i, { h100: signals(ready, rate) }))

  test('orders the interval’s mean rate over the capacity when it ends, and nothing in between', () => {
    // 180 s are 12 steps of 15 s: the first sample opens the interval, the 13th closes it.
    const flat = rates(2, ...new Array<number>(12).fill(100), 230)
    // Mean of 13 samples 110; 110 / 51.22 = 2.15.
    expect(counts(plan(1, 'off'), 'h100', flat)).toEqual([...new Array<undefined>(12).fill(undefined), 3])
    // 110 x 1.4 / 51.22 = 3.01.
    expect(counts(plan(1.4, 'off'), 'h100', flat).at(-1)).toBe(4)
  })

  test('the load loop adds an engine when all are late, and waits for it to be there', () => {
    const late = { running: 500, kvUsage: 0.9, waiting: 400 }
    const seen = [
      observe(0, { h100: signals(2, 100, late) }),
      observe(5, {
        h100: signals(2, 100, {
          ...late,
          replicas: { desired: 3, ready: 2, starting: 1, terminating: 0 },
        }),
      }),
    ]
    expect(counts(plan(1, 'on'), 'h100', seen)).toEqual([3, 3])
  })
})

describe('the load loop', () => {
  const fleet = (ready: number, changes: Partial<Fleet> = {}): Fleet => ({
    replicas: { desired: ready, ready, starting: 0, terminating: 0 },
    ...{ running: 60 * ready, waiting: 0, kvTokensInUse: 60 * 565 * ready },
    ...{ kvUsage: 0.08, kvTokensPerReplica: 400_000 },
    ...changes,
  })

  test('takes an engine away when the survivors stay within 80 % of the SLA', () => {
    // 60 sequences of 565 tokens take 6.58 + 1.158 + 1.851 = 9.59 ms a step, 90 of them 11.1 ms.
    expect(reactive(h100, fleet(3), lengths, goal)).toBe(2)
    // An SLA of 13.8 ms: 80 % is 11.04.
    expect(reactive(h100, fleet(3), lengths, { ...goal, itl: 13.8 })).toBe(3)
    // Of 11 ms: 9.59 is still within it.
    expect(reactive(h100, fleet(3), lengths, { ...goal, itl: 11 })).toBe(3)
    expect(reactive(h100, fleet(3), lengths, { ...goal, itl: 9 })).toBe(4)
  })

  test('keeps the last engine, and changes nothing while one starts or drains', () => {
    expect(reactive(h100, fleet(1), lengths, goal)).toBe(1)
    const moving = { replicas: { desired: 3, ready: 3, starting: 0, terminating: 1 } }
    expect(reactive(h100, fleet(3, moving), lengths, goal)).toBe(3)
  })

  test('a queue of prompts is time to the first token', () => {
    // 300 waiting on each engine x 9.66 ms of work are 2.9 s.
    expect(reactive(h100, fleet(2, { waiting: 600 }), lengths, goal)).toBe(3)
  })
})

describe('the next value', () => {
  const foresee = (kind: 'constant' | 'kalman' | 'arima', values: readonly number[]): number => {
    const series = predictor(kind)
    for (const value of values) series.add(value)
    return series.next()
  }

  test('of a flat series is the same again', () => {
    for (const kind of ['constant', 'kalman', 'arima'] as const)
      expect(foresee(kind, new Array<number>(30).fill(100))).toBeCloseTo(100, 9)
  })

  test('of a ramp: the last value, and what a trend adds', () => {
    const ramp = Array.from({ length: 40 }, (_, i) => 100 + 10 * i)
    expect(foresee('constant', ramp)).toBe(490)
    expect(foresee('kalman', ramp)).toBeCloseTo(500, 0)
    expect(foresee('arima', ramp)).toBeCloseTo(500, 6)
  })

  test('of changes that alternate, an autoregression sees the turn', () => {
    const zigzag = Array.from({ length: 40 }, (_, i) => 100 + 10 * (i % 2))
    expect(foresee('arima', zigzag)).toBeCloseTo(100, 6)
  })

  test('the filter by hand: two values of 10 and 16', () => {
    // Predicted 10 with level variance 1000 + 1000 + 1 = 2001, covariance 1000; gain 2001 / 2011 and 1000 / 2011.
    // Level 10 + 6 x 0.99503 = 15.97016, trend 6 x 0.49727 = 2.98359; next 18.95376.
    expect(foresee('kalman', [10, 16])).toBeCloseTo(18.95376, 4)
  })

  test('leading zeros are not learnt from', () => {
    expect(foresee('kalman', [0, 0, 0, 50])).toBeCloseTo(50, 9)
    expect(foresee('arima', [0, 0, 7])).toBe(7)
  })
})
