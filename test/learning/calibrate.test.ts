// What teaches the speed of engines and what does not, tick by tick, and how far and how fast it may go.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  advance,
  type SpeedInput,
  type SpeedMemory,
  speedWindowSeconds,
} from '../../src/core/calibrate/calibrate.ts'
import { corrected } from '../../src/core/calibrate/correction.ts'
import type { Histogram } from '../../src/core/histogram.ts'
import type { VariantSignals } from '../../src/core/observation.ts'
import { missing } from '../../src/core/reading.ts'
import { h100, signals } from '../decide/world.ts'

const limits = { maxNumSeqs: 256, maxNumBatchedTokens: 8192, kvTokens: 400_000 }

/** Four engines that each decode 20 sequences with this mean gap: their profile says some 9 ms. */
function seen(gapSeconds: number, changes: Partial<VariantSignals> = {}): VariantSignals {
  const gapsPerSecond = 20 / gapSeconds
  const firstTokensPerSecond = gapsPerSecond / 129
  const all = (perSecond: number, sumPerSecond: number): Histogram => ({
    upperBounds: [1],
    perSecond: [4 * perSecond, 0],
    sumPerSecond: 4 * sumPerSecond,
  })
  return signals(4, 4 * firstTokensPerSecond, {
    running: 80,
    generationTokensPerSecond: 4 * (gapsPerSecond + firstTokensPerSecond),
    itl: all(gapsPerSecond, 20),
    ttft: all(firstTokensPerSecond, 0.03 * firstTokensPerSecond),
    typicalEngine: {
      gapsPerSecond,
      gapSecondsPerSecond: 20,
      firstTokensPerSecond,
      ttftSecondsPerSecond: 0.03 * firstTokensPerSecond,
    },
    ...changes,
  })
}

function input(signalsNow: VariantSignals | undefined, changes: Partial<SpeedInput> = {}): SpeedInput {
  return { role: 'unified', profile: h100, limits, signals: signalsNow, ...changes }
}

/** Ticks of 15 s. */
function afterMinutes(
  minutes: number,
  of: (at: number) => SpeedInput,
  memory?: SpeedMemory,
  from = 0,
): SpeedMemory {
  let now = memory
  for (let at = from; at <= from + minutes * 60; at += 15) now = advance(now, at, of(at))
  if (now === undefined) throw new Error('no tick')
  return now
}

describe('learning how fast engines are', () => {
  it('applies a deviation in bounded steps, once there are five samples of settled engines', () => {
    const slow = (): SpeedInput => input(seen(0.014))
    // Two minutes to settle, then a sample a minute.
    expect(afterMinutes(5, slow).samples).toHaveLength(4)
    expect(afterMinutes(5, slow)).not.toHaveProperty('learnt')
    const first = afterMinutes(6, slow)
    expect(first.learnt?.applied.base).toBeCloseTo(Math.exp(0.08), 6)
    const later = afterMinutes(25, slow)
    expect(later.learnt?.ratio).toBeGreaterThan(1.4)
    expect(later.learnt?.offSince).toBe(360)
    expect(later.samples.length).toBeLessThanOrEqual(20)
    const base = later.learnt?.applied.base ?? 0
    expect(later.learnt && corrected(h100, later.learnt.applied).a).toBeCloseTo(h100.a * base, 9)
  })

  it('corrects nothing by what profiles are only fitted to, and all of what is beyond it', () => {
    // The gap at which the profile is right, for as many first tokens as it comes with.
    let right = 0.009
    for (let i = 0; i < 30; i++) {
      const gap = afterMinutes(4, () => input(seen(right))).samples.at(-1)?.gap
      right = ((gap?.base ?? 0) + (gap?.slopes ?? 0)) / 1000
    }
    const learnt = (times: (at: number) => number) =>
      afterMinutes(40, (at) => input(seen(right * times(at)))).learnt
    expect(learnt(() => 1.03)?.ratio).toBe(1)
    expect(learnt((at) => 1 + 0.04 * Math.sin(at / 700))?.ratio).toBe(1)
    expect(learnt(() => 1.08)?.ratio).toBeCloseTo(1.08, 1)
    expect(learnt(() => 1.08)?.ratio).toBeGreaterThan(1.05)
    expect(learnt(() => 0.9)?.ratio).toBeLessThan(0.93)
  })

  it('takes engines for no faster where first tokens come late: a queue stalls nobody who decodes', () => {
    const late = (seconds: number) => {
      const usual = seen(0.009).typicalEngine
      if (usual === undefined || 'missing' in usual) throw new Error('no engine')
      const ttftSecondsPerSecond = seconds * usual.firstTokensPerSecond
      return afterMinutes(4, () => input(seen(0.009, { typicalEngine: { ...usual, ttftSecondsPerSecond } })))
    }
    const predicted = (memory: SpeedMemory) => {
      const gap = memory.samples.at(-1)?.gap
      return (gap?.base ?? Number.NaN) + (gap?.slopes ?? Number.NaN)
    }
    expect(predicted(late(10)) / predicted(late(0.03))).toBeCloseTo(1, 2)
  })

  it('never corrects a measured profile by more than a factor of two, an estimate by four', () => {
    const crawling = input(seen(0.0255))
    expect(afterMinutes(60, () => crawling).learnt?.applied.base).toBeCloseTo(2, 1)
    const guess = { ...h100, quality: 'guess' as const }
    const learnt = afterMinutes(60, () => input(seen(0.0255), { profile: guess }))
    expect(learnt.learnt?.applied.base).toBeGreaterThan(2.5)
    // Five times as slow is not a slow engine but a broken one.
    expect(afterMinutes(60, () => input(seen(0.05))).samples).toEqual([])
  })

  it.each([
    ['replicas are not known', { replicas: missing('backendDown') }],
    ['nothing runs', { replicas: { desired: 0, ready: 0, starting: 0, terminating: 0 } }],
    ['many replicas go', { replicas: { desired: 4, ready: 4, starting: 0, terminating: 2 } }],
    ['requests wait', { waiting: 30 }],
    ['sequences are computed twice', { preemptionsPerSecond: 0.1 }],
    ['tokens are counted otherwise', { generationTokensPerSecond: 1000 }],
    ['the engines do not tell', { typicalEngine: missing('noSeries') }],
    ['lengths are not known', { outputTokens: missing('idle') }],
    [
      'engines are almost idle',
      {
        typicalEngine: {
          gapsPerSecond: 10,
          gapSecondsPerSecond: 0.2,
          firstTokensPerSecond: 0.1,
          ttftSecondsPerSecond: 0.01,
        },
      },
    ],
  ] as const)('learns nothing while %s', (_, changes) => {
    expect(afterMinutes(20, () => input(seen(0.014, changes))).samples).toEqual([])
  })

  it('learns nothing for two minutes after replicas came', () => {
    const grown = afterMinutes(3, () => input(seen(0.009)))
    expect(grown.samples).toHaveLength(2)
    const six = { desired: 6, ready: 6, starting: 0, terminating: 0 }
    const next = afterMinutes(1.75, () => input(seen(0.02, { replicas: six })), grown, 195)
    expect(next.samples).toEqual(grown.samples)
  })

  it('learns nothing while replicas come one by one, until two minutes after more than a fifth of them', () => {
    const ready = (at: number) => Math.min(8, 4 + Math.max(0, Math.floor((at - 300) / 45)))
    const grown = (minutes: number) =>
      afterMinutes(minutes, (at) => {
        const count = ready(at)
        return input(seen(0.009, { replicas: { desired: 8, ready: count, starting: 0, terminating: 0 } }))
      })
    // They came at 345, 390, 435 and 480 s: five are more than a fifth above four, eight above six, not above seven.
    expect(grown(5.5).samples).toHaveLength(4)
    expect(grown(9).samples).toHaveLength(4)
    expect(grown(9.5).samples).toHaveLength(5)
  })

  it('has the same samples whenever it began to look, if that was before the window', () => {
    const tick = fc.record({
      seconds: fc.integer({ min: 0, max: 40 }).map((n) => (n === 0 ? 200 : n < 5 ? 40 : 15)),
      ready: fc.integer({ min: 0, max: 40 }).map((n) => (n === 0 ? 13 : n < 5 ? 11 : 10)),
      gap: fc.double({ min: 0.009, max: 0.016, noNaN: true }),
      state: fc.constantFrom('seen', 'seen', 'seen', 'seen', 'idle', 'unknown'),
    })
    const start = fc.integer({ min: 0, max: 1800 })
    let compared = 0
    fc.assert(
      fc.property(fc.array(tick, { minLength: 150, maxLength: 200 }), start, (ticks, from) => {
        let [always, late]: (SpeedMemory | undefined)[] = []
        let at = 0
        for (const { seconds, ready, gap, state } of ticks) {
          at += seconds
          const counts = { desired: ready, ready, starting: 0, terminating: 0 }
          const replicas = state === 'unknown' ? missing('stale') : counts
          const idle = state === 'idle' ? { typicalEngine: missing('idle') } : {}
          const now = input(seen(gap, { replicas, ...idle }))
          always = advance(always, at, now)
          if (at < from) continue
          late = advance(late, at, now)
          if (at < from + speedWindowSeconds) continue
          const { learnt: _, ...rest } = always
          const { learnt: __, ...other } = late
          expect(other).toEqual(rest)
          compared += rest.samples.length
        }
      }),
      { numRuns: 30 },
    )
    expect(compared).toBeGreaterThan(1000)
  })

  it('learns of decode engines from their gaps, and nothing of prefill engines', () => {
    const decode = afterMinutes(12, () => input(seen(0.014), { role: 'decode' }))
    expect(decode.learnt?.ratio).toBeGreaterThan(1.3)
    expect(decode.samples[0]).not.toHaveProperty('first')
    expect(afterMinutes(12, () => input(seen(0.014), { role: 'prefill' })).samples).toEqual([])
  })

  it('begins anew with another profile, keeps what it knows through a night, and repeats no instant', () => {
    const learnt = afterMinutes(20, () => input(seen(0.014)))
    expect(advance(learnt, learnt.at, input(seen(0.014)))).toBe(learnt)
    const night = afterMinutes(
      8 * 60,
      () => input(seen(0.014, { typicalEngine: missing('idle') })),
      learnt,
      1215,
    )
    expect(night.learnt).toEqual(learnt.learnt)
    const other = advance(learnt, learnt.at + 15, input(seen(0.014), { profile: { ...h100, a: 9 } }))
    expect(other).not.toHaveProperty('learnt')
    expect(other.samples).toEqual([])
  })

  it('is plain JSON and small', () => {
    const memory = afterMinutes(60, () => input(seen(0.014)))
    expect(JSON.parse(JSON.stringify(memory))).toEqual(memory)
    expect(JSON.stringify(memory).length).toBeLessThan(8000)
  })
})
