// `--what-if demand=2x`: the decision as if twice as much arrived and waited, for every kind of demand.
import { describe, expect, test } from 'vitest'
import { decide } from '../../src/core/decide.ts'
import type { ClassDecision } from '../../src/core/decision.ts'
import type { ClassSignals, Observation } from '../../src/core/observation.ts'
import { applyWhatIf } from '../../src/core/optimize/whatIf.ts'
import type { PolicySet } from '../../src/core/policy.ts'
import { missing } from '../../src/core/reading.ts'
import { emptyState } from '../../src/core/state.ts'
import {
  observe,
  policy,
  policySet,
  signals,
  tools,
  trafficClass,
  variant,
  variantOf,
} from '../decide/world.ts'

const at = 1_800_000_000

function decided(policies: PolicySet, observation: Observation, whatIf: string) {
  const applied = applyWhatIf(policies, whatIf)
  if (applied.kind === 'invalid') throw new Error(applied.errors.join())
  return decide(applied.policies, emptyState, observation, tools)
}

function classOf(step: ReturnType<typeof decided>, name: string): ClassDecision {
  const found = step.decision.policies.flatMap(({ classes }) => classes).find((each) => each.name === name)
  if (found === undefined) throw new Error(`no class ${name}`)
  return found
}

describe('demand that the engines report', () => {
  const policies = policySet([policy([variant('h100')])])
  const observation = observe(at, { h100: signals(4, 30, { waiting: 60 }) })

  test('is shown and planned for at the factor, headroom on top', () => {
    const once = classOf(decided(policies, observation, 'demand=1x'), 'chat')
    const twice = classOf(decided(policies, observation, 'demand=2x'), 'chat')
    // 30 arrive and 60 wait, to be worked off within a minute.
    expect([once.demand, twice.demand]).toEqual([31, 62])
    expect(once.plannedFor).toBeCloseTo(31 * 1.1)
    expect(twice.plannedFor).toBeCloseTo(62 * 1.1)
  })

  test('is what would be decided if so much were observed', () => {
    const more = observe(at, { h100: signals(4, 60, { waiting: 120 }) })
    expect(decided(policies, observation, 'demand=2x').decision.policies).toEqual(
      decided(policies, more, 'demand=1x').decision.policies,
    )
  })

  test('keeps one replica somewhere at none, as an engine that nobody calls does', () => {
    const open = policySet([policy([variant('h100', { replicas: { min: 0, max: 20 } })])])
    const step = decided(open, observation, 'demand=0x')
    expect(classOf(step, 'chat').demand).toBe(0)
    expect(variantOf(step, 'h100').wanted).toBe(1)
  })

  test('leaves the lengths of requests as they were observed', () => {
    const step = decided(policies, observation, 'demand=0x')
    expect(step.decision.policies[0]?.reasons.map(({ kind }) => kind)).not.toContain('assumedShape')
  })

  test('stays missing where it is', () => {
    const blind = observe(at, { h100: signals(4, 30, { completionsPerSecond: missing('stale') }) })
    expect(classOf(decided(policies, blind, 'demand=2x'), 'chat').demand).toMatchObject({
      missing: expect.anything(),
    })
  })
})

describe('demand that a query tells', () => {
  const evals = trafficClass('eval', {
    priority: 10,
    serviceLevel: { kind: 'latencyTolerant', completeWithinSeconds: 3600 },
    demand: { kind: 'query', backlogTokens: 'sum(tokens)', requestsPerSecond: 'sum(rate)' },
  })
  const policies = policySet([
    policy([variant('h100'), variant('batch', { classes: ['eval'], replicas: { min: 0, max: 5 } })], {
      classes: [trafficClass('chat'), evals],
    }),
  ])
  const see = (asked: ClassSignals, requestsPerSecond: number): Observation =>
    observe(at, { h100: signals(3, requestsPerSecond), batch: signals(0, 0) }, { eval: asked })

  test('is more work to the same deadline, so that what waits is as old as it was', () => {
    const step = decided(policies, see({ backlogTokens: 2e6, requestsPerSecond: 3 }, 20), 'demand=2x')
    const more = decided(policies, see({ backlogTokens: 4e6, requestsPerSecond: 6 }, 40), 'demand=1x')
    expect(classOf(step, 'eval')).toEqual(classOf(more, 'eval'))
    expect(step.state.classes['chat/llama/eval']?.ledger).toEqual(
      more.state.classes['chat/llama/eval']?.ledger,
    )
    expect(classOf(step, 'eval').demand).toBeGreaterThan(1)
  })

  test('reports the deadlines that are lost at the factor', () => {
    const reasons = decided(policies, see({ backlogTokens: 3e7 }, 20), 'demand=8x').decision.policies[0]
      ?.reasons
    expect(reasons?.map(({ kind }) => kind)).toContain('deadlineLost')
  })
})
