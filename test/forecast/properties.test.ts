// What holds for any demand at all, and how well the quantiles are kept on a process whose law is known.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/simulation/random.ts'
import { forecastOf, series, type Told, tellOne, tick, told } from './told.ts'

const rate = fc.oneof(
  fc.double({ min: 0, max: 1e9, noNaN: true }),
  fc.double({ min: 0, max: 50, noNaN: true }),
  fc.constant(0),
)
const step = fc.record({ seconds: fc.integer({ min: -30, max: 7200 }), rate })
const story = fc.record({
  first: rate,
  steps: fc.array(step, { maxLength: 80 }),
  lead: fc.integer({ min: 1, max: 100_000 }),
})

/** Irregular ticks: some missed, some repeated, some in the past. */
function lived({
  first,
  steps,
  lead,
}: {
  first: number
  steps: { seconds: number; rate: number }[]
  lead: number
}) {
  let at = 1_790_000_000
  let memory = tellOne(undefined, at, first, lead)
  const memories: Told[] = [memory]
  for (const { seconds, rate: demand } of steps) {
    at += seconds
    memory = tellOne(memory, at, demand, lead)
    memories.push(memory)
  }
  return memories
}

function numbersIn(value: unknown): number[] {
  if (typeof value === 'number') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersIn) : []
}

describe('forecast', () => {
  it('is finite and never negative, whatever arrives whenever', () => {
    fc.assert(
      fc.property(story, fc.double({ min: 0.01, max: 0.999, noNaN: true }), (lives, q) => {
        const memory = lived(lives).at(-1)
        if (memory === undefined) return
        expect(numbersIn(memory).every(Number.isFinite)).toBe(true)
        const { expected, atQuantile } = forecastOf(memory, q)
        expect(expected).toBeGreaterThanOrEqual(0)
        expect(atQuantile).toBeGreaterThanOrEqual(0)
        expect(Number.isFinite(expected) && Number.isFinite(atQuantile)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  it('never falls as the quantile rises', () => {
    fc.assert(
      fc.property(story, (lives) => {
        const memory = lived(lives).at(-1)
        if (memory === undefined) return
        const at = [0.5, 0.6, 0.75, 0.9, 0.95, 0.99].map((q) => forecastOf(memory, q).atQuantile)
        expect(at).toEqual(at.toSorted((x, y) => x - y))
      }),
      { numRuns: 200 },
    )
  })

  it('takes nothing from a tick that is repeated or lies in the past', () => {
    fc.assert(
      fc.property(story, rate, fc.integer({ min: 0, max: 1000 }), (lives, other, back) => {
        const memory = lived(lives).at(-1)
        if (memory === undefined) return
        expect(tellOne(memory, memory.at - back, other, lives.lead)).toBe(memory)
      }),
      { numRuns: 100 },
    )
  })

  it('is plain JSON, and stays small over 100,000 ticks', () => {
    const random = new Random(11)
    const day = (at: number) => 30 + 20 * Math.sin((2 * Math.PI * at) / 86_400) + random.uniform()
    const memory = told(series(100_000, day))
    expect(JSON.parse(JSON.stringify(memory))).toEqual(memory)
    expect(numbersIn(memory).length).toBeLessThan(2000)
    const slow = told(series(2000, day), { lead: 1e6 })
    expect(numbersIn(slow).length).toBeLessThan(1400)
  })

  it('after eight hours two servers that started apart forecast alike', () => {
    const random = new Random(12)
    const demands = series(24 * 240, (at) => 30 + 15 * Math.sin(at / 14_000) + random.normal())
    const old = forecastOf(told(demands), 0.9)
    const young = forecastOf(told(demands.slice(14 * 240), { from: 14 * 240 * tick }), 0.9)
    expect(young.basis).toBe('calibrated')
    expect(Math.abs(young.expected / old.expected - 1)).toBeLessThan(0.01)
    expect(Math.abs(young.atQuantile / old.atQuantile - 1)).toBeLessThan(0.02)
  })

  it('keeps its quantiles on autoregressive noise', () => {
    // ln demand: a mean of ln 50 with AR(1) noise of deviation 0.15 and a correlation of 0.95 a minute.
    const random = new Random(13)
    let noise = 0
    let memory: Told | undefined
    const asked: { due: number; at: readonly number[] }[] = []
    const quantiles = [0.5, 0.9, 0.95, 0.99]
    const covered = quantiles.map(() => 0)
    let judged = 0
    const perTick = 0.95 ** (tick / 60)
    for (let i = 0; i < 3 * 5760; i++) {
      noise = perTick * noise + 0.15 * Math.sqrt(1 - perTick ** 2) * random.normal()
      const demand = 50 * Math.exp(noise)
      const now = i * tick
      while (asked[0] !== undefined && asked[0].due <= now) {
        const { at } = asked.shift() ?? { at: [] }
        at.forEach((value, q) => {
          covered[q] = (covered[q] ?? 0) + (demand <= value ? 1 : 0)
        })
        judged++
      }
      memory = tellOne(memory, now, demand, 240)
      const known = memory
      if (i > 5760 && i % 8 === 0) {
        asked.push({ due: now + 240, at: quantiles.map((q) => forecastOf(known, q).atQuantile) })
      }
    }
    const coverage = covered.map((count) => count / judged)
    expect(judged).toBeGreaterThan(1400)
    quantiles.forEach((q, i) => {
      expect(Math.abs((coverage[i] ?? 0) - q)).toBeLessThan(q === 0.5 ? 0.05 : 0.02)
    })
  })
})
