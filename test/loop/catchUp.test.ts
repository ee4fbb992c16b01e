// A server that starts anew takes, at any tick, the decision of the one that never stopped; and where the past cannot be
// read it says so and goes on.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decide } from '../../src/core/decide.ts'
import { historyWindow } from '../../src/core/forecast/history.ts'
import type { Observation } from '../../src/core/observation.ts'
import { nothingDecided } from '../../src/core/observe/ownSeries.ts'
import { instantsOf, type Span } from '../../src/core/span.ts'
import { emptyState } from '../../src/core/state.ts'
import { catchUp } from '../../src/loop/catchUp.ts'
import { readLatest } from '../../src/loop/readPast.ts'
import { Random } from '../../src/simulation/random.ts'
import { observe, policy, policySet, signals, tools, trafficClass, variant } from '../decide/world.ts'
import { begun, fleet, interval, live, never, options, past, recordOf, started, targetsOf } from './life.ts'

/** One in fifty is late. */
const late = { upperBounds: [0.5, 1, 2], perSecond: [97, 1, 2, 0], sumPerSecond: 40 }

const demand = fc.double({ min: 0, max: 120, noNaN: true })
const history = fc.record({
  demands: fc.array(demand, { minLength: 2, maxLength: 70 }),
  unseenAt: fc.uniqueArray(fc.integer({ min: 1, max: 70 }), { maxLength: 4 }),
  restart: fc.double({ min: 0, max: 0.999, noNaN: true }),
})

describe('catching up', () => {
  it('makes a restart at any tick of any history invisible in the decision', async () => {
    await fc.assert(
      fc.asyncProperty(history, async ({ demands, unseenAt, restart }) => {
        const life = await live(demands, new Set(unseenAt))
        const at = begun + Math.floor(restart * demands.length) * interval
        const { state, lost } = await started(at, life)
        expect(lost).toEqual([])
        const observation = life.observations.get(at) as Observation
        expect(decide(fleet, state, observation, tools).decision).toEqual(life.decided.get(at)?.decision)
      }),
      { numRuns: 5 },
    )
  }, 60_000)

  it('knows the peaks of the last hour that may be noise, and how noisy demand is', async () => {
    const random = new Random(11)
    const demands = Array.from({ length: 800 }, () => 90 * (1.05 - 0.1 * random.uniform()))
    const life = await live(demands, new Set())
    const ticks = [700, 741, 799]
    for (const tick of ticks) {
      const at = begun + tick * interval
      const { state } = await started(at, life)
      const lived = life.decided.get(at)
      expect(decide(fleet, state, life.observations.get(at) as Observation, tools).decision).toEqual(
        lived?.decision,
      )
    }
    const kinds = ticks.flatMap((tick) =>
      life.decided.get(begun + tick * interval)?.decision.policies[0]?.reasons.map(({ kind }) => kind),
    )
    expect(kinds).toContain('holdNoise') // without a held peak this would show nothing
  }, 60_000)

  it('goes on from the decision on record, however late that was scraped, with the headroom learnt by then', async () => {
    const random = new Random(5)
    const demands = Array.from({ length: 300 }, () => 60 + 50 * random.uniform())
    const life = await live(demands, new Set(), () => ({ ttft: late }))
    const at = begun + 290 * interval
    const lived = life.decided.get(at - interval)?.state
    const headroom = lived?.classes['chat/llama/chat']?.headroom
    expect(Math.abs(headroom?.learnt ?? 0)).toBeGreaterThan(0.01) // else there is nothing to lose
    for (const scrapedLate of [1, 3, 7]) {
      const decidedAgain: number[] = []
      const { state } = await started(at, life, {
        lastDecided: async (_, instant) => recordOf(life.decided, instant - scrapedLate * interval),
        decide: async (policies, before, observation) => {
          decidedAgain.push(observation.at)
          return decide(policies, before, observation, tools)
        },
      })
      expect(state).toEqual(lived)
      expect(decidedAgain.length).toBe(12 + scrapedLate - 1) // the staleness budget of two minutes, and one more
    }
  }, 60_000)

  it('decides all of the last window anew where the last targets are not on record', async () => {
    const life = await live(
      Array.from({ length: 150 }, (_, i) => 60 + 50 * Math.sin(i / 9)),
      new Set(),
    )
    const at = begun + 140 * interval
    let decisions = 0
    await started(at, life, {
      lastDecided: async () => nothingDecided,
      decide: async (policies, before, observation) => {
        decisions += 1
        return decide(policies, before, observation, tools)
      },
    })
    expect(decisions).toBe(104)
  }, 60_000)

  it('has the last targets and the peaks of the hold within moments, for a decision that cannot wait', async () => {
    const demands = Array.from({ length: 120 }, (_, i) => (i === 100 ? 110 : 40))
    const life = await live(demands, new Set())
    const previous = begun + 105 * interval
    const asked: number[] = []
    const ports = past(life, {
      observe: (policies, span, ...rest) => {
        asked.push(instantsOf(span).length)
        return past(life).observe(policies, span, ...rest)
      },
    })
    const { state, lost } = await readLatest(fleet, previous, ports, options, never)
    expect(lost).toEqual([])
    expect(asked.reduce((sum, count) => sum + count, 0)).toBeLessThan(100)
    const lived = life.decided.get(previous)?.state
    expect(state.variants['chat/llama/h100']?.target).toBe(lived?.variants['chat/llama/h100']?.target)
    expect(state.classes['chat/llama/chat']?.demand?.[0]).toMatchObject({ at: begun + 100 * interval })
    const next = life.observations.get(previous + interval) as Observation
    const { decision } = decide(fleet, state, next, tools)
    expect(targetsOf({ decision, state })).toEqual(targetsOf(life.decided.get(previous + interval)))
  }, 60_000)

  it('decides the ticks that were missed before the next one', async () => {
    const life = await live([40, 90, 90, 20, 20, 20, 20], new Set())
    const decidedAt = begun + interval
    const known = { state: life.decided.get(decidedAt)?.state ?? emptyState, decidedAt, policies: fleet }
    const asked: Span[] = []
    const at = begun + 6 * interval
    const { state } = await started(
      at,
      life,
      {
        observe: (policies, span, ...rest) => {
          asked.push(span)
          return past(life).observe(policies, span, ...rest)
        },
      },
      known,
    )
    expect(asked).toEqual([{ from: begun + 30, until: begun + 75, stepSeconds: 15 }])
    expect(state).toEqual(life.decided.get(at - interval)?.state)
  })

  it('knows the day from history alone, and asks for no more of it than demand', async () => {
    const asked: { readonly span: Span; readonly signals: string }[] = []
    const at = begun + 600
    const { state, lost } = await started(
      at,
      { observations: new Map(), decided: new Map() },
      {
        observe: async (_, span, wanted) => {
          asked.push({ span, signals: wanted })
          const busy = (instant: number) => 40 + 20 * Math.sin((2 * Math.PI * instant) / 86_400)
          return instantsOf(span).map((instant) =>
            observe(instant, { h100: signals(3, busy(instant)), spare: signals(1, 0) }),
          )
        },
      },
    )
    expect(lost).toEqual([])
    const { learntFrom, seasonFrom } = historyWindow(at)
    expect(asked[0]).toMatchObject({ span: { from: seasonFrom, stepSeconds: 300 }, signals: 'demand' })
    expect(asked.find(({ span }) => span.from === learntFrom)?.span.stepSeconds).toBe(60)
    expect(
      asked.filter(({ signals: wanted }) => wanted === 'all').every(({ span }) => span.from >= at - 1600), // 25 min of burstiness
    ).toBe(true)
    expect(Math.max(...asked.map(({ span }) => instantsOf(span).length))).toBeLessThanOrEqual(1440)
    const [next] = [decide(fleet, state, observe(at, { h100: signals(3, 54), spare: signals(1, 0) }), tools)]
    expect(next?.decision.policies[0]?.classes[0]?.forecast).toMatchObject({ basis: 'calibrated' })
  }, 20_000)

  it('asks in smaller parts where a part is refused', async () => {
    const life = await live([40, 40, 40], new Set())
    const at = begun + 3 * interval
    const { lost, state } = await started(at, life, {
      observe: (policies, span, ...rest) =>
        instantsOf(span).length > 100
          ? Promise.reject(new Error('query processing would load too many samples into memory'))
          : past(life).observe(policies, span, ...rest),
    })
    expect(lost).toEqual([])
    expect(state).toEqual((await started(at, life)).state)
  })

  it('says what it cannot read back, and keeps what it knew', async () => {
    const life = await live([40, 40, 40], new Set())
    const refuse = { observe: () => Promise.reject(new Error('HTTP status 404')) }
    const fresh = await started(begun + 45, life, refuse)
    expect(fresh).toEqual({
      state: emptyState,
      lost: ['the history of demand: HTTP status 404', 'the last minutes: HTTP status 404'],
    })
    const state = life.decided.get(begun)?.state ?? emptyState
    const old = { state, decidedAt: begun, policies: policySet([]) }
    expect((await started(begun + 45, life, refuse, old)).state).toBe(state)
  })

  it('gives up after its time, with what it has learnt by then', async () => {
    const life = await live([40, 40, 40], new Set())
    const { lost } = await catchUp(
      { policies: fleet, at: begun + 45, known: undefined },
      past(life, { observe: () => new Promise(() => undefined) }),
      { ...options, limitSeconds: 0.05 },
      never,
    )
    expect(lost[0]).toMatch(/^the history of demand: reading back took longer than 0.05 s$/)
  })

  it('dates waiting work of a class with a deadline by when it came', async () => {
    const batch = trafficClass('batch', {
      serviceLevel: { kind: 'latencyTolerant', completeWithinSeconds: 6 * 3600 },
      demand: { kind: 'query', backlogTokens: 'q' },
    })
    const policies = policySet([policy([variant('h100')], { classes: [batch] })])
    const at = begun + 600
    const came = at - 3 * 3600
    const backlog = (instant: number) => (instant < came ? 0 : 1_000_000)
    const seen = (instant: number) =>
      observe(instant, { h100: signals(1, 0) }, { batch: { backlogTokens: backlog(instant) } })
    const ports = past(
      { observations: new Map(), decided: new Map() },
      { observe: async (_, span) => instantsOf(span).map(seen) },
    )
    const { state } = await catchUp({ policies, at, known: undefined }, ports, options, never)
    const since = state.classes['chat/llama/batch']?.ledger?.lots[0]?.since ?? 0
    expect(Math.abs(since - came)).toBeLessThanOrEqual(60)
  })
})
