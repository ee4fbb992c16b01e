// The behavior that tests share: plain values, so that a new field is added in one place.
import type { Behavior } from '../src/core/policy.ts'

export const behavior: Behavior = {
  forecastQuantile: 0.5,
  headroom: 0.1,
  attainment: 0.99,
  learn: { headroom: 'on', speed: 'on' },
  scaleDownHoldSeconds: 120,
  stepLimits: {},
  surviveReplicas: 0,
  hpaTolerance: 0,
  holdBand: 0.05,
  stalenessBudgetSeconds: 120,
  sloMargin: 0.95,
  maxLoad: 0.9,
  zero: { afterSeconds: 600 },
}
