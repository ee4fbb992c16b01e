// Pools that cannot hold what many models need: who gets which GPUs? The joint program without whole numbers, solved
// level by level, says what a strict order of priorities would give to each model; each then plans with its ration,
// and what rounding leaves over goes round again. Joint programs with whole numbers of this size are out of reach.
import type { VariantId } from '../policy.ts'
import type { EngineLimits, Engines } from './engine.ts'
import { sizingAt } from './fixedPoint.ts'
import { memoized, toInstance } from './instance.ts'
import { solveInOrder } from './levels.ts'
import type { MixPool, MixProblem } from './mix.ts'
import { type JointPlan, planTogether } from './planTogether.ts'
import { buildProgram } from './program.ts'
import { minimums, type Proposal, proposal, refine } from './refine.ts'

const limits: EngineLimits = { relativeGap: 1e-3, maxNodes: 500 }

/** The cost bound is 0: what is short differs from the relaxation's, so its cost bounds nothing. */
export function planByRations(
  problems: readonly MixProblem[],
  pools: readonly MixPool[],
  engines: Engines,
): JointPlan | undefined {
  const wanted = relaxedCounts(problems, pools, engines)
  if (wanted === undefined) return undefined
  const free = new Map(pools.map((pool) => [pool.name, Math.max(pool.gpus, minimums(problems, pool))]))
  for (const problem of problems) {
    for (const pool of pools) free.set(pool.name, (free.get(pool.name) ?? 0) - minimums([problem], pool))
  }
  const urgentFirst = problems
    .map((problem, model) => ({ problem, model }))
    .sort((x, y) => urgency(x.problem) - urgency(y.problem) || x.model - y.model)
  const chosen: Proposal[] = []
  for (const { problem, model } of urgentFirst) {
    const ration = pools.map((pool) => {
      const least = minimums([problem], pool)
      const fair = problem.variants.reduce(
        (sum, variant) =>
          variant.pool === pool.name
            ? sum + variant.gpusPerReplica * Math.ceil((wanted.get(variant.id) ?? 0) - 1e-6)
            : sum,
        0,
      )
      return { ...pool, gpus: least + Math.max(0, Math.min(fair - least, free.get(pool.name) ?? 0)) }
    })
    const answer = planTogether([problem], ration, engines, limits)
    const plan = answer.status === 'failed' ? undefined : answer.plans[0]
    if (plan === undefined) return undefined
    const taken = proposal(problem, model, plan, pools)
    chosen.push(taken)
    for (const [index, pool] of pools.entries()) {
      const more = (taken.gpus[index] ?? 0) - minimums([problem], pool)
      free.set(pool.name, (free.get(pool.name) ?? 0) - more)
    }
  }
  const inOrder = chosen.sort((x, y) => x.model - y.model)
  return refine(problems, pools, inOrder, 0, engines)
}

function relaxedCounts(
  problems: readonly MixProblem[],
  pools: readonly MixPool[],
  engines: Engines,
): ReadonlyMap<VariantId, number> | undefined {
  const capacityAt = memoized()
  const instance = toInstance(problems, pools, capacityAt)
  const most = new Map(
    problems.flatMap((problem) => problem.variants.map((variant) => [variant.id, Math.max(1, variant.max)])),
  )
  const mix = buildProgram(instance, sizingAt(most, capacityAt), new Set())
  const columns = mix.program.columns.map((column) => ({ ...column, integer: false }))
  const onlyLarge = { small: engines.large, large: engines.large }
  const solved = solveInOrder({ ...mix, program: { ...mix.program, columns } }, onlyLarge, limits)
  if (solved.status !== 'solved') return undefined
  return new Map([...mix.counts].map(([id, column]) => [id, solved.values[column] ?? 0]))
}

function urgency(problem: MixProblem): number {
  return Math.min(...problem.classes.map((demand) => demand.priority))
}
