// What stops a plan from being cheaper, or its shortfall from being smaller: the limits that are reached and
// that something would pass if it could. What each is worth is explain.ts's question, answered by solving again.
import type { VariantId } from '../policy.ts'
import type { FlowTable } from './flows.ts'
import { unservable } from './instance.ts'
import type { Binding, MixPlan, MixPool, MixVariant } from './mix.ts'
import type { Block, MixProgram } from './program.ts'

export interface Outcome {
  readonly block: Block
  readonly pools: readonly MixPool[]
  readonly replicas: Readonly<Record<VariantId, number>>
  readonly shortfall: MixPlan['shortfall']
  readonly flow: FlowTable
  /** GPUs of each pool that all plans together leave free. */
  readonly freeGpus: ReadonlyMap<string, number>
}

export function bindings(outcome: Outcome): readonly Binding[] {
  const { block } = outcome
  const short = block.classes.filter((demand) => (outcome.shortfall[demand.id] ?? 0) > 0)
  const couldHelp = (variant: MixVariant): boolean =>
    short.length > 0
      ? short.some((demand) => block.problem.capacity(demand.id, variant.id, Math.max(1, variant.max)) > 0)
      : isReplaced(outcome, variant)
  const wanted = block.variants.filter(couldHelp)
  return [
    ...unservable(block).map((demand): Binding => ({ kind: 'noCapacity', class: demand.id })),
    ...wanted.filter((v) => v.max > v.min && count(outcome, v) === v.max).map(atMax),
    ...block.variants.filter((variant) => isAboveNeed(outcome, variant)).map(atMin),
    ...outcome.pools.filter((pool) => isFull(outcome, pool, wanted)).map(poolFull),
    ...(isBudgetSpent(outcome, wanted) ? [overBudget(block.problem.budgetPerHour ?? 0)] : []),
  ]
}

/** Minimum shares that had to be given up. */
export function unmetShares(mix: MixProgram, values: readonly number[], block: Block): readonly Binding[] {
  const own = new Set(block.variants.map((variant) => variant.id))
  return mix.minShares.flatMap((item): readonly Binding[] =>
    own.has(item.variant) && (values[item.column] ?? 0) > 1e-6
      ? [{ kind: 'minShare', variant: item.variant, class: item.class.id }]
      : [],
  )
}

function count(outcome: Outcome, variant: MixVariant): number {
  return outcome.replicas[variant.id] ?? 0
}

/** Whether another variant carries traffic, above its minimum, that this one could carry too. */
function isReplaced(outcome: Outcome, variant: MixVariant): boolean {
  const { block } = outcome
  return block.variants.some(
    (other) =>
      other.id !== variant.id &&
      count(outcome, other) > other.min &&
      block.classes.some(
        (demand) =>
          (outcome.flow.get(demand.id)?.get(other.id) ?? 0) > 0 &&
          block.problem.capacity(demand.id, variant.id, Math.max(1, variant.max)) > 0,
      ),
  )
}

/** At its minimum, and the minimum is more than its traffic needs. */
function isAboveNeed(outcome: Outcome, variant: MixVariant): boolean {
  const replicas = count(outcome, variant)
  if (variant.min === 0 || replicas !== variant.min) return false
  const needed = outcome.block.classes.reduce((sum, demand) => {
    const flow = outcome.flow.get(demand.id)?.get(variant.id) ?? 0
    return flow > 0 ? sum + flow / outcome.block.problem.capacity(demand.id, variant.id, replicas) : sum
  }, 0)
  return needed <= replicas - 1
}

function isFull(outcome: Outcome, pool: MixPool, wanted: readonly MixVariant[]): boolean {
  const free = outcome.freeGpus.get(pool.name) ?? Number.POSITIVE_INFINITY
  return wanted.some(
    (variant) =>
      variant.pool === pool.name && variant.gpusPerReplica > free && count(outcome, variant) < variant.max,
  )
}

function isBudgetSpent(outcome: Outcome, wanted: readonly MixVariant[]): boolean {
  const { budgetPerHour } = outcome.block.problem
  if (budgetPerHour === undefined) return false
  const left = outcome.block.variants.reduce(
    (money, variant) => money - variant.costPerHour * count(outcome, variant),
    budgetPerHour,
  )
  return wanted.some((variant) => variant.costPerHour > left && count(outcome, variant) < variant.max)
}

function atMax(variant: MixVariant): Binding {
  return { kind: 'max', variant: variant.id, replicas: variant.max }
}

function atMin(variant: MixVariant): Binding {
  return { kind: 'min', variant: variant.id, replicas: variant.min }
}

function poolFull(pool: MixPool): Binding {
  return { kind: 'pool', pool: pool.name, gpus: pool.gpus }
}

function overBudget(perHour: number): Binding {
  return { kind: 'budget', perHour }
}
