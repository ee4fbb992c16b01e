// Requests behind the shortest queue share no step while a replica is empty: in closed form, and both plants beside each other.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { metOnArrival, metWhileRunning } from '../../src/backtest/fluid/emptyReplicas.ts'
import { oneVariant, plantFor, siteFor, steady } from './sites.ts'

describe('the load that a request meets', () => {
  it('is the rate at its replica where there is one, or where none is ever empty', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-3, max: 60, noNaN: true }), (inSystem) => {
        expect(metWhileRunning(inSystem, 1)).toBe(1)
        expect(metOnArrival(inSystem, 1)).toBeCloseTo(1, 6)
      }),
    )
    expect(metWhileRunning(5, 8)).toBe(1)
    expect(metOnArrival(5, 8)).toBe(1)
  })

  it('of two replicas is what comes while the other one runs something too', () => {
    expect(metWhileRunning(0.4, 2)).toBeCloseTo(1 - Math.exp(-0.8), 12)
    expect(metOnArrival(0.4, 2)).toBeCloseTo((1 - 1.8 * Math.exp(-0.8)) / (1 - Math.exp(-0.4)), 12)
  })

  it('grows with what is in the system, up to the rate itself, and falls with the replicas there are', () => {
    const half = fc.double({ min: 0.01, max: 0.8, noNaN: true })
    fc.assert(
      fc.property(half, half, fc.integer({ min: 2, max: 60 }), (x, more, replicas) => {
        for (const met of [metWhileRunning, metOnArrival]) {
          const [less, then] = [met(x, replicas), met(x + more, replicas)]
          expect(less).toBeGreaterThanOrEqual(0)
          expect(then).toBeLessThanOrEqual(1)
          expect(then).toBeGreaterThanOrEqual(less - 1e-9)
          expect(met(x, replicas + 1)).toBeLessThanOrEqual(less + 1e-9)
        }
      }),
    )
  })
})

it('lets short answers keep their gaps on a fleet of mostly empty replicas, as every request simulated does', () => {
  const h100 = 'demo/chat/h100'
  /** One prompt of others among the few gaps of an answer breaks its bound. */
  const late = (fidelity: 'request' | 'fluid', replicas: number): number => {
    const traffic = steady([8], 1800, { prompt: 8192, output: 6 })
    const plant = plantFor(siteFor(oneVariant()), { fidelity, traffic, initial: { [h100]: replicas } })
    plant.advance(1900)
    const { gapGood, finished } = plant.service.classOf(0).minutes
    const sum = (counts: Float64Array) => counts.reduce((total, count) => total + count, 0)
    return 1 - sum(gapGood) / sum(finished)
  }
  // Without it the fluid plant had 22, 10 and 6 % late.
  expect(Math.abs(late('fluid', 4) - late('request', 4))).toBeLessThan(0.05)
  for (const replicas of [8, 12])
    expect(Math.abs(late('fluid', replicas) - late('request', replicas))).toBeLessThan(0.01)
})
