// The share of requests beyond the bounds of an SLO: exact on the edges of histograms, on the safe side inside them.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Kept, keptBy } from '../../src/core/feedback/broken.ts'
import type { Histogram } from '../../src/core/histogram.ts'
import type { LatencyBound } from '../../src/core/policy.ts'
import { isMissing, missing } from '../../src/core/reading.ts'
import { observe, signals, trafficClass, variant } from '../decide/world.ts'

const goal = 0.99

function histogram(perSecond: readonly number[]): Histogram {
  return { upperBounds: [0.25, 0.5, 1], perSecond, sumPerSecond: 1 }
}

function kept(ttft: LatencyBound, perSecond: readonly number[], attainment = goal): Kept {
  const chat = trafficClass('chat', { serviceLevel: { kind: 'interactive', ttft } })
  const seen = observe(0, { h100: signals(1, 1, { ttft: histogram(perSecond) }) })
  const found = keptBy(chat, [variant('h100')], seen, attainment)
  if (isMissing(found)) throw new Error(`${found.missing}: ${found.detail}`)
  return found
}

const p95 = (seconds: number): LatencyBound => ({ percentile: 0.95, seconds })
const near = (value: number) => expect.closeTo(value, 9)

describe('how an SLO was kept', () => {
  it('counts what is late, exactly where the bound is an edge', () => {
    expect(kept(p95(0.5), [90, 6, 3, 1])).toEqual({ broken: near(0.04), allowed: near(0.01), bounds: 'all' })
    expect(kept(p95(0.5), [40, 20, 30, 10]).broken).toBeCloseTo(0.4, 9)
    expect(kept(p95(0.5), [0, 0, 0, 5]).broken).toBe(1)
  })

  it('allows what the goal leaves, or the bound’s own percentile where that is stricter', () => {
    expect(kept({ percentile: 0.999, seconds: 0.5 }, [1, 0, 0, 0]).allowed).toBeCloseTo(0.001, 9)
    expect(kept(p95(0.5), [1, 0, 0, 0], 0.9).allowed).toBeCloseTo(0.05, 9)
  })

  it('never counts too few inside a bucket where fewer and fewer are later', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.05, max: 0.15, noNaN: true }),
        fc.double({ min: 0.26, max: 0.99, noNaN: true }),
        (mean, bound) => {
          // Exponential latencies: the density falls everywhere.
          const beyond = (seconds: number): number => Math.exp(-seconds / mean)
          const shares = [1 - beyond(0.25), beyond(0.25) - beyond(0.5), beyond(0.5) - beyond(1), beyond(1)]
          expect(kept(p95(bound), shares).broken).toBeGreaterThanOrEqual(beyond(bound) - 1e-9)
        },
      ),
    )
  })

  it('says nothing where most events lie in the bucket of the bound, unless some are surely late', () => {
    const chat = trafficClass('chat', { serviceLevel: { kind: 'interactive', ttft: p95(0.4) } })
    const at = (perSecond: readonly number[]) =>
      keptBy(
        chat,
        [variant('h100')],
        observe(0, { h100: signals(1, 1, { ttft: histogram(perSecond) }) }),
        goal,
      )
    expect(at([50, 50, 0, 0])).toEqual(missing('notReported', 'an edge of the histogram near 0.4 s'))
    expect(at([20, 50, 30, 0])).toMatchObject({ broken: near(0.3), bounds: 'all' })
  })

  it('adds up the bounds over all variants that serve the class, tokens beyond their allowance alone', () => {
    const chat = trafficClass('chat')
    const fleet = [variant('h100'), variant('l40s'), variant('other', { classes: ['batch'] })]
    const gaps = { upperBounds: [0.05], perSecond: [80, 20], sumPerSecond: 1 }
    const ttft = histogram([98, 0, 2, 0])
    const h = signals(1, 1, { ttft, itl: { ...gaps, perSecond: [100, 0] } })
    const l = signals(1, 1, { ttft, itl: gaps })
    const other = signals(1, 1, { ttft: histogram([0, 0, 0, 9]) })
    const both = keptBy(chat, fleet, observe(0, { h100: h, l40s: l, other }), goal)
    expect(both).toEqual({ broken: near(0.05 / 0.95), allowed: near(0.01), bounds: 'all' })
    const half = keptBy(chat, fleet, observe(0, { h100: { ...h, itl: missing('noSeries') } }), goal)
    expect(half).toMatchObject({ broken: 0, bounds: 'some' })
    expect(keptBy(chat, fleet, observe(0, {}), goal)).toEqual(missing('idle'))
  })

  it('reads the mean gap of requests where a policy bounds it', () => {
    const tpot = { percentile: 0.99, seconds: 0.05 }
    const chat = trafficClass('chat', { serviceLevel: { kind: 'interactive', tpot } })
    const gaps = { upperBounds: [0.05], perSecond: [97, 3], sumPerSecond: 1 }
    const at = (reading: Histogram | ReturnType<typeof missing>) =>
      keptBy(chat, [variant('h100')], observe(0, { h100: signals(1, 1, { tpot: reading }) }), goal)
    expect(at(gaps)).toEqual({ broken: near(0.03), allowed: near(0.01), bounds: 'all' })
    expect(at(missing('notReported'))).toEqual(missing('notReported'))
  })
})
