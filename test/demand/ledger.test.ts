// The ledger against queues whose every token is known: what it may get wrong only makes work older than it is.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { enter, type Ledger, type Lot, type WorkReading } from '../../src/core/demand/ledger.ts'

const hour = 3600

/** What happens between one reading and the next: a gap, then so much comes and so much is served, oldest first. */
interface Step {
  readonly gapSeconds: number
  readonly comes: number
  readonly served: number
}

const step: fc.Arbitrary<Step> = fc.record({
  gapSeconds: fc.integer({ min: 0, max: 600 }),
  comes: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1_000_000 })),
  served: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1_000_000 })),
})
const steps = fc.array(step, { minLength: 1, maxLength: 80 })

function sumOf(lots: readonly Lot[]): number {
  return lots.reduce((sum, { tokens }) => sum + tokens, 0)
}

/** Every reading of a queue that serves its oldest tokens first, with the ledger and the queue's own lots after it. */
function observed(history: readonly Step[], windowSeconds: number, told: 'backlog' | 'both') {
  let at = 1_000_000
  let queue: Lot[] = []
  let ledger: Ledger = enter(undefined, seen(at, 0), windowSeconds)
  return history.map(({ gapSeconds, comes, served }) => {
    const arrived = at + gapSeconds / 2
    at += gapSeconds
    if (gapSeconds > 0) queue = afterService([...queue, { tokens: comes, since: arrived }], served)
    const arriving = told === 'both' && gapSeconds > 0 ? comes / gapSeconds : 0
    ledger = enter(ledger, { ...seen(at, sumOf(queue)), arrivingPerSecond: arriving }, windowSeconds)
    return { at, queue, ledger }
  })
}

function seen(at: number, tokens: number): WorkReading {
  return { at, arrivingPerSecond: 0, left: { kind: 'seen', tokens } }
}

function afterService(queue: readonly Lot[], served: number): Lot[] {
  let left = served
  return queue.flatMap((lot) => {
    const taken = Math.min(left, lot.tokens)
    left -= taken
    return lot.tokens > taken ? [{ ...lot, tokens: lot.tokens - taken }] : []
  })
}

function olderThan(lots: readonly Lot[], instant: number): number {
  return sumOf(lots.filter(({ since }) => since <= instant))
}

describe('over random queues', () => {
  it('adds up to what is seen', () => {
    fc.assert(
      fc.property(steps, fc.constantFrom('backlog', 'both'), (history, told) => {
        for (const { queue, ledger } of observed(history, 6 * hour, told)) {
          const waiting = sumOf(queue)
          expect(Math.abs(sumOf(ledger.lots) - waiting)).toBeLessThanOrEqual(1e-9 * waiting)
        }
      }),
    )
  })

  it('never takes work for younger than it is, whether arrivals are told or not', () => {
    fc.assert(
      fc.property(steps, fc.constantFrom('backlog', 'both'), (history, told) => {
        for (const { queue, ledger } of observed(history, 6 * hour, told)) {
          for (const { since } of queue) {
            expect(olderThan(ledger.lots, since)).toBeGreaterThanOrEqual(olderThan(queue, since) * (1 - 1e-9))
          }
        }
      }),
    )
  })

  it('tells the age of a queue that never runs dry better when arrivals are told', () => {
    // 1,000 tokens come and go between any two readings; 10,000 wait all the time, for 10 readings each.
    const filled = { gapSeconds: 15, comes: 10_000, served: 0 }
    const steady = Array.from({ length: 100 }, (): Step => ({ gapSeconds: 15, comes: 1000, served: 1000 }))
    const age = (told: 'backlog' | 'both'): number => {
      const last = observed([filled, ...steady], hour, told).at(-1)
      return (last?.at ?? 0) - (last?.ledger.lots[0]?.since ?? 0)
    }
    expect(age('backlog')).toBe(101 * 15)
    // Ten readings, one more for the unknown moment between two, and a bin of 75 s.
    expect(age('both')).toBeLessThanOrEqual(11 * 15 + 75)
  })

  it('stays small and in order, however long the history and the lateness', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 400 }),
        fc.constantFrom(600, hour, 24 * hour),
        (history, window) => {
          for (const { ledger } of observed(history, window, 'both')) {
            expect(ledger.lots.length).toBeLessThanOrEqual(50)
            expect(ledger.lots.map(({ since }) => since)).toEqual(
              ledger.lots.map(({ since }) => since).sort((x, y) => x - y),
            )
            expect(JSON.parse(JSON.stringify(ledger))).toEqual(ledger)
          }
        },
      ),
      { numRuns: 30 },
    )
  })

  it('says the same when a reading is repeated', () => {
    fc.assert(
      fc.property(steps, (history) => {
        const last = observed(history, hour, 'backlog').at(-1)
        if (last === undefined) return
        expect(enter(last.ledger, seen(last.at, sumOf(last.ledger.lots)), hour)).toEqual(last.ledger)
      }),
    )
  })
})

describe('a restart', () => {
  const job = [{ gapSeconds: 15, comes: 600_000, served: 0 }]
  const worked = Array.from({ length: 60 }, (): Step => ({ gapSeconds: 15, comes: 0, served: 5000 }))

  it('loses nothing where the readings of the window are replayed', () => {
    const { ledger, at } = observed([...job, ...worked], hour, 'backlog').at(-1) ?? fail()
    // Every fourth reading is enough: the job came within one of its gaps.
    const replayed = observed([...job, ...worked], hour, 'backlog')
      .filter((_, i) => i % 4 === 0)
      .reduce<Ledger>((known, now) => enter(known, seen(now.at, sumOf(now.queue)), hour), {
        at: 1_000_000,
        lots: [],
        servedPerSecond: 0,
      })
    expect(replayed.lots).toEqual(ledger.lots)
    expect(replayed.at).toBe(at)
  })

  it('takes a backlog that was never seen before to have half of its time left', () => {
    expect(enter(undefined, seen(10_000, 600_000), hour).lots).toEqual([{ tokens: 600_000, since: 8200 }])
  })
})

function fail(): never {
  throw new Error('the history is empty')
}
