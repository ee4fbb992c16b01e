// What the sequences of a replica hold together varies: more of it makes steps longer and fills the KV cache with fewer
// of them. Taken at three levels. docs/MODEL.md, "Capacity of a unified replica", 3.
import type { Stage } from './chain.ts'
import type { Workload } from './lengths.ts'

/** Standard deviations from the mean, and how much of the time. */
export interface ContextLevel {
  readonly heavier: number
  readonly weight: number
}

/** A normal spread as three levels (Gauss-Hermite): right up to its fifth moment. */
export const threeLevels: readonly ContextLevel[] = [
  { heavier: 0, weight: 2 / 3 },
  { heavier: -Math.sqrt(3), weight: 1 / 6 },
  { heavier: Math.sqrt(3), weight: 1 / 6 },
]

/** Sequences that run at once: the most that hold no more than the cache (`heldTokens` of cycle.ts, solved for n). */
export function slotsAt({ m, varContext, kvTokens, maxNumSeqs }: Workload, heavier: number): number {
  const half = (heavier * Math.sqrt(varContext)) / (2 * m)
  const root = Math.sqrt(half * half + kvTokens / m) - half
  return Math.max(1, Math.floor(Math.min(maxNumSeqs, root * root)))
}

/**
 * How far the number in the system follows what they hold, as a share of the standard deviation: it takes a stay over
 * the elasticity `e` of the completions to follow, and a deviation lasts for its correlation time T only, so that of its
 * variance e T / (e T + stay) come through: a first-order lag driven by exponentially correlated noise.
 */
export function followed(stages: readonly Stage[], lambda: number, { dec, contextSteps }: Workload): number {
  const keepingUp = stages.findIndex(({ mu }) => mu >= lambda)
  const above = keepingUp < 0 ? stages.length - 1 : Math.max(1, keepingUp)
  const [from, to] = [stages[above - 1], stages[above]]
  if (from === undefined || to === undefined || !(dec > 0)) return 1
  const elasticity = Math.min(1, Math.max(0, Math.log(to.mu / from.mu) / Math.log(to.k / from.k)))
  const lasting = elasticity * contextSteps
  return Math.sqrt(lasting / (lasting + dec))
}
