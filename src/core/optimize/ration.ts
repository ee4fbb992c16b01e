// Pools that cannot hold what many models need: the urgent are served first. Level by level of priority, each model
// plans its classes up to that level with what it has and what is still free; an earlier level never loses to a later
// one. Joint programs with whole numbers of this size are out of reach.
import type { EngineLimits, Engines } from './engine.ts'
import type { MixPool, MixProblem } from './mix.ts'
import { type JointPlan, planTogether } from './planTogether.ts'
import { minimums, type Proposal, proposal, refine } from './refine.ts'

const limits: EngineLimits = { relativeGap: 1e-3, maxNodes: 500 }

/** The cost bound is 0: a plan that leaves something short by a heuristic bounds no other. */
export function planByRations(
  problems: readonly MixProblem[],
  pools: readonly MixPool[],
  engines: Engines,
): JointPlan | undefined {
  const levels = [
    ...new Set(problems.flatMap((problem) => problem.classes.map((demand) => demand.priority))),
  ].sort((x, y) => x - y)
  const least = problems.map((problem) => pools.map((pool) => minimums([problem], pool)))
  const taken = least.map((gpus) => [...gpus])
  const free = pools.map(
    (pool, index) => pool.gpus - taken.reduce((sum, gpus) => sum + (gpus[index] ?? 0), 0),
  )
  const chosen: (Proposal | undefined)[] = problems.map(() => undefined)
  for (const level of levels) {
    for (const [model, problem] of problems.entries()) {
      const urgent = problem.classes.filter((demand) => demand.priority <= level)
      const isSettled = chosen[model] !== undefined && !urgent.some((demand) => demand.priority === level)
      if (isSettled) continue
      const own = taken[model] ?? []
      const ration = pools.map((pool, index) => ({
        ...pool,
        gpus: (own[index] ?? 0) + Math.max(0, free[index] ?? 0),
      }))
      const answer = planTogether([{ ...problem, classes: urgent }], ration, engines, limits)
      const plan = answer.status === 'failed' ? undefined : answer.plans[0]
      if (plan === undefined) return undefined
      const next = proposal(problem, model, plan, pools)
      for (const index of pools.keys()) {
        free[index] = (free[index] ?? 0) + (own[index] ?? 0) - (next.gpus[index] ?? 0)
      }
      taken[model] = [...next.gpus]
      chosen[model] = next
    }
  }
  const settled = chosen.filter((one) => one !== undefined)
  return settled.length < problems.length ? undefined : refine(problems, pools, settled, 0, engines)
}
