// The past comes in parts that are small enough for any fleet, in order, with the next one on its way.
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { PolicySet } from '../../src/core/policy.ts'
import { instantsOf, type Span } from '../../src/core/span.ts'
import { inParts, type ObservePast } from '../../src/loop/pastParts.ts'
import { observe, policy, policySet, variant } from '../decide/world.ts'

const never = new AbortController().signal
const span: Span = { from: 0, until: 1500 * 15, stepSeconds: 15 }
const answer: ObservePast = async (_, part) => instantsOf(part).map((at) => observe(at, {}))

function fleetOf(variants: number): PolicySet {
  return policySet([policy(Array.from({ length: variants }, (_, index) => variant(`v${index}`)))])
}

describe('the past in parts', () => {
  it('is every instant once, oldest first, in smaller parts the more variants there are and the more is asked of each', async () => {
    const longest = async (variants: number, signals: 'all' | 'demand'): Promise<number> => {
      const seen: number[] = []
      let most = 0
      for await (const part of inParts(fleetOf(variants), span, signals, answer, never)) {
        seen.push(...part.map(({ at }) => at))
        most = Math.max(most, part.length)
      }
      expect(seen).toEqual(instantsOf(span))
      return most
    }
    expect(await longest(2, 'demand')).toBe(1440)
    expect(await longest(200, 'demand')).toBe(50)
    expect(await longest(200, 'all')).toBe(20)
    expect(await longest(2000, 'all')).toBe(8)
  })

  it('has the next part on its way while one is made use of, and no other', async () => {
    let flying = 0
    const meanwhile: number[] = []
    const slow: ObservePast = async (...asked) => {
      flying += 1
      await turn()
      await turn()
      flying -= 1
      return answer(...asked)
    }
    for await (const _ of inParts(fleetOf(25), span, 'demand', slow, never)) meanwhile.push(flying)
    expect(meanwhile).toEqual([1, 1, 1, 0])
  })

  it('fails at the part that fails, after those before it were made use of', async () => {
    const failing: ObservePast = (policies, part, ...rest) =>
      part.until > 800 * 15 ? Promise.reject(new Error('HTTP status 404')) : answer(policies, part, ...rest)
    let used = 0
    const all = async (): Promise<void> => {
      for await (const part of inParts(fleetOf(25), span, 'demand', failing, never)) {
        used += part.length
        await turn()
      }
    }
    await expect(all()).rejects.toThrow('HTTP status 404')
    expect(used).toBe(800)
  })
})
