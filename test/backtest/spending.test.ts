// Where the money of a decision and of a run goes: layers that add up, whatever is missing.
import { describe, expect, test } from 'vitest'
import { SpendingBook, spendingOf } from '../../src/backtest/spendingBook.ts'
import { type TargetLayers, targetLayers } from '../../src/backtest/targetLayers.ts'
import type { ClassDecision, Decision, PolicyDecision, VariantDecision } from '../../src/core/decision.ts'
import type { PolicySet } from '../../src/core/policy.ts'
import { isMissing, missing, type Reading } from '../../src/core/reading.ts'
import { oneVariant, pair } from './sites.ts'

/** 10 req/s arrive, 12 are foreseen, 15 were asked for lately, 10 % headroom. */
const chat: ClassDecision = {
  id: 'demo/chat/chat',
  name: 'chat',
  demand: 10,
  forecast: { expected: 11, atQuantile: 12, quantile: 0.8, horizonSeconds: 60, basis: 'calibrated' },
  plannedFor: 16.5,
  shortfall: 0,
  headroom: { planned: 0.1, learnt: 0, broken: missing('idle'), verdict: 'off' },
  workAhead: 1,
  attainment: { ttft: missing('idle'), itl: missing('idle') },
}

/** 8 req/s at $4/h: half a dollar per request per second. */
const h100: VariantDecision = {
  id: 'demo/chat/h100',
  name: 'h100',
  role: 'unified',
  replicas: { desired: 3, ready: 3, starting: 0, terminating: 0 },
  wanted: 3,
  target: 4,
  effective: 4,
  capacity: { chat: { kind: 'feasible', requestsPerSecond: 8, limitedBy: 'itl' } },
  speed: missing('idle'),
  costPerReplicaHour: 4,
  reasons: [],
}

function decisionOf(
  classes: readonly ClassDecision[],
  variants: readonly VariantDecision[],
  reasons: PolicyDecision['reasons'] = [],
): Decision {
  const total = (count: (variant: VariantDecision) => Reading): Reading =>
    variants.reduce<Reading>((sum, variant) => {
      const replicas = count(variant)
      if (isMissing(sum)) return sum
      return isMissing(replicas) ? replicas : sum + replicas * variant.costPerReplicaHour
    }, 0)
  const costPerHour = {
    now: total(({ wanted }) => wanted),
    plan: total(({ wanted }) => wanted),
    target: total(({ target }) => target),
  }
  const policy: PolicyDecision = {
    ...{ id: 'demo/chat', name: 'chat', namespace: 'demo', model: 'llama', status: 'planned' },
    ...{ classes, variants, costPerHour, reasons },
  }
  return { at: 0, policies: [policy], costPerHour, warnings: [] }
}

function layersOf(decision: Decision, bands: Reading = 0, policies: PolicySet = oneVariant()): TargetLayers {
  const layers = targetLayers(policies, decision, bands)
  if (isMissing(layers)) throw new Error(`${layers.missing}: ${layers.detail}`)
  return layers
}

function sumOf(layers: object): number {
  return Object.values(layers).reduce<number>((sum, each) => sum + each, 0)
}

describe('the layers of a decision', () => {
  test('go from demand at its price to what the targets cost, and add up', () => {
    const layers = layersOf(decisionOf([chat], [h100]), 1.5)
    expect(layers.demand).toBeCloseTo(5, 9)
    expect(layers.forecast).toBeCloseTo(1, 9)
    expect(layers.hold).toBeCloseTo(1.5, 9)
    expect(layers.headroom).toBeCloseTo(0.75, 9)
    // Three replicas are $12/h, of which 8.25 are planned for and 1.5 kept by the bands.
    expect(layers.wholeReplicas).toBeCloseTo(2.25, 9)
    expect(layers.deadBand).toBe(1.5)
    expect(layers.limits).toBe(4)
    expect(sumOf(layers)).toBeCloseTo(16, 9)
  })

  test('count longer requests to come as foreseen', () => {
    // Each is a fifth more work by then: 12 x 1.2 are foreseen, 15 x 1.2 held.
    const layers = layersOf(decisionOf([{ ...chat, plannedFor: 19.8, workAhead: 1.2 }], [h100]))
    expect(layers.forecast).toBeCloseTo(2.2, 9)
    expect(layers.hold).toBeCloseTo(1.8, 9)
    expect(layers.headroom).toBeCloseTo(0.9, 9)
  })

  test('are negative where headroom was unlearnt, or targets are held below the plan', () => {
    const lean = { ...chat, plannedFor: 12, headroom: { ...chat.headroom, planned: -0.2 } }
    const layers = layersOf(decisionOf([lean], [{ ...h100, target: 2 }]))
    expect(layers.headroom).toBeCloseTo(-1.5, 9)
    expect(layers.limits).toBe(-4)
    expect(sumOf(layers)).toBeCloseTo(8, 9)
  })

  test('count what a schedule asks for as foreseen, and no forecast for a class at rest', () => {
    const scheduled = decisionOf(
      [chat],
      [h100],
      [{ kind: 'schedule', schedule: 'noon', class: 'chat', requestsPerSecond: 14, opensInSeconds: 0 }],
    )
    expect(layersOf(scheduled).forecast).toBeCloseTo(2, 9)
    expect(layersOf(scheduled).hold).toBeCloseTo(0.5, 9)
    const resting = layersOf(decisionOf([{ ...chat, demand: 0 }], [h100]))
    expect([resting.demand, resting.forecast]).toEqual([0, 0])
    expect(resting.hold).toBeCloseTo(7.5, 9)
  })

  test('have no forecast below what arrives, and none of work that has deadlines', () => {
    const falling = layersOf(decisionOf([{ ...chat, demand: 13 }], [h100]))
    expect(falling.forecast).toBe(0)
    const tolerant = { ...chat, forecast: missing('notReported', 'a forecast of work that has deadlines') }
    const layers = layersOf(decisionOf([tolerant], [h100]))
    expect(layers.forecast).toBe(0)
    expect(layers.hold).toBeCloseTo(2.5, 9)
    expect(sumOf(layers)).toBeCloseTo(16, 9)
  })

  test('take the price of the cheapest variant that can serve the class', () => {
    const dear = { ...h100, id: 'demo/chat/dear', name: 'dear', costPerReplicaHour: 40 }
    const cannot: VariantDecision = {
      ...{ ...h100, id: 'demo/chat/old', name: 'old', costPerReplicaHour: 0.1, wanted: 0, target: 0 },
      capacity: { chat: { kind: 'infeasible', limitedBy: 'ttft', why: 'too slow' } },
    }
    expect(layersOf(decisionOf([chat], [dear, h100, cannot])).demand).toBeCloseTo(5, 9)
  })

  test('take prefill and decode of one transfer group together', () => {
    const side = (role: 'prefill' | 'decode', perSecond: number): VariantDecision => ({
      ...{ ...h100, id: `demo/chat/${role}`, name: role, role },
      capacity: { chat: { kind: 'feasible', requestsPerSecond: perSecond, limitedBy: 'itl' } },
    })
    const both = layersOf(decisionOf([chat], [side('prefill', 20), side('decode', 8)]), 0, pair())
    expect(both.demand).toBeCloseTo(10 * (4 / 20 + 4 / 8), 9)
    // Half a pair serves nobody.
    expect(targetLayers(pair(), decisionOf([chat], [side('decode', 8)]), 0)).toMatchObject({
      missing: 'infinite',
    })
  })

  test.each<readonly [string, Decision, Reading]>([
    ['demand', decisionOf([{ ...chat, demand: missing('stale') }], [h100]), 0],
    ['what is planned for', decisionOf([{ ...chat, plannedFor: missing('stale') }], [h100]), 0],
    ['a plan', decisionOf([chat], [{ ...h100, wanted: missing('stale') }]), 0],
    ['a target', decisionOf([chat], [{ ...h100, target: missing('stale') }]), 0],
    ['the plan without bands', decisionOf([chat], [h100]), missing('stale')],
  ])('are missing where %s is', (_, decision, bands) => {
    expect(targetLayers(oneVariant(), decision, bands)).toEqual(missing('stale'))
  })
})

describe('the layers of a run', () => {
  const layers = layersOf(decisionOf([chat], [h100]))

  test('hold for as long as each decision was the newest; what else was paid is actuation', () => {
    const book = new SpendingBook()
    const dollars = () => {
      throw new Error('nothing is missing')
    }
    book.decided(0, layers, dollars)
    book.begin(100, 5)
    book.decided(1900, { ...layers, demand: layers.demand + 2 }, dollars)
    const kept = book.until(3700, 25)
    if (kept === undefined) throw new Error('decisions were made')
    const { perHour, attributedShare } = spendingOf(kept, 20, 3600)
    expect(perHour.demand).toBeCloseTo(6, 9)
    expect(perHour.forecast).toBeCloseTo(1, 9)
    expect(perHour.actuation).toBeCloseTo(3, 9)
    expect([perHour.unattributed, attributedShare]).toEqual([0, 1])
    expect(sumOf(perHour)).toBeCloseTo(20, 12)
  })

  test('leave unattributed what was paid while a reading was missing', () => {
    const book = new SpendingBook()
    book.begin(0, 0)
    // Nothing is decided for a quarter of an hour; then all is known, and for the last half hour something is missing.
    book.decided(900, layers, () => 2)
    book.decided(1800, missing('stale'), () => 7)
    book.decided(2700, missing('stale'), () => 10)
    const kept = book.until(3600, 12)
    if (kept === undefined) throw new Error('decisions were made')
    const { perHour, attributedShare } = spendingOf(kept, 12, 3600)
    expect(attributedShare).toBe(0.25)
    expect(perHour.unattributed).toBe(2 + 3 + 2)
    expect(perHour.demand).toBeCloseTo(layers.demand / 4, 9)
    // Five dollars were paid under the one that is known; its targets are four of them.
    expect(perHour.actuation).toBeCloseTo(1, 9)
    expect(sumOf(perHour)).toBeCloseTo(12, 12)
  })

  test('are absent for a rule that has none', () => {
    const book = new SpendingBook()
    book.begin(0, 0)
    book.decided(15, undefined, () => 1)
    expect(book.until(60, 1)).toBeUndefined()
  })
})
