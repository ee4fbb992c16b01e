// What holds whatever is observed: bounds and pools, no scale-down on missing data, no number that is not one.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Observation, VariantSignals } from '../../src/core/observation.ts'
import { isMissing, type MissingReason, missing } from '../../src/core/reading.ts'
import { blind, l40s, observe, policy, policySet, signals, story, variant, variantOf } from './world.ts'

const fleet = policySet(
  [
    policy([
      variant('h100', { replicas: { min: 1, max: 9 } }),
      variant('l40s', { profile: l40s, pool: 'l40s', costPerHour: 0.3, replicas: { min: 0, max: 30 } }),
    ]),
  ],
  [
    { name: 'h100', gpus: 8 },
    { name: 'l40s', gpus: 24 },
  ],
)

const reason: fc.Arbitrary<MissingReason> = fc.constantFrom(
  'backendDown',
  'noSeries',
  'notANumber',
  'infinite',
  'stale',
  'notScraped',
)
const awkward = fc.oneof(
  fc.double({ min: -1e3, max: 1e6, noNaN: true }),
  reason.map((why) => missing(why)),
)
const signal: fc.Arbitrary<VariantSignals> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.nat(12), fc.double({ min: 0, max: 400, noNaN: true }))
      .map(([n, rate]) => signals(n, rate)),
  },
  { weight: 1, arbitrary: reason.map((why) => blind(missing(why))) },
  {
    weight: 1,
    arbitrary: fc
      .record({
        waiting: awkward,
        inSystemGrowthPerSecond: awkward,
        completionsPerSecond: awkward,
        kvTokensPerReplica: awkward,
        prefixHitRate: awkward,
      })
      .map((changes) => signals(3, 50, changes)),
  },
)
const history = fc
  .array(fc.tuple(fc.nat(90), signal, signal), { minLength: 1, maxLength: 12 })
  .map((steps) => {
    let at = 1_000
    return steps.map(([gap, h100, card]): Observation => {
      at += gap
      return observe(at, { h100, l40s: card })
    })
  })

describe('over random histories', () => {
  it('targets are whole, within bounds, and cost a finite sum', () => {
    fc.assert(
      fc.property(history, (observations) => {
        for (const step of story(fleet, observations)) {
          for (const [name, max] of [
            ['h100', 9],
            ['l40s', 30],
          ] as const) {
            const { target, wanted } = variantOf(step, name)
            if (!isMissing(wanted)) expect(Number.isInteger(wanted)).toBe(true)
            if (isMissing(target)) continue
            expect(Number.isInteger(target)).toBe(true)
            expect(target).toBeGreaterThanOrEqual(0)
            expect(target).toBeLessThanOrEqual(max)
          }
          const { target } = step.decision.costPerHour
          if (!isMissing(target)) expect(Number.isFinite(target)).toBe(true)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('a variant that cannot be seen is never scaled down', () => {
    fc.assert(
      fc.property(history, reason, (observations, why) => {
        const last = observations.at(-1)?.at ?? 0
        const steps = story(fleet, [
          ...observations,
          observe(last + 15, { h100: blind(missing(why)), l40s: signals(2, 9) }),
        ])
        const before = observations.length > 0 ? variantOf(steps.at(-2), 'h100').target : missing('noSeries')
        const after = variantOf(steps.at(-1), 'h100').target
        if (isMissing(after)) return // callers get an error, KEDA holds
        expect(isMissing(before) ? after : before).toBe(after)
      }),
      { numRuns: 100 },
    )
  })

  it('more demand never gets fewer replicas of the only variant', () => {
    const rate = fc.double({ min: 0, max: 300, noNaN: true })
    const alone = policySet([policy([variant('h100')])])
    fc.assert(
      fc.property(rate, rate, (x, y) => {
        const wanted = (demand: number): number =>
          Number(variantOf(story(alone, [observe(0, { h100: signals(3, demand) })])[0], 'h100').wanted)
        expect(wanted(Math.max(x, y))).toBeGreaterThanOrEqual(wanted(Math.min(x, y)))
      }),
      { numRuns: 60 },
    )
  })

  it('the state stays bounded by the windows, however long the history', () => {
    const observations = Array.from({ length: 400 }, (_, i) =>
      observe(15 * i, { h100: signals(3, 60 + 50 * Math.sin(i / 7)), l40s: signals(1, 3) }),
    )
    const sizes = story(fleet, observations).map(({ state }) => JSON.stringify(state).length)
    expect(Math.max(...sizes.slice(200))).toBeLessThanOrEqual(Math.max(...sizes.slice(0, 200)) * 1.1)
  })
})
