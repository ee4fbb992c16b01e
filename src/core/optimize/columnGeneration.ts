// Many models on short pools: each model proposes plans at given GPU prices, a master program picks one per model
// within the pools, and its dual values are the next prices (Dantzig and Wolfe, 1960). For any prices, the
// proposals less the value of the inventory bound every joint plan from below, so the gap is always known.
import type { EngineLimits, Engines, LinearProgram, Row } from './engine.ts'
import type { MixPool, MixProblem, MixVariant } from './mix.ts'
import { type JointPlan, planTogether } from './planTogether.ts'
import { minimums, type Proposal, proposal, refine } from './refine.ts'
import { solveVerified } from './verified.ts'

const maxRounds = 25
const pricing: EngineLimits = { relativeGap: 1e-4, maxNodes: 500 }
const master: EngineLimits = { relativeGap: 2e-4, maxNodes: 200 }

/** Choices that somebody would go short for; each makes the pools that lacked dearer and asks again. */
const maxAttempts = 6

/** Prices have converged when the master is within this of the bound. */
const converged = 2e-4

/**
 * A joint plan with a proven bound; undefined where the pools cannot hold what every model alone could serve: which
 * class then goes short is a question of priorities, not of prices.
 */
export function planByPrices(
  problems: readonly MixProblem[],
  pools: readonly MixPool[],
  engines: Engines,
): JointPlan | undefined {
  const limits = pools.map((pool) => Math.max(pool.gpus, minimums(problems, pool)))
  const dear = 100 * Math.max(...problems.flatMap((problem) => problem.variants.map(costPerGpu)))
  const proposals: Proposal[] = []
  let prices: readonly number[] = pools.map(() => 0)
  let lowerBound = Number.NEGATIVE_INFINITY
  let lacking = 0
  for (let round = 1; round <= maxRounds; round++) {
    const asked = askAll(problems, pools, prices, proposals, engines)
    if (asked === undefined) return undefined
    const worth = sum(prices, (price, index) => (price > 0 ? price * (limits[index] ?? 0) : 0))
    lowerBound = Math.max(lowerBound, asked.lowerBound - worth)
    const relaxed = relaxedMaster(proposals, problems.length, limits, dear, engines)
    if (relaxed === undefined) return undefined
    lacking = relaxed.lacking
    if (!asked.isNew || relaxed.objective - lowerBound <= converged * Math.abs(relaxed.objective)) break
    prices = relaxed.prices
  }
  if (lacking > 1e-6) return undefined
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    const chosen = choose(proposals, problems.length, limits, dear, engines)
    if (chosen === undefined) return undefined
    const refined = refine(problems, pools, chosen, lowerBound, engines)
    if (refined !== undefined) return refined
    prices = prices.map((price, index) => {
      const lacks = sum(chosen, (proposal) => proposal.gpus[index] ?? 0) > (limits[index] ?? 0)
      return lacks ? 1.5 * price + 1e-3 * dear : price
    })
    if (askAll(problems, pools, prices, proposals, engines) === undefined) return undefined
  }
  return undefined
}

/** Adds every model's proposal at these prices; their sum is the least that all can be had for. */
function askAll(
  problems: readonly MixProblem[],
  pools: readonly MixPool[],
  prices: readonly number[],
  proposals: Proposal[],
  engines: Engines,
): { readonly lowerBound: number; readonly isNew: boolean } | undefined {
  const before = proposals.length
  let lowerBound = 0
  for (const [model, problem] of problems.entries()) {
    const answer = propose(problem, model, pools, prices, engines)
    if (answer === undefined) return undefined
    lowerBound += answer.lowerBound
    if (!proposals.some((known) => isSame(known, answer.proposal))) proposals.push(answer.proposal)
  }
  return { lowerBound, isNew: proposals.length > before }
}

function propose(
  problem: MixProblem,
  model: number,
  pools: readonly MixPool[],
  prices: readonly number[],
  engines: Engines,
): { readonly proposal: Proposal; readonly lowerBound: number } | undefined {
  const priceOf = new Map(pools.map((pool, index) => [pool.name, prices[index] ?? 0]))
  const priced = {
    ...problem,
    variants: problem.variants.map((variant) => ({ ...variant, gpuPrice: priceOf.get(variant.pool) ?? 0 })),
  }
  const answer = planTogether([priced], pools, engines, pricing)
  const plan = answer.status === 'failed' ? undefined : answer.plans[0]
  if (answer.status === 'failed' || plan === undefined) return undefined
  return { proposal: proposal(problem, model, plan, pools), lowerBound: answer.lowerBound }
}

/** The relaxation over the proposals; what the pools lack can be had at a prohibitive price. */
function relaxedMaster(
  proposals: readonly Proposal[],
  models: number,
  limits: readonly number[],
  dear: number,
  engines: Engines,
): { readonly objective: number; readonly lacking: number; readonly prices: readonly number[] } | undefined {
  const program = masterProgram(proposals, models, limits, dear)
  const columns = program.columns.map((column) => ({ ...column, integer: false }))
  const answer = engines.large({ ...program, columns }, master)
  if (answer.status !== 'solved' || answer.rowPrices === undefined) return undefined
  return {
    objective: answer.lowerBound,
    lacking: sum(answer.values.slice(proposals.length), (gpus) => gpus),
    prices: limits.map((_, index) => Math.max(0, -(answer.rowPrices?.[models + index] ?? 0))),
  }
}

function choose(
  proposals: readonly Proposal[],
  models: number,
  limits: readonly number[],
  dear: number,
  engines: Engines,
): readonly Proposal[] | undefined {
  const program = masterProgram(proposals, models, limits, dear)
  const solved = solveVerified(program, { small: engines.large, large: engines.large }, master, 'unknown')
  if (solved.status !== 'solved') return undefined
  return proposals.filter((_, index) => (solved.values[index] ?? 0) > 0.5).sort((x, y) => x.model - y.model)
}

/**
 * One proposal per model, within the pools. Rows: models first, then pools; columns: proposals first, then what each
 * pool lacks, at a prohibitive price.
 */
function masterProgram(
  proposals: readonly Proposal[],
  models: number,
  limits: readonly number[],
  dear: number,
): LinearProgram {
  const one = Array.from(
    { length: models },
    (_, model): Row => ({
      lower: 1,
      upper: 1,
      entries: proposals.flatMap((proposal, column) =>
        proposal.model === model ? [{ column, coefficient: 1 }] : [],
      ),
    }),
  )
  const within = limits.map(
    (limit, pool): Row => ({
      lower: Number.NEGATIVE_INFINITY,
      upper: limit,
      entries: [
        ...proposals.flatMap((proposal, column) => {
          const coefficient = proposal.gpus[pool] ?? 0
          return coefficient > 0 ? [{ column, coefficient }] : []
        }),
        { column: proposals.length + pool, coefficient: -1 },
      ],
    }),
  )
  const picks = proposals.map(({ cost }) => ({ cost, lower: 0, upper: 1, integer: true }))
  const lacks = limits.map(() => ({ cost: dear, lower: 0, upper: Number.POSITIVE_INFINITY, integer: false }))
  return { columns: [...picks, ...lacks], rows: [...one, ...within] }
}

function isSame(x: Proposal, y: Proposal): boolean {
  if (x.model !== y.model || Math.abs(x.cost - y.cost) > 1e-9) return false
  return Object.entries(x.plan.replicas).every(([id, count]) => y.plan.replicas[id] === count)
}

function costPerGpu(variant: MixVariant): number {
  return variant.costPerHour / Math.max(1, variant.gpusPerReplica)
}

function sum<T>(items: readonly T[], value: (item: T, index: number) => number): number {
  return items.reduce((total, item, index) => total + value(item, index), 0)
}
