// When lengths are taken to have changed: at once where the last minute leaves no doubt, and never by chance.
import { describe, expect, it } from 'vitest'
import { type ClassShape, classShape, meanTokens } from '../../src/core/demand/shape.ts'
import type { LengthHistogram } from '../../src/core/histogram.ts'
import type { Observation, VariantSignals } from '../../src/core/observation.ts'
import type { ScalingPolicy } from '../../src/core/policy.ts'
import { missing } from '../../src/core/reading.ts'
import { Random } from '../../src/simulation/random.ts'
import { oneVariant } from '../backtest/sites.ts'

const [policy] = oneVariant().policies as [ScalingPolicy]
const [trafficClass] = policy.classes
const upperBounds = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]

/** Exponential lengths of this mean, `perSecond` requests per second over the long window. */
function exponential(meanTokens: number, perSecond: number): LengthHistogram {
  const below = [...upperBounds.map((bound) => -Math.expm1(-bound / meanTokens)), 1]
  return {
    upperBounds,
    perSecond: below.map((share, i) => perSecond * (share - (below[i - 1] ?? 0))),
    sumPerSecond: perSecond * meanTokens,
  }
}

const lately = (requests: number, meanTokens: number) => {
  return { seconds: 60, eventsPerSecond: requests / 60, sumPerSecond: (requests / 60) * meanTokens }
}

function promptMean(promptTokens: LengthHistogram): number {
  return meanTokens(read(promptTokens, undefined).shape.promptTokens)
}

function read(promptTokens: LengthHistogram, remembered: ClassShape | undefined): ClassShape {
  const nobody = missing('noSeries')
  const signals = {
    ...{ promptTokens, outputTokens: exponential(200, 8), prefixHitRate: 0 },
    ...{ replicas: nobody, completionsPerSecond: nobody },
  }
  const observation = {
    format: 'mixscaler-observation/1',
    at: 1_767_225_600,
    variants: { 'demo/chat/h100': signals as unknown as VariantSignals },
    classes: {},
    pools: {},
    warnings: [],
  } satisfies Observation
  if (trafficClass === undefined) throw new Error('a policy has a class')
  const now = classShape(trafficClass, policy.variants, policy.variants, observation, remembered)
  expect(now.origin).toBe('observed')
  return now
}

describe('lengths of a class', () => {
  it('follow the last minute where it leaves no doubt, in either direction', () => {
    for (const mean of [1500, 250]) {
      const now = promptMean({ ...exponential(500, 8), lately: lately(480, mean) })
      expect(now / (mean * (1 + 1 / Math.sqrt(480)))).toBeCloseTo(1, 2)
    }
  })

  it('stay with the longer window where a few requests would say so, or where it hardly matters', () => {
    expect(promptMean({ ...exponential(500, 0.2), lately: lately(12, 800) })).toBeCloseTo(500, 6)
    expect(promptMean({ ...exponential(500, 200), lately: lately(12_000, 514) })).toBeCloseTo(500, 6)
    expect(promptMean({ ...exponential(500, 8), lately: lately(0, 0) })).toBeCloseTo(500, 6)
    expect(promptMean(exponential(500, 8))).toBeCloseTo(500, 6)
  })

  it('are taken by a standard error longer than those seen, of the window or of the minute that is believed', () => {
    // Exponential: as large as the mean. Of the tail, 1 of 500 lies beyond the last edge.
    expect(
      promptMean({ ...exponential(500, 8), seconds: 300 }) / (500 * (1 + 1 / Math.sqrt(2400))),
    ).toBeCloseTo(1, 2)
    const believed = { ...exponential(500, 8), seconds: 300, lately: lately(480, 1500) }
    expect(promptMean(believed) / (1500 * (1 + 1 / Math.sqrt(480)))).toBeCloseTo(1, 2)
  })

  it('are read anew between turns where they moved by 5 % and by more than chance', () => {
    const window = (mean: number, perSecond: number) => ({ ...exponential(mean, perSecond), seconds: 300 })
    for (const [perSecond, mean, anew] of [
      [20, 530, true],
      [20, 520, false],
      [0.5, 520, false],
      [0.5, 570, true],
    ] as const) {
      // Read a moment ago: no turn is due.
      const before = { ...read(window(500, perSecond), undefined), readAt: 1_767_225_600 }
      expect(read(window(mean, perSecond), before).shape !== before.shape, `${mean} at ${perSecond}/s`).toBe(
        anew,
      )
    }
  })

  it('remember what work a request was, as often as they are read anew', () => {
    const before = read(exponential(500, 8), undefined)
    expect(before.works).toHaveLength(1)
    // Three minutes old, so that no turn is due for what did not change.
    const older = { ...before, works: (before.works ?? []).map(({ work }) => ({ at: 1_767_225_420, work })) }
    const longer = read(exponential(1000, 8), older)
    const [then, now] = longer.works ?? []
    expect(longer.works).toHaveLength(2)
    expect((now?.work ?? 0) / (then?.work ?? 1)).toBeGreaterThan(1.3)
    expect((now?.work ?? 0) / (then?.work ?? 1)).toBeLessThan(2)
  })

  it.each([20, 100, 480])('are moved by chance in at most 2 of 100 minutes of %s requests', (requests) => {
    const random = new Random(7, requests)
    let moved = 0
    for (let minute = 0; minute < 1000; minute++) {
      let tokens = 0
      for (let i = 0; i < requests; i++) tokens -= 500 * Math.log(1 - random.uniform())
      const mean = promptMean({
        ...exponential(500, requests / 60),
        lately: lately(requests, tokens / requests),
      })
      if (Math.abs(mean / 500 - 1) > 1e-6) moved++
    }
    expect(moved).toBeLessThanOrEqual(20)
  })
})
