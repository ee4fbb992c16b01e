// How many of a class's requests may miss its SLO: what the goal leaves, or the percentile of a bound where that is stricter.
import type { ServiceLevel } from './policy.ts'

/** What the default goal of 99 % allows: what learning is set for. */
export const usualLate = 0.01

/** 0..1. `attainment`: the share of requests that shall keep the SLO. A bound on each token says nothing of requests. */
export function allowedLate(level: ServiceLevel, attainment: number): number {
  if (level.kind !== 'interactive') return 1 - attainment
  return 1 - Math.max(attainment, level.ttft?.percentile ?? 0, level.tpot?.percentile ?? 0)
}
