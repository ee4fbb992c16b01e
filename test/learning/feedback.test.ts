// What a minute teaches about headroom: stories of one class, a tick every 15 s.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  advance,
  type HeadroomInput,
  type HeadroomMemory,
  lenience,
} from '../../src/core/feedback/feedback.ts'
import { isMissing, missing } from '../../src/core/reading.ts'

const good: HeadroomInput = {
  base: 0,
  requestsPerSecond: 10,
  kept: { broken: 0.004, allowed: 0.01, bounds: 'all' },
  load: 0.8,
  coming: 'none',
  reach: 'withinReach',
}
const bad: HeadroomInput = { ...good, kept: { broken: 0.3, allowed: 0.01, bounds: 'all' } }
const spotless: HeadroomInput = { ...good, kept: { broken: 0, allowed: 0.01, bounds: 'all' }, load: 1.2 }

const idle: HeadroomInput = { ...good, kept: missing('idle') }

function afterMinutes(minutes: number, input: HeadroomInput, memory?: HeadroomMemory): HeadroomMemory {
  let now = memory ?? advance(undefined, 0, idle)
  const from = now.at
  for (let at = from + 15; at <= from + minutes * 60; at += 15) now = advance(now, at, input)
  return now
}

describe('sizing by what was learnt', () => {
  const learnt = (now: number, before = now): HeadroomMemory => {
    return { at: 60, learnt: now, before, spent: 0.5, lost: 0, reserve: 0.4, verdict: 'kept' }
  }

  it('lets more requests be late by the model the more headroom was given back, up to six times as many', () => {
    expect(lenience(undefined, 75)).toBe(1)
    expect(lenience(learnt(0.2), 75)).toBe(1)
    expect(lenience(learnt(-0.05), 75)).toBeCloseTo(Math.exp(0.5), 9)
    expect(lenience(learnt(-0.1), 75)).toBeCloseTo(Math.E, 9)
    expect(lenience(learnt(-0.35), 75)).toBe(6)
  })

  it('moves in whole steps, and a tick that is repeated is sized as it was', () => {
    expect(lenience(learnt(-0.0972), 75)).toBe(lenience(learnt(-0.1), 75))
    expect(lenience(learnt(-0.2, -0.1), 60)).toBe(lenience(learnt(-0.1), 75))
  })

  it('rests on the memory before a tick, whatever the tick teaches', () => {
    const known = learnt(-0.1)
    expect(lenience(advance(known, 75, bad), 75)).toBe(lenience(known, 75))
    expect(lenience(advance(known, 75, idle), 75)).toBe(lenience(known, 75))
  })
})

describe('headroom feedback', () => {
  it('adds headroom after bad minutes, and takes a little back after good ones', () => {
    const worse = afterMinutes(10, bad)
    expect(worse.verdict).toBe('tooFew')
    expect(worse.learnt).toBeCloseTo(10 * 0.04 * (0.3 - 0.0065), 3)
    const better = afterMinutes(60, good, worse)
    expect(better.verdict).toBe('kept')
    const aims = 0.0066 - 0.004
    expect(worse.learnt - better.learnt).toBeCloseTo(60 * 0.04 * aims + worse.learnt / 168, 3)
  })

  it('holds the goal in the long run, whatever share of the minutes is bad', () => {
    // A fleet whose minutes are bad as long as headroom is below what it needs, by as much as is missing.
    fc.assert(
      fc.property(fc.double({ min: -0.2, max: 0.4, noNaN: true }), (needed) => {
        let now = advance(undefined, 0, idle)
        let broken = 0
        const ticks = 4 * 60 * 48
        for (let i = 1; i <= ticks; i++) {
          const late = Math.min(1, Math.max(0, 2 * (needed - now.learnt)))
          if (i > ticks / 2) broken += late
          now = advance(now, 15 * i, {
            ...good,
            load: 0.9 / (1 + now.learnt),
            kept: { broken: late, allowed: 0.01, bounds: 'all' },
          })
        }
        expect(broken / (ticks / 2)).toBeLessThan(0.011)
        expect(now.learnt).toBeGreaterThan(needed - 0.05)
      }),
      { numRuns: 12 },
    )
  })

  it('holds the goal as a share of requests: a minute counts by how many came in it', () => {
    // By day ten times as much as by night, and only then are requests late: twice as many while headroom is short.
    let now = advance(undefined, 0, idle)
    const seen = { requests: 0, broken: 0 }
    const days = 8
    for (let i = 1; i <= days * 5760; i++) {
      const requestsPerSecond = i % 5760 < 2880 ? 10 : 100
      const late = requestsPerSecond === 10 ? 0 : Math.min(1, Math.max(0, 2 * (0.1 - now.learnt)))
      if (i > (days / 2) * 5760) {
        seen.requests += requestsPerSecond
        seen.broken += requestsPerSecond * late
      }
      now = advance(now, 15 * i, {
        ...good,
        requestsPerSecond,
        load: 0.9 / (1 + now.learnt),
        kept: { broken: late, allowed: 0.01, bounds: 'all' },
      })
    }
    // Judged by minutes it would be nearly twice as many: 100 of 55.
    expect(seen.broken / seen.requests).toBeLessThan(0.01)
    expect(seen.broken / seen.requests).toBeGreaterThan(0.006)
    expect(now.usual).toBeCloseTo(55, -1.5)
  })

  it('gives back faster where busy engines have kept the SLO for hours, and not between two bad spells', () => {
    const hours = afterMinutes(300, spotless)
    const later = afterMinutes(120, spotless, hours)
    expect(hours.learnt - later.learnt).toBeGreaterThan(120 * 0.001)
    // One bad spell ends that for hours.
    const spell = afterMinutes(15, bad, later)
    const next = afterMinutes(120, spotless, spell)
    expect(spell.learnt - next.learnt).toBeLessThan(120 * 0.0005)
  })

  it.each([
    ['what is planned does not come', { ...bad, load: 1.2 }, 'notReady'],
    ['headroom that is asked for does not come', { ...bad, base: 0.3, load: 0.9 }, 'notReady'],
    ['engines have little to do', { ...bad, load: 0.3 }, 'belowCapacity'],
    ['no replica meets the SLO', { ...bad, reach: 'outOfReach' }, 'outOfReach'],
    ['the histograms say nothing', { ...bad, kept: missing('idle') }, 'unknown'],
    ['demand is not known', { ...bad, load: missing('noSeries') }, 'unknown'],
    ['engines are quiet', { ...good, load: 0.5 }, 'quiet'],
    [
      'a bound cannot be read and the others are kept',
      { ...good, kept: { broken: 0, allowed: 0.01, bounds: 'some' } },
      'unknown',
    ],
  ] as const)('learns nothing where %s', (_, input, verdict) => {
    const memory = afterMinutes(30, input)
    expect(memory.verdict).toBe(verdict)
    expect(memory.learnt).toBe(0)
  })

  it.each([
    1.05, 1.5, 5,
  ])('learns nothing from requests that came before their replicas, asked for %s times', (load) => {
    const late = afterMinutes(5, { ...bad, load, coming: 'some' })
    expect(late.verdict).toBe('orderedLate')
    expect(late.learnt).toBe(0)
    expect(late.lost).toBeGreaterThan(0)
  })

  it('has the rest of a day make good what a jump took, and no more than the rest can', () => {
    const jump: HeadroomInput = { ...bad, kept: { broken: 1, allowed: 0.01, bounds: 'all' }, load: 3 }
    const before = afterMinutes(1, good)
    const after = afterMinutes(6, { ...jump, coming: 'some' }, before)
    // Six minutes of a day, all of them late: 0.42 of what may be late within it.
    expect(after.lost).toBeCloseTo(6 / 14.4, 1)
    expect(after.learnt).toBeCloseTo(before.learnt, 6)
    expect(afterMinutes(1, good, before).verdict).toBe('kept')
    expect(afterMinutes(1, good, after).verdict).toBe('tooFew')
    const worse = afterMinutes(60, { ...jump, coming: 'some' }, before)
    expect(
      afterMinutes(1, { ...good, kept: { broken: 0.001, allowed: 0.01, bounds: 'all' } }, worse).verdict,
    ).toBe('kept')
  })

  it('learns as fast for a goal of 99.9 %, of which a tenth as many may miss', () => {
    const strict = (input: HeadroomInput): HeadroomInput => {
      const { kept } = input
      return isMissing(kept)
        ? input
        : { ...input, kept: { ...kept, broken: kept.broken / 10, allowed: kept.allowed / 10 } }
    }
    for (const input of [good, bad])
      expect(afterMinutes(20, strict(input)).learnt).toBeCloseTo(afterMinutes(20, input).learnt, 9)
  })

  it('keeps back what jumps may take until days without them have passed, and again after one', () => {
    const nearlyAll: HeadroomInput = { ...good, kept: { broken: 0.009, allowed: 0.01, bounds: 'all' } }
    const jump: HeadroomInput = { ...bad, kept: { broken: 1, allowed: 0.01, bounds: 'all' }, load: 3 }
    const first = afterMinutes(1, good)
    expect(first.reserve).toBeCloseTo(0.3, 2)
    expect(afterMinutes(1, nearlyAll, first).verdict).toBe('tooFew')
    const days = afterMinutes(4 * 1440, good, first)
    expect(days.reserve).toBeLessThan(0.01)
    expect(afterMinutes(1, nearlyAll, days).verdict).toBe('kept')
    const jumped = afterMinutes(1440, good, afterMinutes(3, { ...jump, coming: 'some' }, days))
    expect(jumped.reserve).toBeGreaterThan(2 * jumped.lost)
    expect(afterMinutes(1, nearlyAll, jumped).verdict).toBe('tooFew')
  })

  it('holds the goal over days in which jumps break what no headroom keeps', () => {
    const needed = 0.1
    let now = advance(undefined, 0, idle)
    let broken = 0
    const days = 6
    const ticks = 4 * 60 * 24 * days
    for (let i = 1; i <= ticks; i++) {
      // Three minutes every twelve hours: 0.4 of what may break.
      const jumps = i % (4 * 60 * 12) < 12
      const late = jumps ? 1 : Math.min(1, Math.max(0, 2 * (needed - now.learnt)))
      if (i > ticks / 2) broken += late
      now = advance(now, 15 * i, {
        ...good,
        ...(jumps ? { load: 3, coming: 'some' } : { load: 0.9 / (1 + now.learnt) }),
        kept: { broken: late, allowed: 0.01, bounds: 'all' },
      })
    }
    expect(broken / (ticks / 2)).toBeLessThan(0.01)
    expect(broken / (ticks / 2)).toBeGreaterThan(0.006)
  })

  it('stays within its bounds, also around a headroom that the policy states beyond them', () => {
    const worst: HeadroomInput = { ...bad, kept: { broken: 1, allowed: 0.01, bounds: 'all' }, load: 0.6 }
    expect(afterMinutes(3000, worst).learnt).toBeCloseTo(0.6, 2)
    expect(afterMinutes(6000, { ...spotless, load: 1.5 }).learnt).toBeCloseTo(-0.3, 2)
    expect(afterMinutes(60, { ...bad, base: 1, load: 0.4 }).learnt).toBe(0)
  })

  it('fades while nothing teaches, learns one minute of a gap, and repeats no instant', () => {
    const learnt = afterMinutes(30, bad)
    expect(advance(learnt, learnt.at + 604_800, idle).learnt).toBeCloseTo(learnt.learnt / Math.E, 6)
    const gap = advance(learnt, learnt.at + 3600, bad)
    expect(gap.learnt - learnt.learnt).toBeLessThan(0.04 * 0.3)
    expect(advance(learnt, learnt.at, bad)).toBe(learnt)
  })
})
