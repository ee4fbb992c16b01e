// Whom a server follows while its past is read: the newest decision that is whole, fresh, undisputed and by the same policies.
import { describe, expect, it } from 'vitest'
import type { Told } from '../../src/core/observe/ownSeries.ts'
import { missing } from '../../src/core/reading.ts'
import { type FollowRules, followed } from '../../src/loop/follow.ts'
import { policyOf, policySetOf } from './values.ts'

const policies = policySetOf([
  policyOf({ variants: ['h100', 'a100'], stalenessBudgetSeconds: 600 }),
  policyOf({ name: 'qwen', stalenessBudgetSeconds: 600 }),
])
const rules: FollowRules = { intervalSeconds: 15, evaluationDelaySeconds: 2, sampleMaxAgeSeconds: 45 }
const all = { 'chat/llama/h100': 3, 'chat/llama/a100': 0, 'chat/qwen/h100': 2 }

function told(at: number, changes: Partial<Told> = {}): Told {
  return { at, policies: 77, targets: all, ...changes }
}

/** By variant, and the tick they are of. */
function targetsAt(now: number, record: readonly Told[], set = policies) {
  const decision = followed(set, 77, record, now, rules)
  if (decision === undefined) return 'nobody'
  const variants = decision.policies.flatMap((policy) => policy.variants)
  return [decision.at, Object.fromEntries(variants.map(({ id, target }) => [id, target]))]
}

describe('while its past is read, a server tells', () => {
  it('the targets on record, a count of none too, under the tick that they are of', () => {
    expect(targetsAt(1020, [told(1005)])).toEqual([1005, all])
  })

  it('the newest of several, whatever older ones said', () => {
    const older = told(990, { targets: { ...all, 'chat/qwen/h100': 9 } })
    for (const record of [
      [older, told(1005)],
      [told(1005), older],
    ])
      expect(targetsAt(1020, record)).toEqual([1005, all])
  })

  it('what servers agree on, and nothing where they differ on the newest tick', () => {
    expect(targetsAt(1020, [told(1005), told(1005)])).toEqual([1005, all])
    const another = told(1005, { targets: { ...all, 'chat/qwen/h100': 9 } })
    expect(targetsAt(1020, [told(1005), another])).toBe('nobody')
    const { 'chat/qwen/h100': _, ...fewer } = all
    for (const record of [
      [told(1005), told(1005, { targets: fewer })],
      [told(1005, { targets: fewer }), told(1005)],
    ])
      expect(targetsAt(1020, record)).toBe('nobody')
  })

  it('nothing where the target of a variant is not on record, not even of the others', () => {
    const { 'chat/llama/a100': _, ...fewer } = all
    expect(targetsAt(1020, [told(1005, { targets: fewer })])).toBe('nobody')
    expect(targetsAt(1020, [told(990), told(1005, { targets: fewer })])).toBe('nobody')
  })

  it('that a variant has none, where that is on record', () => {
    const none = { ...all, 'chat/llama/a100': missing('noSeries') }
    expect(targetsAt(1020, [told(1005, { targets: none })])).toEqual([1005, none])
    const too = { ...all, 'chat/llama/a100': missing('noSeries') }
    expect(targetsAt(1020, [told(1005, { targets: none }), told(1005, { targets: too })])).toEqual([
      1005,
      none,
    ])
    expect(targetsAt(1020, [told(1005, { targets: none }), told(1005)])).toBe('nobody')
  })

  it('nothing that was decided by other policies', () => {
    expect(targetsAt(1020, [told(1005, { policies: 78 })])).toBe('nobody')
    expect(targetsAt(1020, [told(990), told(1005, { policies: 78 })])).toEqual([990, all])
  })

  it('nothing of a server that has not decided for longer than an interval, the delay and the age of a gauge', () => {
    expect(targetsAt(1067, [told(1005)])).toEqual([1005, all])
    expect(targetsAt(1067.5, [told(1005)])).toBe('nobody')
    expect(targetsAt(1005, [told(1067.5)])).toBe('nobody')
  })

  it('nothing beyond the staleness budget of a policy', () => {
    const brief = policySetOf([
      ...policies.policies.slice(0, 1),
      policyOf({ name: 'qwen', stalenessBudgetSeconds: 20 }),
    ])
    expect(targetsAt(1025, [told(1005)], brief)).toEqual([1005, all])
    expect(targetsAt(1026, [told(1005)], brief)).toBe('nobody')
  })

  it('nothing where nobody is on record', () => {
    expect(targetsAt(1020, [])).toBe('nobody')
  })
})
