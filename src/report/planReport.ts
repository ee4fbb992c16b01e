// What the report of a plan says, as plain JSON: now against plan at one instant, why, and what would change it.
import type { Capacity } from '../core/capacity/question.ts'
import type { ClassDecision, CostPerHour, Decision, VariantDecision } from '../core/decision.ts'
import { rounded } from '../core/explain/alternatives.ts'
import type { Observation } from '../core/observation.ts'
import type { PolicySet, Variant } from '../core/policy.ts'
import { isMissing, missing, type Reading } from '../core/reading.ts'
import { limitName, sentence } from '../core/sentence.ts'
import { plannedCount } from '../core/totals.ts'
import { type Doubled, doubled, type Planning } from './planning.ts'
import { type SizedBy, sizedBy } from './sizedBy.ts'

export interface PlanReportInput {
  readonly version: string
  /** The command line that made it. */
  readonly command: string
  readonly whatIf?: string
  /** Those that were decided on. */
  readonly policies: PolicySet
  readonly observation: Observation
  readonly decision: Decision
  readonly planning: Planning
}

export interface PlanReport {
  readonly format: 'mixscaler-plan-report/1'
  readonly version: string
  readonly command: string
  readonly whatIf?: string
  /** Seconds since the epoch. */
  readonly at: number
  readonly costPerHour: CostPerHour
  /** What the plan costs more than what runs, as a share of it. */
  readonly changeShare: Reading
  readonly worstClass: ClassFigures | { readonly unknown: string }
  readonly bottleneck: PoolFigures | { readonly unknown: string }
  readonly doubled: Doubled | { readonly unknown: string }
  readonly policies: readonly PolicyFigures[]
  readonly pools: readonly PoolFigures[]
  readonly planning: Planning
  readonly sizedBy: readonly SizedBy[]
  readonly warnings: readonly string[]
}

export interface PolicyFigures {
  readonly id: string
  readonly model: string
  readonly status: 'planned' | 'shortfall' | 'held'
  readonly costPerHour: CostPerHour
  readonly reasons: readonly string[]
  readonly classes: readonly ClassFigures[]
  readonly variants: readonly VariantFigures[]
}

/** Rates per second; attainment 0..1. */
export interface ClassFigures {
  readonly class: string
  readonly demand: Reading
  readonly forecast: Reading
  readonly plannedFor: Reading
  readonly shortfall: Reading
  readonly ttftAttainment: Reading
  readonly itlAttainment: Reading
  /** The lower of the two. */
  readonly attainment: Reading
}

export interface VariantFigures {
  readonly name: string
  readonly role: string
  readonly ready: Reading
  readonly starting: Reading
  readonly wanted: Reading
  readonly target: Reading
  readonly effective: Reading
  readonly costNow: Reading
  readonly costPlan: Reading
  readonly limitedBy: readonly string[]
  readonly reasons: readonly string[]
}

/** GPUs. */
export interface PoolFigures {
  readonly pool: string
  readonly now: Reading
  readonly planned: Reading
  readonly gpus: Reading
  readonly plannedShare: Reading
}

export function planReport(input: PlanReportInput): PlanReport {
  const { policies, observation, decision, planning, whatIf } = input
  const pools = poolFigures(policies, observation, decision)
  const decided = decision.policies.map((policy) => ({
    id: policy.id,
    model: policy.model,
    status: policy.status,
    costPerHour: policy.costPerHour,
    reasons: policy.reasons.map(sentence),
    classes: policy.classes.map(classFigures),
    variants: policy.variants.map(variantFigures),
  }))
  return {
    format: 'mixscaler-plan-report/1',
    version: input.version,
    command: input.command,
    ...(whatIf === undefined ? {} : { whatIf }),
    at: decision.at,
    costPerHour: decision.costPerHour,
    changeShare: ratio(decision.costPerHour.plan, decision.costPerHour.now, 1),
    worstClass: worst(decided.flatMap(({ classes }) => classes)),
    bottleneck: fullest(pools),
    doubled: doubled(planning),
    policies: decided,
    pools,
    planning,
    sizedBy: sizedBy(policies),
    warnings: [...decision.warnings],
  }
}

function classFigures({
  id,
  demand,
  forecast,
  plannedFor,
  shortfall,
  attainment,
}: ClassDecision): ClassFigures {
  const { ttft, itl } = attainment
  const known = [ttft, itl].flatMap((each) => (isMissing(each) ? [] : [each]))
  return {
    class: id,
    demand,
    forecast: isMissing(forecast) ? forecast : forecast.atQuantile,
    plannedFor,
    shortfall,
    ttftAttainment: ttft,
    itlAttainment: itl,
    attainment: known.length === 0 ? ttft : Math.min(...known),
  }
}

function variantFigures(variant: VariantDecision): VariantFigures {
  const { name, role, replicas, wanted, target, effective, costPerReplicaHour } = variant
  const cost = (count: Reading): Reading => (isMissing(count) ? count : count * costPerReplicaHour)
  return {
    name,
    role,
    ready: isMissing(replicas) ? replicas : replicas.ready,
    starting: isMissing(replicas) ? replicas : replicas.starting,
    wanted,
    target,
    effective,
    costNow: cost(isMissing(replicas) ? replicas : replicas.ready + replicas.starting),
    costPlan: cost(plannedCount(variant)),
    limitedBy: Object.entries(variant.capacity).map(([name, capacity]) => limitOf(name, capacity)),
    reasons: variant.reasons.map(sentence),
  }
}

function limitOf(name: string, { kind, limitedBy }: Capacity): string {
  return `${name}: ${kind === 'feasible' ? '' : 'cannot, by '}${limitName(limitedBy)}`
}

function poolFigures(
  { policies, pools }: PolicySet,
  observation: Observation,
  decision: Decision,
): readonly PoolFigures[] {
  const variants = policies.flatMap((policy) => policy.variants)
  const decided = new Map(
    decision.policies.flatMap((policy) => policy.variants.map((variant) => [variant.id, variant])),
  )
  const gpusOf = (pool: string, count: (variant: VariantDecision) => Reading): Reading =>
    variants
      .filter((variant) => variant.pool === pool)
      .map((variant) => replicasGpus(variant, decided.get(variant.id), count))
      .reduce(sum, 0)
  return [...new Set(variants.map(({ pool }) => pool))].sort().map((pool) => {
    const planned = gpusOf(pool, plannedCount)
    const gpus =
      pools.find(({ name }) => name === pool)?.gpus ??
      observation.pools[pool] ??
      missing('notReported', 'nothing says how many there are')
    return {
      pool,
      now: gpusOf(pool, ({ replicas }) =>
        isMissing(replicas) ? replicas : replicas.ready + replicas.starting,
      ),
      planned,
      gpus,
      plannedShare: ratio(planned, gpus, 0),
    }
  })
}

function replicasGpus(
  { accelerator, id }: Variant,
  decided: VariantDecision | undefined,
  count: (variant: VariantDecision) => Reading,
): Reading {
  if (decided === undefined) return missing('notReported', `${id} was not decided on`)
  const replicas = count(decided)
  return isMissing(replicas) ? replicas : replicas * accelerator.countPerReplica
}

function sum(total: Reading, each: Reading): Reading {
  if (isMissing(total)) return total
  return isMissing(each) ? each : total + each
}

function ratio(value: Reading, of: Reading, less: number): Reading {
  if (isMissing(value)) return value
  if (isMissing(of)) return of
  return of > 0 ? rounded(value / of - less) : missing('infinite', 'there is nothing to compare with')
}

function worst(classes: readonly ClassFigures[]): PlanReport['worstClass'] {
  const [lowest] = classes
    .flatMap((each) => (isMissing(each.attainment) ? [] : [{ each, share: each.attainment }]))
    .sort((x, y) => x.share - y.share)
  return lowest?.each ?? { unknown: 'no latency was seen in the window' }
}

/** The pool that the plan fills most; where no size is known, the one that takes most. */
function fullest(pools: readonly PoolFigures[]): PlanReport['bottleneck'] {
  const [most] = pools
    .flatMap((pool) => (isMissing(pool.plannedShare) ? [] : [{ pool, share: pool.plannedShare }]))
    .sort((x, y) => y.share - x.share)
  const [largest] = pools
    .flatMap((pool) => (isMissing(pool.planned) ? [] : [{ pool, gpus: pool.planned }]))
    .sort((x, y) => y.gpus - x.gpus)
  return most?.pool ?? largest?.pool ?? { unknown: 'no count is known' }
}
