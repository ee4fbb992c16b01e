// The optimizer's input, validated and put in order: sorted by id, so that permuted inputs give equal programs,
// and without the classes that nothing can serve. NaN is refused here: an engine would read it as "no demand".
import type { ClassId, VariantId } from '../policy.ts'
import type { CapacityAt } from './fixedPoint.ts'
import type { MixClass, MixPool, MixProblem, MixVariant } from './mix.ts'
import type { Block, Instance } from './program.ts'
import { mergeTwins } from './twins.ts'

export function toInstance(
  problems: readonly MixProblem[],
  pools: readonly MixPool[],
  capacityAt: CapacityAt,
): Instance {
  return {
    blocks: problems.map((problem) => toBlock(problem, capacityAt)),
    pools: [...pools].sort((x, y) => compare(x.name, y.name)),
  }
}

/** Demand that no replica can carry, in whatever number. */
export function unservable(block: Block): readonly MixClass[] {
  const served = new Set(block.classes.map((demand) => demand.id))
  return block.problem.classes.filter((demand) => demand.requestsPerSecond > 0 && !served.has(demand.id))
}

/** What is wrong with the input, or undefined. */
export function invalid(problem: MixProblem, pools: readonly MixPool[]): string | undefined {
  const ids = [
    ...problem.classes.map((x) => `class ${x.id}`),
    ...problem.variants.map((x) => `variant ${x.id}`),
  ]
  const doubled = ids.find((id, index) => ids.indexOf(id) !== index)
  if (doubled !== undefined) return `${doubled} appears twice`
  for (const demand of problem.classes) {
    if (!isAmount(demand.requestsPerSecond)) {
      return `requestsPerSecond of ${demand.id} must be finite and not negative: got ${demand.requestsPerSecond}`
    }
    if (!Number.isFinite(demand.priority)) {
      return `priority of ${demand.id} must be a number: got ${demand.priority}`
    }
  }
  for (const variant of problem.variants) {
    const { id, min, max, current } = variant
    const counts = { min, max, current }
    for (const [name, value] of Object.entries(counts)) {
      if (!Number.isInteger(value) || value < 0) {
        return `${name} of ${id} must be an integer, not negative: got ${value}`
      }
    }
    if (min > max) return `min of ${id} must not exceed max: got ${min} > ${max}`
    const { gpusPerReplica, costPerHour, startCost, minShare, maxShare } = variant
    for (const [name, value] of Object.entries({
      gpusPerReplica,
      costPerHour,
      startCost,
      minShare,
      maxShare,
    })) {
      if (!isAmount(value)) return `${name} of ${id} must be finite and not negative: got ${value}`
    }
  }
  const badPool = pools.find((pool) => Number.isNaN(pool.gpus))
  if (badPool !== undefined) return `gpus of pool ${badPool.name} must be a number: got NaN`
  if (Number.isNaN(problem.budgetPerHour)) return 'budgetPerHour must be a number: got NaN'
  if (!Number.isInteger(problem.surviveReplicas) || problem.surviveReplicas < 0) {
    return `surviveReplicas must be an integer, not negative: got ${problem.surviveReplicas}`
  }
  if (!isAmount(problem.hpaTolerance)) return `hpaTolerance must not be negative: got ${problem.hpaTolerance}`
  return undefined
}

/** The problem's capacity function, each question asked once; throws on an answer that is no amount. */
export function memoized(): CapacityAt {
  const known = new Map<MixProblem, Map<string, number>>()
  return (block, classId, variantId, replicas) => {
    const answers = known.get(block.problem) ?? new Map<string, number>()
    known.set(block.problem, answers)
    const key = `${classId}\n${variantId}\n${replicas}`
    const before = answers.get(key)
    if (before !== undefined) return before
    const answer = block.problem.capacity(classId, variantId, replicas)
    if (!isAmount(answer)) {
      throw new InvalidCapacity(
        `capacity of ${variantId} for ${classId} must be finite and not negative: got ${answer}`,
      )
    }
    answers.set(key, answer)
    return answer
  }
}

export class InvalidCapacity extends Error {}

function toBlock(problem: MixProblem, capacityAt: CapacityAt): Block {
  const variants = [...problem.variants].sort((x, y) => compare(x.id, y.id))
  const whole: Block = { problem, classes: [], variants, twins: new Map() }
  const can = (classId: ClassId, variant: MixVariant): boolean =>
    variant.max > 0 && capacityAt(whole, classId, variant.id, Math.max(1, variant.max)) > 0
  const classes = [...problem.classes]
    .filter(
      (demand) => demand.requestsPerSecond > 0 && isServable(variants, (variant) => can(demand.id, variant)),
    )
    .sort((x, y) => compare(x.id, y.id))
  return mergeTwins({ ...whole, classes }, capacityAt)
}

function isServable(variants: readonly MixVariant[], can: (variant: MixVariant) => boolean): boolean {
  const groups = new Map<string, Set<string>>()
  for (const variant of variants) {
    if (!can(variant)) continue
    if (variant.role === 'unified') return true
    const group = variant.transferGroup ?? ''
    groups.set(group, (groups.get(group) ?? new Set()).add(variant.role))
  }
  return [...groups.values()].some((roles) => roles.has('prefill') && roles.has('decode'))
}

function isAmount(value: number): boolean {
  return Number.isFinite(value) && value >= 0
}

/** By code units: the same on every machine, whatever its locale. */
export function compare(x: VariantId, y: VariantId): number {
  return x < y ? -1 : x > y ? 1 : 0
}
