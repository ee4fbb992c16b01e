// Schedules and known events as stories on a time line: what is asked for when, and in whose words.
import { describe, expect, it } from 'vitest'
import type { ReplicaBounds, Schedule, ScheduleWindow } from '../../src/core/policy.ts'
import { missing } from '../../src/core/reading.ts'
import { sentence } from '../../src/core/sentence.ts'
import { zoneOffsets } from '../../src/policy/zones.ts'
import { behavior } from '../behavior.ts'
import {
  blind,
  observe,
  policy,
  policySet,
  signals,
  story,
  trafficClass,
  variant,
  variantOf,
} from './world.ts'

/** Monday, 4 January 2027, 00:00 UTC. */
const monday = Date.UTC(2027, 0, 4) / 1000
const hour = 3600
/** Of a variant with a start-up of three minutes: 1.1 x 180 s + 30 s. */
const lead = 228

const officeHours: ScheduleWindow = {
  kind: 'weekly',
  days: [1, 2, 3, 4, 5],
  fromSecond: 8 * hour,
  untilSecond: 18 * hour,
  zone: [{ since: 0, seconds: 0 }],
}

function schedule(when: ScheduleWindow, changes: Partial<Schedule>): Schedule {
  return { title: 'schedule office-hours', when, hold: false, replicas: {}, demand: {}, ...changes }
}

function bounds(change: Partial<ReplicaBounds>): Partial<Schedule> {
  return { replicas: { 'chat/llama/h100': change } }
}

function demanded(asked: Schedule['demand'][string]): Partial<Schedule> {
  return { demand: { 'chat/llama/chat': asked } }
}

function scheduled(...schedules: readonly Schedule[]) {
  return policySet([policy([variant('h100')], { schedules, behavior: { ...behavior, holdBand: 0 } })])
}

function at(second: number, requestsPerSecond: number, ready = 1) {
  return observe(second, { h100: signals(ready, requestsPerSecond) })
}

function reasonsOf(step: ReturnType<typeof story>[number] | undefined): readonly string[] {
  const decided = step?.decision.policies[0]
  return [...(decided?.reasons ?? []), ...(decided?.variants[0]?.reasons ?? [])].map(sentence)
}

describe('bounds of a schedule', () => {
  const set = scheduled(schedule(officeHours, bounds({ min: 4, max: 6 })))

  it('raise the minimum one lead time ahead, so that replicas are ready when the window opens', () => {
    const opens = monday + 8 * hour
    const steps = story(set, [at(opens - lead - 15, 5), at(opens - lead, 5), at(opens, 5, 4)])
    expect(steps.map((step) => variantOf(step, 'h100').target)).toEqual([1, 4, 4])
    expect(reasonsOf(steps[1])).toContain('schedule office-hours: between 4 and 20 replicas')
    expect(reasonsOf(steps[2])).toContain('schedule office-hours: between 4 and 6 replicas')
  })

  it('lower the maximum when the window opens and not before', () => {
    const opens = monday + 8 * hour
    const steps = story(set, [at(opens - 15, 400, 12), at(opens, 400, 12), at(opens + 120, 400, 12)])
    expect(Number(variantOf(steps[0], 'h100').target)).toBeGreaterThan(6)
    expect(variantOf(steps[2], 'h100').target).toBe(6)
  })

  it('end with the window, and hold on no other day', () => {
    const closes = monday + 18 * hour
    const evening = story(set, [at(closes - 300, 5, 4), at(closes, 5, 4), at(closes + 15, 5, 4)])
    expect(variantOf(evening[0], 'h100').target).toBe(4)
    expect(variantOf(evening[2], 'h100').target).toBe(1)
    const [sunday] = story(set, [at(monday - 12 * hour, 5)])
    expect(variantOf(sunday, 'h100').target).toBe(1)
  })

  it('of several open windows the highest minimum and the lowest maximum count', () => {
    const both = scheduled(
      schedule(officeHours, bounds({ min: 4, max: 9 })),
      schedule(officeHours, { title: 'schedule market', ...bounds({ min: 2, max: 5 }) }),
    )
    const [step] = story(both, [at(monday + 9 * hour, 5)])
    expect(reasonsOf(step)).toContain('schedule office-hours and schedule market: between 4 and 5 replicas')
  })
})

describe('a window on the clock of a place', () => {
  const berlin = zoneOffsets('Europe/Berlin')
  if (berlin === undefined) throw new Error('the runtime knows no Europe/Berlin')

  it.each([
    ['winter', Date.UTC(2027, 0, 4, 7)],
    ['summer', Date.UTC(2027, 6, 5, 6)],
  ])('opens at eight there, in %s', (_, opensAt) => {
    const set = scheduled(schedule({ ...officeHours, zone: berlin }, bounds({ max: 1 })))
    const opens = opensAt / 1000
    // A lower maximum acts with the window itself.
    const steps = story(set, [at(opens - 15, 400, 8), at(opens, 400, 8)])
    expect(reasonsOf(steps[0]).join()).not.toContain('office-hours')
    expect(reasonsOf(steps[1])).toContain('schedule office-hours: between 1 and 1 replicas')
  })

  it('goes past midnight and belongs to the day on which it begins', () => {
    const night: ScheduleWindow = { ...officeHours, days: [5], fromSecond: 22 * hour, untilSecond: 30 * hour }
    const set = scheduled(schedule(night, { hold: true }))
    const friday = monday + 4 * 24 * hour
    const held = (second: number) =>
      reasonsOf(story(set, [at(second, 5)])[0])
        .join()
        .includes('holds')
    expect(held(friday + 21 * hour)).toBe(false)
    expect(held(friday + 23 * hour)).toBe(true)
    expect(held(friday + 29 * hour)).toBe(true)
    expect(held(friday + 30 * hour)).toBe(false)
    expect(held(friday + 5 * hour)).toBe(false)
  })
})

describe('a known event', () => {
  const begins = monday + 10 * hour
  const window: ScheduleWindow = { kind: 'once', fromSecond: begins, untilSecond: begins + 2 * hour }
  const event = (asked: Schedule['demand'][string]) =>
    schedule(window, { title: 'event launch', ...demanded(asked) })
  const plannedFor = (step: ReturnType<typeof story>[number] | undefined) =>
    Number(step?.decision.policies[0]?.classes[0]?.plannedFor)

  it('enters planning one lead time ahead, in its own words, and leaves it afterwards', () => {
    const set = scheduled(event({ atLeastPerSecond: 100 }))
    const steps = story(set, [
      at(begins - lead - 15, 10),
      at(begins - lead, 10),
      at(begins, 10, 3),
      at(begins + 2 * hour - 15, 10, 3),
      at(begins + 2 * hour + behavior.scaleDownHoldSeconds, 10, 3),
    ])
    expect(plannedFor(steps[0])).toBeCloseTo(11, 9)
    for (const step of steps.slice(1, 4)) expect(plannedFor(step)).toBeCloseTo(110, 9)
    expect(plannedFor(steps[4])).toBeCloseTo(11, 9)
    expect(Number(variantOf(steps[1], 'h100').target)).toBeGreaterThan(2)
    expect(reasonsOf(steps[1])).toContain('event launch asks for 100.0 req/s of chat: it begins in 4 min')
    expect(reasonsOf(steps[2])).toContain('event launch asks for 100.0 req/s of chat')
  })

  it('says nothing where more arrives anyway', () => {
    const [step] = story(scheduled(event({ atLeastPerSecond: 5 })), [at(begins + 60, 10)])
    expect(plannedFor(step)).toBeCloseTo(11, 9)
    expect(reasonsOf(step).join()).not.toContain('launch')
  })

  it('multiplies the demand from before, and not what has grown already', () => {
    const set = scheduled(event({ factor: 3 }))
    const steps = story(set, [
      at(begins - lead, 10),
      at(begins - 15, 10),
      at(begins + 15, 20),
      at(begins + 600, 30),
    ])
    for (const step of steps.slice(0, 3)) expect(plannedFor(step)).toBeCloseTo(33, 9)
    expect(plannedFor(steps[3])).toBeLessThan(33 * 1.2)
  })

  it('met open by a scaler that knows nothing of before, it takes what arrives for grown already', () => {
    const [step] = story(scheduled(event({ factor: 3 })), [at(begins + 600, 30)])
    expect(plannedFor(step)).toBeCloseTo(33, 9)
  })

  it('remembers the demand from before while its source is silent for a moment', () => {
    const chat = trafficClass('chat', { demand: { kind: 'query', requestsPerSecond: 'q' } })
    const set = policySet([policy([variant('h100')], { classes: [chat], schedules: [event({ factor: 3 })] })])
    const asked = (second: number, requestsPerSecond: number | ReturnType<typeof missing>) =>
      observe(second, { h100: signals(2, 10) }, { chat: { requestsPerSecond } })
    const steps = story(set, [
      asked(begins - 15, 10),
      asked(begins, missing('backendDown')),
      asked(begins + 15, 10),
    ])
    for (const step of steps) expect(plannedFor(step)).toBeCloseTo(33, 9)
  })

  it('starts a fleet from zero', () => {
    const gateway = trafficClass('chat', { demand: { kind: 'query', requestsPerSecond: 'q' } })
    const set = policySet([
      policy([variant('h100', { replicas: { min: 0, max: 9 } })], {
        classes: [gateway],
        schedules: [event({ atLeastPerSecond: 60 })],
      }),
    ])
    const silent = (second: number) =>
      observe(second, { h100: signals(0, 0) }, { chat: { requestsPerSecond: 0 } })
    const steps = story(set, [silent(begins - lead - 15), silent(begins - lead)])
    expect(variantOf(steps[0], 'h100').target).toBe(0)
    expect(Number(variantOf(steps[1], 'h100').target)).toBeGreaterThan(1)
  })
})

describe('a maintenance hold', () => {
  const set = scheduled(schedule(officeHours, { hold: true }))
  const opens = monday + 8 * hour

  it('freezes the targets whatever arrives, and lets go afterwards', () => {
    const steps = story(set, [
      at(opens - 30, 5),
      at(opens, 400),
      at(opens + 15, 0),
      at(monday + 18 * hour, 400),
    ])
    expect(steps.slice(0, 3).map((step) => variantOf(step, 'h100').target)).toEqual([1, 1, 1])
    expect(reasonsOf(steps[1])).toContain('schedule office-hours holds every target')
    expect(Number(variantOf(steps[3], 'h100').target)).toBeGreaterThan(4)
  })

  it('outlasts the staleness budget: a Prometheus that is taken down for maintenance changes nothing', () => {
    const steps = story(set, [
      at(opens, 5, 3),
      observe(opens + hour, { h100: blind(missing('backendDown')) }),
    ])
    expect(variantOf(steps[0], 'h100').target).toBe(3)
    expect(variantOf(steps[1], 'h100').target).toBe(3)
  })
})
