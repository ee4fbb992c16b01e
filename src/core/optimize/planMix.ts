// The cheapest mix for one model with its own pools: what a decision asks for each policy. Equal inputs give equal
// plans, in whatever order classes, variants and pools are listed.
import type { EngineLimits, Engines } from './engine.ts'
import { held } from './hold.ts'
import type { MixFailure, MixPlan, MixProblem } from './mix.ts'
import { planTogether } from './planTogether.ts'

/** Proven optimal up to the tie-break. Models of 32 variants take tens of nodes, the tail some hundreds. */
export const modelLimits: EngineLimits = { relativeGap: 1e-7, maxNodes: 2_000 }

/** Fails where no engine's answer survives its check. */
export function planMix(problem: MixProblem, engines: Engines): MixPlan | MixFailure {
  const together = planTogether([problem], problem.pools, engines, modelLimits)
  if (together.status === 'failed') return together
  const plan = together.plans[0]
  if (plan === undefined) return { status: 'failed', why: 'no plan' }
  return held(problem, plan, engines) ?? plan
}
