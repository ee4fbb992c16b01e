import { describe, expect, test } from 'vitest'
import { llmdSaturation, shippedSaturation } from '../../../src/backtest/peers/llmdSaturation.ts'
import { allocate } from '../../../src/backtest/peers/ratioGreedy.ts'
import type { VariantSignals } from '../../../src/core/observation.ts'
import { l40s, observe, policy, signals, variant } from '../../decide/world.ts'
import { controllerFor, counts } from './rules.ts'

// 400,000 tokens of cache: k1 = 320,000. Before anything queued, k2 = N (I + O/2) with I 500, O 130, a budget of 8192 and
// 256 slots: N = min(8192 x 130 / 630, 256) = 256, k2 = 256 x 565 = 144,640 tokens, which is the smaller.
const one = policy([variant('h100', { replicas: { min: 1, max: 30 } })])
const fleet = (ready: number, kvUsage: number, changes: Partial<VariantSignals> = {}): VariantSignals =>
  signals(ready, 20, { kvUsage, ...changes })

describe('llm-d’s saturation analyzer', () => {
  test('adds what is missing at 85 %, and takes away what is spare at 70 %', () => {
    const at = (ready: number, kvUsage: number): number | undefined =>
      counts(controllerFor(llmdSaturation(shippedSaturation), one), 'h100', [
        observe(0, { h100: fleet(ready, kvUsage) }),
      ])[0]
    // 4 x 0.33 x 400,000 = 528,000 tokens; / 0.85 = 621,176; 4 replicas hold 578,560: one more.
    expect(at(4, 0.33)).toBe(5)
    // 480,000: / 0.85 = 564,706 is held; / 0.7 = 685,714 leaves nothing spare.
    expect(at(4, 0.3)).toBe(4)
    // 160,000 / 0.7 = 228,571; 578,560 less that is 2.4 replicas.
    expect(at(4, 0.1)).toBe(2)
  })

  test('counts replicas that start as there, and waiting requests as their prompts', () => {
    const starting = { replicas: { desired: 5, ready: 4, starting: 1, terminating: 0 } }
    const step = (changes: Partial<VariantSignals>): number | undefined =>
      counts(controllerFor(llmdSaturation(shippedSaturation), one), 'h100', [
        observe(0, { h100: fleet(4, 0.33, changes) }),
      ])[0]
    expect(step(starting)).toBe(5)
    // 16 waiting x 500 tokens are 9,412 more at 85 %: 630,588, still within five replicas.
    expect(step({ ...starting, waiting: 16 })).toBe(5)
  })

  test('takes what a replica held while requests queued for its capacity, from then on', () => {
    const controller = controllerFor(llmdSaturation(shippedSaturation), one)
    const seen = [
      // 5 waiting on each of 2: a replica holds 100,000. Demand 200,000 + 10 x 500 = 205,000; / 0.85 = 241,176: 1 more.
      observe(0, { h100: fleet(2, 0.25, { waiting: 10 }) }),
      // Nothing waits; 3 x 90,000 = 270,000 / 0.85 = 317,647 against 300,000: 1 more.
      observe(60, { h100: fleet(3, 0.225) }),
    ]
    expect(counts(controller, 'h100', seen)).toEqual([3, 4])
  })
})

describe('the ratio-greedy choice', () => {
  const dear = variant('h100', { costPerHour: 4 })
  const cheap = variant('l40s', { costPerHour: 1.5, profile: l40s })

  test('adds where a dollar buys most tokens, and removes the dearest replica', () => {
    const candidates = [
      { variant: dear, current: 2, capacity: 320_000 },
      { variant: cheap, current: 1, capacity: 144_000 },
    ]
    // $1.5 / 144,000 is less than $4 / 320,000: 200,000 tokens are two small replicas.
    expect([...allocate(candidates, 200_000, 0).values()]).toEqual([2, 3])
    expect([...allocate(candidates, 0, 330_000).values()]).toEqual([1, 1])
    // 144,000 spare is less than a large replica: a small one goes.
    expect([...allocate(candidates, 0, 150_000).values()]).toEqual([2, 0])
  })

  test('keeps the last replica of the cheapest variant', () => {
    const candidates = [
      { variant: dear, current: 0, capacity: 320_000 },
      { variant: cheap, current: 2, capacity: 144_000 },
    ]
    expect([...allocate(candidates, 0, 1e9).values()]).toEqual([0, 1])
  })
})
