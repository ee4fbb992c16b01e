// What was late beyond what an SLO's percentile allows: exact on the edges of histograms, on the safe side inside them.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Kept, keptBy } from '../../src/core/feedback/broken.ts'
import type { Histogram } from '../../src/core/histogram.ts'
import type { LatencyBound } from '../../src/core/policy.ts'
import { isMissing, missing } from '../../src/core/reading.ts'
import { observe, signals, trafficClass, variant } from '../decide/world.ts'

function histogram(perSecond: readonly number[]): Histogram {
  return { upperBounds: [0.25, 0.5, 1], perSecond, sumPerSecond: 1 }
}

function kept(ttft: LatencyBound, perSecond: readonly number[]): Kept {
  const chat = trafficClass('chat', { serviceLevel: { kind: 'interactive', ttft } })
  const found = keptBy(
    chat,
    [variant('h100')],
    observe(0, { h100: signals(1, 1, { ttft: histogram(perSecond) }) }),
  )
  if (isMissing(found)) throw new Error(`${found.missing}: ${found.detail}`)
  return found
}

const p95 = (seconds: number): LatencyBound => ({ percentile: 0.95, seconds })

describe('how an SLO was kept', () => {
  it('counts what is late beyond the allowance, exactly where the bound is an edge', () => {
    expect(kept(p95(0.5), [90, 6, 3, 1])).toEqual({ broken: 0, spent: expect.closeTo(0.8, 9) })
    const { broken, spent } = kept(p95(0.5), [40, 20, 30, 10])
    expect(broken).toBeCloseTo(0.35 / 0.95, 9)
    expect(spent).toBeCloseTo(8, 9)
    expect(kept(p95(0.5), [0, 0, 0, 5]).broken).toBeCloseTo(1, 9)
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
          expect(kept(p95(bound), shares).spent).toBeGreaterThanOrEqual(beyond(bound) / 0.05 - 1e-9)
        },
      ),
    )
  })

  it('says nothing where most events lie in the bucket of the bound, unless enough are surely late', () => {
    const chat = trafficClass('chat', { serviceLevel: { kind: 'interactive', ttft: p95(0.4) } })
    const at = (perSecond: readonly number[]) =>
      keptBy(chat, [variant('h100')], observe(0, { h100: signals(1, 1, { ttft: histogram(perSecond) }) }))
    expect(at([50, 49, 1, 0])).toEqual(missing('notReported', 'an edge of the histogram near 0.4 s'))
    expect(at([20, 50, 30, 0])).toEqual({
      broken: expect.closeTo(0.25 / 0.95, 9),
      spent: expect.closeTo(6, 9),
    })
  })

  it('takes the worse of TTFT and ITL, of all variants that serve the class, and what can be read of them', () => {
    const chat = trafficClass('chat')
    const fleet = [variant('h100'), variant('l40s'), variant('other', { classes: ['batch'] })]
    const late = { upperBounds: [0.05], perSecond: [80, 20], sumPerSecond: 1 }
    const good = histogram([100, 0, 0, 0])
    const h = signals(1, 1, { ttft: good, itl: { ...late, perSecond: [100, 0] } })
    const l = signals(1, 1, { ttft: good, itl: late })
    const both = keptBy(
      chat,
      fleet,
      observe(0, { h100: h, l40s: l, other: signals(1, 1, { ttft: histogram([0, 0, 0, 9]) }) }),
    )
    expect(both).toEqual({ broken: expect.closeTo(0.05 / 0.95, 9), spent: expect.closeTo(2, 9) })
    const half = keptBy(chat, fleet, observe(0, { h100: { ...h, itl: missing('noSeries') } }))
    expect(half).toEqual({ broken: 0, spent: 0 })
    expect(keptBy(chat, fleet, observe(0, {}))).toEqual(missing('idle'))
  })
})
