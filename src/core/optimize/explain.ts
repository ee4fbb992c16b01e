// Why this mix, as data: what a GPU, a dollar of budget and a request per second are worth, what each stated
// restriction costs, and the next best mix. Prices come from the linear relaxation, everything else from solving again.
import type { ClassId, VariantId } from '../policy.ts'
import type { EngineLimits, Engines } from './engine.ts'
import { sizingAt } from './fixedPoint.ts'
import { memoized, toInstance } from './instance.ts'
import type { MixPlan, MixProblem, MixVariant } from './mix.ts'
import { planMix } from './planMix.ts'
import { weighed } from './planTogether.ts'
import { buildProgram } from './program.ts'

export interface Explanation {
  /** Absent where something is short: then the next GPU is worth demand, not money. */
  readonly prices?: ShadowPrices
  /** Dearest first; restrictions that cost nothing are left out. */
  readonly restrictions: readonly RestrictionCost[]
  /** The cheapest plan with other counts; absent where there is none without a shortfall. */
  readonly runnerUp?: { readonly replicas: Readonly<Record<VariantId, number>>; readonly morePerHour: number }
}

/** Per hour, by the relaxation without whole numbers: exact for small changes, a hint for a whole replica. */
export interface ShadowPrices {
  readonly relaxedPerHour: number
  /** What one more GPU saves. */
  readonly gpu: Readonly<Record<string, number>>
  /** What one more dollar of budget saves; absent without a budget. */
  readonly budgetDollar?: number
  /** What one more request per second costs. */
  readonly requestPerSecond: Readonly<Record<ClassId, number>>
}

export type Restriction =
  | { readonly kind: 'min'; readonly variant: VariantId; readonly replicas: number }
  | { readonly kind: 'max'; readonly variant: VariantId; readonly replicas: number }
  | { readonly kind: 'minShare'; readonly variant: VariantId; readonly share: number }
  | { readonly kind: 'maxShare'; readonly variant: VariantId; readonly share: number }
  | { readonly kind: 'pool'; readonly pool: string; readonly gpus: number }
  | { readonly kind: 'budget'; readonly perHour: number }
  | { readonly kind: 'surviveReplicas'; readonly replicas: number }
  | { readonly kind: 'hpaTolerance'; readonly tolerance: number }
  | { readonly kind: 'holdBand'; readonly share: number }

export interface RestrictionCost {
  readonly restriction: Restriction
  /** Cost and starts per hour that go away without it. */
  readonly costPerHour: number
  /** Requests per second, over all classes, that are short only because of it. */
  readonly shortfall: number
}

const limits: EngineLimits = { relativeGap: 1e-6, maxNodes: 1_000 }

/** `plan` is the plan of `problem`. Solves some tens of small programs: for people who ask, not for every tick. */
export function explainMix(problem: MixProblem, plan: MixPlan, engines: Engines): Explanation {
  const prices = shadowPrices(problem, engines)
  const runnerUp = nextBest(problem, plan, engines)
  return {
    ...(prices === undefined ? {} : { prices }),
    restrictions: restrictions(problem)
      .map(({ restriction, without }) => ({ restriction, ...difference(problem, plan, without, engines) }))
      .filter((cost) => cost.costPerHour > 1e-6 || cost.shortfall > 1e-6)
      .sort((x, y) => y.shortfall - x.shortfall || y.costPerHour - x.costPerHour),
    ...(runnerUp === undefined ? {} : { runnerUp }),
  }
}

/** Undefined where the relaxation has no solution that meets everything. */
export function shadowPrices(problem: MixProblem, engines: Engines): ShadowPrices | undefined {
  const now = relaxed(problem, engines)
  if (now === undefined) return undefined
  const requestPerSecond: Record<ClassId, number> = {}
  for (const demand of problem.classes) {
    // A program counts shares of the demand, so its dual value is not the price of a request: one more is asked for.
    const more = Math.max(1e-4, 1e-4 * demand.requestsPerSecond)
    const grown = { ...demand, requestsPerSecond: demand.requestsPerSecond + more }
    const classes = problem.classes.map((other) => (other.id === demand.id ? grown : other))
    const after = relaxed({ ...problem, classes }, engines)
    if (after !== undefined) requestPerSecond[demand.id] = (after.relaxedPerHour - now.relaxedPerHour) / more
  }
  return { ...now, requestPerSecond }
}

function relaxed(problem: MixProblem, engines: Engines): Omit<ShadowPrices, 'requestPerSecond'> | undefined {
  const capacityAt = memoized()
  const instance = toInstance([problem], problem.pools, capacityAt)
  const most = new Map(problem.variants.map((variant) => [variant.id, Math.max(1, variant.max)]))
  const mix = buildProgram(instance, sizingAt(most, capacityAt), new Set())
  const unmet = new Set(mix.levels.flat().map((entry) => entry.column))
  const columns = mix.program.columns.map((column, index) =>
    unmet.has(index) ? { ...column, upper: 0 } : { ...column, integer: false },
  )
  const answer = engines.large({ ...mix.program, columns }, limits)
  if (answer.status !== 'solved' || answer.rowPrices === undefined) return undefined
  const { rowPrices } = answer
  const worth = (row: number): number => Math.max(0, -(rowPrices[row] ?? 0))
  const budget = mix.named.budgets.get(problem)
  return {
    relaxedPerHour: answer.lowerBound,
    gpu: Object.fromEntries([...mix.named.pools].map(([pool, row]) => [pool, worth(row)])),
    ...(budget === undefined ? {} : { budgetDollar: worth(budget) }),
  }
}

/** Whatever differs from the plan differs in some count, so the best of these is the runner-up. */
function nextBest(problem: MixProblem, plan: MixPlan, engines: Engines): Explanation['runnerUp'] {
  if (plan.status === 'shortfall') return undefined
  const cost = weighed(problem, plan)
  let best: Explanation['runnerUp']
  for (const variant of problem.variants) {
    const count = plan.replicas[variant.id] ?? 0
    for (const bounds of [{ max: count - 1 }, { min: count + 1 }]) {
      const changed = { ...variant, ...bounds }
      if (changed.min > changed.max) continue
      const variants = problem.variants.map((other) => (other.id === variant.id ? changed : other))
      const answer = planMix({ ...problem, holdBand: 0, variants }, engines)
      if (answer.status !== 'optimal' || unmet(answer) > unmet(plan) || !fits(problem, answer)) continue
      const morePerHour = weighed(problem, answer) - cost
      if (best === undefined || morePerHour < best.morePerHour)
        best = { replicas: answer.replicas, morePerHour }
    }
  }
  return best
}

/** Minimums outrank pools and budget in a program, so that one more of a variant would always seem to fit. */
function fits(
  { variants, pools, budgetPerHour = Number.POSITIVE_INFINITY }: MixProblem,
  plan: MixPlan,
): boolean {
  const total = (of: (variant: MixVariant) => number, counts: (variant: MixVariant) => number): number =>
    variants.reduce((sum, variant) => sum + of(variant) * counts(variant), 0)
  const within = (of: (variant: MixVariant) => number, most: number): boolean =>
    total(of, ({ id }) => plan.replicas[id] ?? 0) <=
    Math.max(
      most,
      total(of, ({ min }) => min),
    ) +
      1e-9
  return (
    within(({ costPerHour }) => costPerHour, budgetPerHour) &&
    pools.every(({ name, gpus }) =>
      within(({ pool, gpusPerReplica }) => (pool === name ? gpusPerReplica : 0), gpus),
    )
  )
}

/** Losses not covered and minimum shares not reached: giving those up is no other way to do the same. */
function unmet({ binding }: MixPlan): number {
  return binding.filter(({ kind }) => kind === 'redundancy' || kind === 'minShare').length
}

function difference(
  problem: MixProblem,
  plan: MixPlan,
  without: MixProblem,
  engines: Engines,
): { readonly costPerHour: number; readonly shortfall: number } {
  const answer = planMix(without, engines)
  if (answer.status === 'failed') return { costPerHour: 0, shortfall: 0 }
  const shortfall = shortOf(plan) - shortOf(answer)
  // Serving more costs more: that is not what the restriction costs.
  const costPerHour = shortfall > 1e-6 ? 0 : weighed(problem, plan) - weighed(problem, answer)
  return { costPerHour, shortfall: Math.max(0, shortfall) }
}

function shortOf(plan: MixPlan): number {
  return Object.values(plan.shortfall).reduce((sum, rate) => sum + rate, 0)
}

interface Stated {
  readonly restriction: Restriction
  readonly without: MixProblem
}

function restrictions(problem: MixProblem): readonly Stated[] {
  const { budgetPerHour, ...unbudgeted } = problem
  const { surviveReplicas, hpaTolerance, holdBand = 0 } = problem
  const stated: Stated[] = problem.pools.map((pool) => ({
    restriction: { kind: 'pool', pool: pool.name, gpus: pool.gpus },
    without: { ...problem, pools: problem.pools.filter((other) => other !== pool) },
  }))
  if (budgetPerHour !== undefined) {
    stated.push({ restriction: { kind: 'budget', perHour: budgetPerHour }, without: unbudgeted })
  }
  if (surviveReplicas > 0) {
    const without = { ...problem, surviveReplicas: 0 }
    stated.push({ restriction: { kind: 'surviveReplicas', replicas: surviveReplicas }, without })
  }
  if (hpaTolerance > 0) {
    const without = { ...problem, hpaTolerance: 0 }
    stated.push({ restriction: { kind: 'hpaTolerance', tolerance: hpaTolerance }, without })
  }
  if (holdBand > 0) {
    stated.push({ restriction: { kind: 'holdBand', share: holdBand }, without: { ...problem, holdBand: 0 } })
  }
  return [...stated, ...problem.variants.flatMap((variant) => variantRestrictions(problem, variant))]
}

function variantRestrictions(
  problem: MixProblem,
  variant: MixProblem['variants'][number],
): readonly Stated[] {
  const { id, min, max, minShare, maxShare } = variant
  const change = (differs: Partial<typeof variant>): MixProblem => ({
    ...problem,
    variants: problem.variants.map((other) => (other.id === id ? { ...other, ...differs } : other)),
  })
  // Ten times as many are as good as any number, and keep the program's coefficients in range.
  const most = 10 * Math.max(1, max)
  const stated: Stated[] = [
    { restriction: { kind: 'max', variant: id, replicas: max }, without: change({ max: most }) },
  ]
  if (min > 0) {
    stated.push({ restriction: { kind: 'min', variant: id, replicas: min }, without: change({ min: 0 }) })
  }
  if (minShare > 0) {
    stated.push({
      restriction: { kind: 'minShare', variant: id, share: minShare },
      without: change({ minShare: 0 }),
    })
  }
  if (maxShare < 1) {
    stated.push({
      restriction: { kind: 'maxShare', variant: id, share: maxShare },
      without: change({ maxShare: 1 }),
    })
  }
  return stated
}
