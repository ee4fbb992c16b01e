// How sure a plan is of the forecast: by the time that it takes to mend, and by how many requests may be late.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { quantileFor } from '../../src/core/forecast/lead.ts'

it('is surer the longer a start takes, within a half and 95 %', () => {
  const at = (leadSeconds: number): number => quantileFor('byLead', leadSeconds, 0.01)
  expect([96, 162, 228].map((lead) => Number(at(lead).toFixed(2)))).toEqual([0.66, 0.8, 0.86])
  expect([at(1), at(3600)]).toEqual([0.5, 0.95])
})

it('is surer where fewer may be late, never less sure than for 99 %, and as stated where it is stated', () => {
  expect(quantileFor('byLead', 162, 0.001)).toBeCloseTo(1 - 0.2 * Math.sqrt(0.1) * 1.0185, 3)
  const allowed = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(allowed, fc.integer({ min: 30, max: 7200 }), (share, lead) => {
      expect(quantileFor('byLead', lead, share)).toBeGreaterThanOrEqual(quantileFor('byLead', lead, 0.01))
      expect(quantileFor(0.7, lead, share)).toBe(0.7)
    }),
  )
})
