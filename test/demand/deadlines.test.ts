// Deadlines as a table: what was known, what is read, and the rate that follows, worked out by hand.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  lostDeadline,
  overdueWork,
  type Queue,
  rateByDeadline,
  type Supply,
} from '../../src/core/demand/deadlines.ts'
import type { Ledger, Lot } from '../../src/core/demand/ledger.ts'
import { tolerantDemand } from '../../src/core/demand/tolerant.ts'
import { isMissing, missing, type Reading } from '../../src/core/reading.ts'

// Work is to be complete within 3600 s; a request has 100 output tokens and takes 45 s, a tick is 15 s: a lot that
// came at `s` has 3600 + s - at - 60 seconds left, T. Lots are `tokens@since`, oldest first. A bin is 75 s wide.
// `supply` is what is ready, what is ready with what starts now, when that is, and how long a new start takes:
// `ready/coming/in/startup`. `arrive` is requests per second, `-` where the policy does not ask for it.
const table = `
scenario                        |  read | lots known               |    at | arrive | backlog |      supply | lots after                      |       rate
no backlog                      |     0 |                          |    15 |      - |       0 |     0/0/0/0 |                                 |          0
one job, just come              |     0 |                          |    15 |      - |  352500 |     0/0/0/0 | 352500@0                        |  3525/3525
the same, half an hour later    |  1800 | 352500@0                 |  1815 |      - |  352500 |     0/0/0/0 | 352500@0                        |  3525/1725
several, the last one binds     |  1200 | 120000@0 240000@600      |  1215 |      - |  720000 |     0/0/0/0 | 120000@0 240000@600 360000@1200 |  7200/3525
several, the first one binds    |  3000 | 300000@0 30000@2985      |  3015 |      - |  330000 |     0/0/0/0 | 300000@0 30000@2985             |   3000/525
two lots, the later one binds   |  1200 | 50000@0 300000@900       |  1215 |      - |  350000 |     0/0/0/0 | 50000@0 300000@900              |  3500/3225
a stale reading                 |  1200 | 50000@0 300000@900       |  1215 |      - |   stale |     0/0/0/0 | 50000@0 300000@900              |      stale
half an hour unread             |     0 | 100000@0                 |  1800 |      - |  300000 |     0/0/0/0 | 300000@0                        |  3000/1740
a gap longer than half a window |     0 | 100000@0                 |  2400 |      - |  300000 |     0/0/0/0 | 100000@0 200000@600             |  3000/1740
never read before               | never |                          | 10000 |      - |  100000 |     0/0/0/0 | 100000@8200                     |  1000/1740
an exhausted window             |  3600 | 60000@0                  |  3615 |      - |   60000 |     0/0/0/0 | 60000@0                         |     600/60
as good as exhausted            |  3540 | 60000@0                  |  3555 |      - |   60000 |     0/0/0/0 | 60000@0                         |     600/60
exhausted lots become one       |  9000 | 5000@0 5000@300 5000@900 |  9015 |      - |   12000 |     0/0/0/0 | 12000@0                         |     120/60
a cold start inside the window  |     0 |                          |    15 |      - |  360000 |   0/0/0/300 | 360000@0                        |  3600/3225
a cold start inside the margin  |  3185 | 60000@0                  |  3200 |      - |   60000 |   0/0/0/300 | 60000@0                         |     600/60
what is ready suffices          |     0 |                          |    15 |      - |  352500 |   1/1/0/300 | 352500@0                        |  3525/3525
what is ready does a part       |     0 |                          |    15 |      - |  705000 |   1/1/0/300 | 705000@0                        |  6750/3225
what starts now suffices        |   180 | 600000@0                 |   195 |      - |  600000 | 0/2/120/300 | 600000@0                        |  6000/3225
what starts now does a part     |   180 | 705000@0                 |   195 |      - |  705000 | 0/2/120/300 | 705000@0                        |  6690/3045
served to the very end          |  3480 | 4500@0                   |  3495 |      - |    4500 |   1/1/0/300 | 4500@0                          |      45/45
arrivals only                   |     0 |                          |    15 |      2 |       - |     0/0/0/0 | 3000@0                          |    30/3525
arrivals only, some served      |    15 | 6000@0                   |    30 |      2 |       - |   1/1/0/300 | 7500@0                          |    75/3510
arrivals only, first seen       | never |                          | 10000 |      2 |       - |     0/0/0/0 | 360000@8200                     |  3600/1740
arrivals beside a backlog       |  1800 | 100000@0                 |  1815 |      4 |  100000 |     0/0/0/0 | 94000@0 6000@1800               |   940/1725
arrivals unread beside one      |  1800 | 100000@0                 |  1815 |  stale |  100000 |     0/0/0/0 | 100000@0                        |  1000/1725
a younger job shrinks           |  1500 | 50000@0 50000@1500       |  1515 |      - |   60000 |     0/0/0/0 | 10000@0 50000@1500              |   600/3525
the tick is repeated            |  1800 | 352500@0                 |  1800 |      - |  352500 |     0/0/0/0 | 352500@0                        |  3525/1740
the clock jumps back            |  1800 | 177000@1500              |   900 |      - |  177000 |     0/0/0/0 | 177000@900                      |  1770/3540
a negative reading              |     0 | 1000@0                   |    15 |      - |      -5 |     0/0/0/0 |                                 |          0
huge numbers                    |     0 |                          |    15 |      - |   1e300 |     0/0/0/0 | 1e300@0                         | 1e298/3525
`

const rows = table
  .trim()
  .split('\n')
  .slice(1)
  .map((line) => line.split('|').map((cell) => cell.trim()))

describe('the rate by deadline', () => {
  it.each(rows)('%s', (_, read, lots, at, arrive, backlog, supply, after, rate) => {
    const known = read === 'never' ? undefined : { at: Number(read), lots: lotsIn(lots), servedPerSecond: 0 }
    const signals = {
      ...(arrive === '-' ? {} : { requestsPerSecond: readingIn(arrive) }),
      ...(backlog === '-' ? {} : { backlogTokens: readingIn(backlog) }),
    }
    const demand = tolerantDemand(
      signals,
      known,
      3600,
      { outputTokens: 100, seconds: 45 },
      supplyIn(supply),
      Number(at),
    )
    if (rate === 'stale') {
      expect(demand).toEqual(missing('stale'))
      return
    }
    if (isMissing(demand)) throw new Error(`a demand is missing: ${demand.missing}`)
    const [over = '', under = '1'] = (rate ?? '').split('/')
    const expected = Number(over) / Number(under)
    expect(Math.abs(demand.requestsPerSecond - expected)).toBeLessThanOrEqual(1e-12 * expected)
    expect(demand.ledger.at).toBe(Number(at))
    expect(demand.ledger.lots).toEqual(lotsIn(after))
  })
})

const queue: fc.Arbitrary<Queue> = fc
  .record({
    at: fc.integer({ min: 0, max: 20_000 }),
    requestSeconds: fc.integer({ min: 0, max: 120 }),
    work: fc.array(
      fc.record({
        requests: fc.double({ min: 0, max: 1e5, noNaN: true }),
        dueAt: fc.integer({ min: 0, max: 40_000 }),
      }),
      { maxLength: 8 },
    ),
  })
  .map((drawn) => ({ ...drawn, work: [...drawn.work].sort((x, y) => x.dueAt - y.dueAt) }))
const supplied: fc.Arbitrary<Supply> = fc
  .record({
    ready: fc.double({ min: 0, max: 20, noNaN: true }),
    more: fc.double({ min: 0, max: 20, noNaN: true }),
    startupSeconds: fc.integer({ min: 0, max: 600 }),
    elapsed: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ ready, more, startupSeconds, elapsed }) => ({
    ready,
    coming: ready + more,
    comingInSeconds: startupSeconds * elapsed,
    startupSeconds,
  }))
/** Less what rounding may take away, down to the smallest numbers there are. */
const almost = (rate: number): number => rate * (1 - 1e-9) - 1e-12

describe('over random queues and supplies, the rate', () => {
  it('does not fall while time passes and nothing is served', () => {
    fc.assert(
      fc.property(queue, supplied, fc.nat(10_000), (waiting, supply, seconds) => {
        const later = { ...waiting, at: waiting.at + seconds }
        expect(rateByDeadline(later, supply)).toBeGreaterThanOrEqual(almost(rateByDeadline(waiting, supply)))
      }),
    )
  })

  it('is not lowered by more work, due whenever', () => {
    fc.assert(
      fc.property(queue, supplied, fc.nat(1e5), fc.nat(40_000), (waiting, supply, requests, dueAt) => {
        const work = [...waiting.work, { requests, dueAt }].sort((x, y) => x.dueAt - y.dueAt)
        const more = rateByDeadline({ ...waiting, work }, supply)
        expect(more).toBeGreaterThanOrEqual(almost(rateByDeadline(waiting, supply)))
      }),
    )
  })

  it('is not lowered by tighter deadlines, longer requests or slower starts', () => {
    fc.assert(
      fc.property(queue, supplied, fc.nat(5000), fc.nat(300), (waiting, supply, tighter, slower) => {
        const rate = almost(rateByDeadline(waiting, supply))
        const work = waiting.work.map((lot) => ({ ...lot, dueAt: lot.dueAt - tighter }))
        expect(rateByDeadline({ ...waiting, work }, supply)).toBeGreaterThanOrEqual(rate)
        const requestSeconds = waiting.requestSeconds + slower
        expect(rateByDeadline({ ...waiting, requestSeconds }, supply)).toBeGreaterThanOrEqual(rate)
        const startupSeconds = supply.startupSeconds + slower
        expect(rateByDeadline(waiting, { ...supply, startupSeconds })).toBeGreaterThanOrEqual(rate)
      }),
    )
  })

  it('leaves no deadline lost that a start can still meet, and one percent less than it leaves one', () => {
    fc.assert(
      fc.property(queue, supplied, (waiting, supply) => {
        const reachable = waiting.at + waiting.requestSeconds + supply.startupSeconds + 75
        const work = waiting.work.filter(({ dueAt }) => dueAt > reachable)
        const feasible = { ...waiting, work }
        const rate = rateByDeadline(feasible, supply)
        expect(lostDeadline(feasible, supply, rate)).toBeUndefined()
        // The tick is a margin: without it the rate is exact.
        const exact = { ...feasible, requestSeconds: feasible.requestSeconds + 15 }
        const lost = lostDeadline(exact, supply, 0.99 * rate)
        if (rate > 2) expect(lost?.requests).toBeGreaterThan(0)
      }),
    )
  })
})

describe('following the rate exactly', () => {
  /** A fleet that serves what is asked as soon as it has started, a class whose jobs come at any moment. */
  const stage = fc.record({
    startupSeconds: fc.integer({ min: 0, max: 40 }).map((ticks) => 15 * ticks),
    requestSeconds: fc.integer({ min: 0, max: 120 }),
    slack: fc.double({ min: 1, max: 30, noNaN: true }),
    jobs: fc.array(
      fc.record({
        at: fc.double({ min: 0.01, max: 6000, noNaN: true }),
        requests: fc.double({ min: 1, max: 1e5, noNaN: true }),
      }),
      { minLength: 1, maxLength: 12 },
    ),
    told: fc.constantFrom('backlog', 'both'),
  })

  it('meets every deadline, starts and requests included', () => {
    fc.assert(
      fc.property(stage, ({ startupSeconds, requestSeconds, slack, jobs, told }) => {
        // The least window: what the margins take, a bin of the ledger (1/48) and the reading before the arrival.
        const windowSeconds = slack * 1.05 * (startupSeconds + requestSeconds + 60 + 15 + 15)
        const waiting = jobs.map((job) => ({ ...job, left: job.requests })).sort((x, y) => x.at - y.at)
        let ledger: Ledger | undefined = { at: 0, lots: [], servedPerSecond: 0 }
        let orders: readonly { readonly readyAt: number; readonly rate: number }[] = []
        for (let at = 15; waiting.some(({ left }) => left > 0) && at < 6000 + windowSeconds; at += 15) {
          const here = waiting.filter((job) => job.at <= at)
          const came = here.filter((job) => job.at > at - 15).reduce((sum, { requests }) => sum + requests, 0)
          const serves = (from: number): number =>
            orders.filter(({ readyAt }) => readyAt <= from).reduce((sum, { rate }) => sum + rate, 0)
          const coming = serves(Number.POSITIVE_INFINITY)
          const supply = {
            ready: serves(at),
            coming,
            comingInSeconds: Math.max(0, ...orders.map(({ readyAt }) => readyAt - at)),
            startupSeconds,
          }
          const demand = tolerantDemand(
            {
              backlogTokens: here.reduce((sum, { left }) => sum + left, 0),
              ...(told === 'both' ? { requestsPerSecond: came / 15 } : {}),
            },
            ledger,
            windowSeconds,
            { outputTokens: 1, seconds: requestSeconds },
            supply,
            at,
          )
          if (isMissing(demand)) throw new Error('a demand is missing')
          ledger = demand.ledger
          const rate = demand.requestsPerSecond
          if (rate > coming) orders = [...orders, { readyAt: at + startupSeconds, rate: rate - coming }]
          let served = 15 * Math.min(rate, serves(at))
          for (const job of here) {
            const taken = Math.min(served, job.left)
            served -= taken
            job.left = job.left - taken <= 1e-9 * job.requests ? 0 : job.left - taken
            const dueIn = job.at + windowSeconds - (at + 15 + requestSeconds)
            if (dueIn < 0) expect(job.left).toBe(0)
          }
        }
        expect(waiting.map(({ left }) => left)).toEqual(waiting.map(() => 0))
      }),
      { numRuns: 300 },
    )
  })

  it('does not hurry: a job alone is served at one rate from its first minute to its last', () => {
    let left = 1_000_000
    let ready = 0
    let known: Ledger | undefined = { at: 0, lots: [], servedPerSecond: 0 }
    const rates: number[] = []
    for (let at = 15; left > 0 && rates.length < 300; at += 15) {
      const supply = { ready, coming: ready, comingInSeconds: 0, startupSeconds: 0 }
      const size = { outputTokens: 100, seconds: 45 }
      const demand = tolerantDemand({ backlogTokens: left }, known, 3600, size, supply, at)
      if (isMissing(demand)) throw new Error('a demand is missing')
      ready = demand.requestsPerSecond
      known = demand.ledger
      left = left <= ready * 1500 * (1 + 1e-9) ? 0 : left - ready * 1500
      rates.push(ready)
    }
    // 3525 s in ticks of 15 s
    expect(rates).toHaveLength(235)
    for (const rate of rates) expect(rate).toBeCloseTo(10_000 / 3525, 6)
  })
})

describe('what is late', () => {
  const nothing: Supply = { ready: 0, coming: 0, comingInSeconds: 0, startupSeconds: 0 }
  const waiting: Queue = {
    at: 1000,
    requestSeconds: 0,
    work: [
      { requests: 10, dueAt: 400 },
      { requests: 20, dueAt: 1000 },
      { requests: 600, dueAt: 1600 },
      { requests: 600, dueAt: 2200 },
    ],
  }

  it('is what is past its deadline, from the oldest on', () => {
    expect(overdueWork(waiting)).toEqual({ requests: 30, dueAt: 400 })
    expect(overdueWork({ ...waiting, at: 399 })).toBeUndefined()
  })

  it('is what the carried rate leaves undone at the deadline it misses by most', () => {
    // At 0.5 per second 300 of 630 are served by 1600, and 600 of 1230 by 2200.
    expect(lostDeadline(waiting, nothing, 0.5)).toEqual({ requests: 630, dueAt: 2200 })
    // At 1.04 per second 6 are late at 1600; 1248 would be done by 2200.
    expect(lostDeadline(waiting, nothing, 1.04)?.requests).toBeCloseTo(6)
    expect(lostDeadline(waiting, nothing, 1.04)?.dueAt).toBe(1600)
    expect(lostDeadline(waiting, nothing, 1.05)).toBeUndefined()
  })

  it('counts that what is ordered now starts later', () => {
    // 420 s of the first 600 and 1020 s of the 1200 are left after a start of 180 s.
    expect(lostDeadline(waiting, { ...nothing, startupSeconds: 180 }, 1.05)).toEqual({
      requests: 630 - 1.05 * 420,
      dueAt: 1600,
    })
  })

  it('is nothing while less than one request is', () => {
    expect(lostDeadline(waiting, nothing, 1.0499)).toBeUndefined()
  })
})

function lotsIn(cell = ''): readonly Lot[] {
  return cell
    .split(' ')
    .filter((text) => text.includes('@'))
    .map((text) => {
      const [tokens, since] = text.split('@')
      return { tokens: Number(tokens), since: Number(since) }
    })
}

function readingIn(cell = ''): Reading {
  return cell === 'stale' ? missing('stale') : Number(cell)
}

function supplyIn(cell = ''): Supply {
  const [ready = 0, coming = 0, comingInSeconds = 0, startupSeconds = 0] = cell.split('/').map(Number)
  return { ready, coming, comingInSeconds, startupSeconds }
}
