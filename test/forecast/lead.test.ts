// How sure a plan is of the forecast: by the time that it takes to mend.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { quantileFor } from '../../src/core/forecast/lead.ts'

it('is surer the longer a start takes, within a half and 95 %', () => {
  const at = (leadSeconds: number): number => quantileFor('byLead', leadSeconds)
  expect([30, 50, 96, 162].map((lead) => Number(at(lead).toFixed(2)))).toEqual([0.67, 0.8, 0.9, 0.94])
  expect([at(1), at(228), at(3600)]).toEqual([0.5, 0.95, 0.95])
})

it('is as stated where it is stated', () => {
  fc.assert(fc.property(fc.integer({ min: 30, max: 7200 }), (lead) => quantileFor(0.7, lead) === 0.7))
})
