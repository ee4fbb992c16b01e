import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stages } from '../../src/core/capacity/chain.ts'
import { followed, slotsAt } from '../../src/core/capacity/contexts.ts'
import { station } from '../../src/core/capacity/cycle.ts'
import { type Workload, workload } from '../../src/core/capacity/lengths.ts'
import type { LengthBin } from '../../src/core/capacity/question.ts'
import { llama8b } from './engines.ts'

const { profile, limits } = llama8b

/** Fixed prompts; answers of whole tokens, exponential in 2,000 equal parts. */
const exponential = (mean: number): readonly LengthBin[] =>
  Array.from({ length: 2000 }, (_, i) => ({
    tokens: 1 + Math.round(-mean * Math.log(1 - (i + 0.5) / 2000)),
    weight: 1 / 2000,
  }))

const fixed = (tokens: number): readonly LengthBin[] => [{ tokens, weight: 1 }]

const work = (promptTokens: readonly LengthBin[], outputTokens: readonly LengthBin[]): Workload =>
  workload(profile, limits, { promptTokens, outputTokens, prefixHitRate: 0 })

describe('what sequences hold together', () => {
  it('lasts a mean answer where answers are exponential and prompts alike: such a sequence has no memory', () => {
    const { contextSteps, dec } = work(fixed(500), exponential(400))
    expect(contextSteps / dec).toBeGreaterThan(0.95)
    expect(contextSteps / dec).toBeLessThan(1.05)
  })

  it('lasts half an answer where answers are alike and prompts differ: each keeps its own for all of its stay', () => {
    const { contextSteps, dec } = work(
      [
        { tokens: 100, weight: 0.5 },
        { tokens: 20_000, weight: 0.5 },
      ],
      fixed(101),
    )
    expect(contextSteps / dec).toBeCloseTo(0.5, 2)
  })

  it('fills the cache with the most sequences that hold no more than it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20_000 }),
        fc.integer({ min: 2, max: 4000 }),
        fc.double({ min: -2, max: 2, noNaN: true }),
        (prompt, answer, heavier) => {
          const { m, varContext, ...rest } = work(fixed(prompt), exponential(answer))
          const n = slotsAt({ m, varContext, ...rest }, heavier)
          const held = (count: number): number => count * m + heavier * Math.sqrt(count * varContext)
          expect(n).toBeLessThanOrEqual(limits.maxNumSeqs)
          if (n > 1) expect(held(n)).toBeLessThanOrEqual(limits.kvTokens * (1 + 1e-9))
          if (n > 1 && n < limits.maxNumSeqs) expect(held(n + 1)).toBeGreaterThan(limits.kvTokens)
        },
      ),
    )
  })

  it('is followed the less the longer the system takes for it: nearer to saturation, and by shorter deviations', () => {
    const own = work(fixed(2000), exponential(1500))
    const shareAt = (requestsPerSecond: number, contextSteps: number): number => {
      const lambda = requestsPerSecond / 1000
      const under = station(profile, own, lambda, { I: 1, Ic: 1, sharing: 1 }, 0, slotsAt(own, 0))
      return followed(stages(under), lambda, { ...own, contextSteps })
    }
    const rates = [0.2, 0.8, 1.4, 2]
    const shares = rates.map((rate) => shareAt(rate, own.contextSteps))
    expect(shares).toEqual(shares.toSorted((x, y) => y - x))
    // A light load's completions grow as what is in the system: half of the variance of such noise comes through.
    expect(shares[0]).toBeGreaterThan(0.95 * Math.SQRT1_2)
    expect(shares[0]).toBeLessThanOrEqual(Math.SQRT1_2 * 1.03)
    expect(shareAt(1.4, own.contextSteps / 4)).toBeLessThan(shares[2] as number)
  })
})
