// How the forecast enters the decision: more than is there now when ups and downs were seen, never less, held like any
// other demand, and nothing learnt from what cannot be compared.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Decided } from '../../src/core/decide.ts'
import type { ClassDecision } from '../../src/core/decision.ts'
import { isMissing, missing } from '../../src/core/reading.ts'
import { sentence } from '../../src/core/sentence.ts'
import { Random } from '../../src/simulation/random.ts'
import { behavior } from '../behavior.ts'
import { blind, observe, policy, policySet, signals, story, trafficClass, variant } from './world.ts'

const cautious = { ...behavior, forecastQuantile: 0.9 }
const fleet = policySet([policy([variant('h100')], { behavior: cautious })])

function chatOf(step: Decided | undefined): ClassDecision {
  const found = step?.decision.policies[0]?.classes.find(({ name }) => name === 'chat')
  if (found === undefined) throw new Error('no class chat in the decision')
  return found
}

function forecastOf(step: Decided | undefined) {
  const { forecast } = chatOf(step)
  if (isMissing(forecast)) throw new Error(`no forecast: ${forecast.missing}`)
  return forecast
}

function memoryOf(step: Decided | undefined) {
  return step?.state.classes['chat/llama/chat']?.forecast
}

/** Demands of one class, one a tick of 15 s. */
function observed(demands: readonly number[], from = 0) {
  return demands.map((demand, i) => observe(from + i * 15, { h100: signals(3, demand) }))
}

describe('planning ahead', () => {
  it('plans for what has come at most, at the quantile, when a replica ordered now is ready', () => {
    const random = new Random(1)
    const demands = Array.from({ length: 480 }, () => 60 * (1 + 0.1 * random.normal()))
    const last = story(fleet, observed(demands)).at(-1)
    const { atQuantile, basis, horizonSeconds } = forecastOf(last)
    expect(basis).toBe('calibrated')
    expect(horizonSeconds).toBeCloseTo(1.1 * 180 + 30)
    // Independent noise of 10 %: the 90 % quantile of what comes lies 13 % above the mean.
    expect(atQuantile).toBeGreaterThan(60 * 1.08)
    expect(atQuantile).toBeLessThan(60 * 1.25)
    expect(chatOf(last).plannedFor).toBeGreaterThanOrEqual(atQuantile * 1.1)
    const reasons = last?.decision.policies[0]?.reasons.map(sentence) ?? []
    expect(reasons).toContainEqual(
      expect.stringMatching(
        /^a replica of chat ordered now is ready in 4 min: by then \d+\.\d req\/s at the 90 % quantile$/,
      ),
    )
  })

  it('is as sure of it as its errors are known, where no quantile is stated', () => {
    const byLead = policySet([
      policy([variant('h100')], { behavior: { ...behavior, forecastQuantile: 'byLead' } }),
    ])
    const steps = story(byLead, observed(Array.from({ length: 480 }, (_, i) => 60 + (i % 7))))
    const quantiles = steps.map((step) => forecastOf(step).quantile)
    // A start of 180 s is a lead of 228 s; its errors are known after twenty of them.
    expect(quantiles[0]).toBeCloseTo(1 - 33 / 228, 9)
    expect(quantiles.at(-1)).toBe(0.95)
    for (const [i, quantile] of quantiles.entries())
      expect(quantile).toBeGreaterThanOrEqual(quantiles[i - 1] ?? 0)
    expect(quantiles.indexOf(0.95) * 15).toBeGreaterThan(3600)
  })

  it('looks as far ahead as the slowest variant that can still grow takes to start', () => {
    const variants = [
      variant('h100', { startupSeconds: 60 }),
      variant('slow', { startupSeconds: 300 }),
      variant('pinned', { startupSeconds: 900, replicas: { min: 2, max: 2 } }),
    ]
    const seen = { h100: signals(1, 10), slow: signals(1, 10), pinned: signals(2, 10) }
    const [step] = story(policySet([policy(variants)]), [observe(0, seen)])
    expect(forecastOf(step).horizonSeconds).toBeCloseTo(1.1 * 300 + 30)
  })

  it('never plans below what is there now, whatever the forecast', () => {
    const demand = fc.double({ min: 0, max: 300, noNaN: true })
    fc.assert(
      fc.property(fc.array(demand, { minLength: 1, maxLength: 25 }), (demands) => {
        story(fleet, observed(demands)).forEach((step, i) => {
          expect(chatOf(step).plannedFor).toBeGreaterThanOrEqual((demands[i] ?? 0) * 1.1)
        })
      }),
      { numRuns: 30 },
    )
  })

  it('holds what it planned for, not only what it saw', () => {
    const steps = story(fleet, observed([60, 60, 40, 40, 40, 40, 40, 40, 40, 40, 40]))
    const planned = steps.map((step) => Number(chatOf(step).plannedFor))
    const [first = 0] = planned
    expect(first).toBeGreaterThan(60 * 1.1 * 1.04)
    expect(planned[5]).toBeGreaterThanOrEqual(first)
    expect(planned[10]).toBeLessThan(50 * 1.1)
  })

  it('lets a class at rest go to zero: a forecast starts nothing', () => {
    const chat = trafficClass('chat', { demand: { kind: 'query', requestsPerSecond: 'q' } })
    const idle = policySet([
      policy([variant('h100', { replicas: { min: 0, max: 9 } })], { classes: [chat], behavior: cautious }),
    ])
    const at = (second: number, demand: number) =>
      observe(second, { h100: signals(1, demand) }, { chat: { requestsPerSecond: demand } })
    const busy = Array.from({ length: 40 }, (_, i) => at(i * 15, i % 2 === 0 ? 0 : 8))
    const quiet = Array.from({ length: 42 }, (_, i) => at(600 + i * 15, 0))
    const last = story(idle, [...busy, ...quiet]).at(-1)
    expect(chatOf(last).plannedFor).toBe(0)
    expect(last?.decision.policies[0]?.variants[0]?.target).toBe(0)
    const [odd] = story(idle, [observe(0, { h100: signals(1, 0) }, { chat: { requestsPerSecond: -3 } })])
    expect(forecastOf(odd)).toMatchObject({ expected: 0, atQuantile: 0 })
  })

  it('learns nothing while an engine of the class cannot be read, and goes on afterwards', () => {
    const both = policySet([policy([variant('h100'), variant('spare')], { behavior: cautious })])
    const seen = (at: number) => observe(at, { h100: signals(1, 30), spare: signals(1, 30) })
    const half = (at: number) => observe(at, { h100: signals(1, 30), spare: blind(missing('stale')) })
    const steps = story(both, [seen(0), seen(15), half(30), half(45), seen(60)])
    expect(chatOf(steps[2]).forecast).toEqual({ missing: 'noSeries', detail: 'what arrives at spare' })
    expect(memoryOf(steps[3])).toEqual(memoryOf(steps[1]))
    expect(memoryOf(steps[4])?.learnt?.young.at).toBe(60)
    expect(forecastOf(steps[4]).expected).toBe(60)
  })

  it('leaves work that has a deadline to its deadline', () => {
    const batch = trafficClass('chat', {
      serviceLevel: { kind: 'latencyTolerant', completeWithinSeconds: 3600 },
    })
    const [step] = story(policySet([policy([variant('h100')], { classes: [batch], behavior: cautious })]), [
      observe(0, { h100: signals(1, 30) }),
    ])
    expect(chatOf(step)).toMatchObject({ forecast: { missing: 'notReported' }, plannedFor: 33 })
    expect(memoryOf(step)).toBeUndefined()
  })
})
