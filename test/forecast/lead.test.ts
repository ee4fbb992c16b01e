// How sure a plan is of the forecast: by the time that it takes to mend, and by what is known of the forecast's errors.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { quantileFor } from '../../src/core/forecast/lead.ts'

const rounded = (quantile: number): number => Number(quantile.toFixed(2))

it('is surer the longer a start takes, within a half and 95 %', () => {
  const at = (leadSeconds: number): number => quantileFor('byLead', leadSeconds, 1)
  expect([30, 50, 96, 162].map((lead) => rounded(at(lead)))).toEqual([0.67, 0.8, 0.9, 0.94])
  expect([at(1), at(228), at(3600)]).toEqual([0.5, 0.95, 0.95])
})

it('is less sure as long as the spread of errors is assumed, and surer with each that is known', () => {
  expect([96, 162, 228].map((lead) => rounded(quantileFor('byLead', lead, 0)))).toEqual([0.66, 0.8, 0.86])
  const share = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(share, share, fc.integer({ min: 30, max: 7200 }), (x, y, lead) => {
      const at = (experience: number): number => quantileFor('byLead', lead, experience)
      expect(at(Math.max(x, y))).toBeGreaterThanOrEqual(at(Math.min(x, y)))
    }),
  )
})

it('is as stated where it is stated', () => {
  const lead = fc.integer({ min: 30, max: 7200 })
  const experience = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(fc.property(lead, experience, (seconds, known) => quantileFor(0.7, seconds, known) === 0.7))
})
