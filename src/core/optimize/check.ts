// Does a plan keep the problem's word? Written from the problem alone: it shares no code with what builds the
// program, so a mistake there cannot hide here. Returns what is broken, in sentences; nothing if all holds.
import type { ClassId, VariantId } from '../policy.ts'
import type { MixPlan, MixPool, MixProblem, MixVariant } from './mix.ts'

/** Requests per second after the loss of replicas of one variant, as carried by the rest. */
export type LossFlows = ReadonlyMap<VariantId, ReadonlyMap<ClassId, ReadonlyMap<VariantId, number>>>

const tolerance = 2e-6

export function checkPlan(problem: MixProblem, plan: MixPlan, lossFlows: LossFlows): readonly string[] {
  const shortTotal = problem.classes.reduce((sum, demand) => sum + (plan.shortfall[demand.id] ?? 0), 0)
  const flowOf = (classId: ClassId, variantId: VariantId): number => plan.flow[classId]?.[variantId] ?? 0
  const countOf = (variant: MixVariant): number => plan.replicas[variant.id] ?? Number.NaN
  return [
    ...problem.variants.flatMap((variant) => checkCount(problem, variant, countOf(variant))),
    ...checkFlow(problem, plan.shortfall, countOf, flowOf, 'plan'),
    ...checkShares(problem, flowOf),
    ...[...lossFlows].flatMap(([lost, flows]) =>
      checkFlow(
        problem,
        plan.shortfall,
        (variant) =>
          countOf(variant) - (variant.id === lost ? Math.min(problem.surviveReplicas, countOf(variant)) : 0),
        (classId, variantId) => flows.get(classId)?.get(variantId) ?? 0,
        `loss of ${lost}`,
      ),
    ),
    ...checkLossesKnown(problem, plan, lossFlows, countOf),
    ...checkBudget(problem, countOf),
    ...checkCost(problem, plan, countOf),
    ...(plan.status === 'optimal' && shortTotal > 0 ? [`optimal, though ${shortTotal} req/s are short`] : []),
  ]
}

/** A loss is either survived, and shown to be, or owned up to. */
function checkLossesKnown(
  problem: MixProblem,
  plan: MixPlan,
  lossFlows: LossFlows,
  countOf: (variant: MixVariant) => number,
): readonly string[] {
  if (problem.surviveReplicas === 0) return []
  const givenUp = new Set(
    plan.binding.flatMap((bound) => (bound.kind === 'redundancy' ? [bound.variant] : [])),
  )
  return problem.variants
    .filter((variant) => countOf(variant) > 0 && !lossFlows.has(variant.id) && !givenUp.has(variant.id))
    .map(({ id }) => `nothing shows what a loss of ${id} leaves`)
}

/** GPUs over all plans that share the pools; what must run may exceed a pool, nothing else. */
export function checkPools(
  pools: readonly MixPool[],
  planned: readonly { readonly problem: MixProblem; readonly plan: MixPlan }[],
): readonly string[] {
  return pools.flatMap((pool) => {
    let used = 0
    let least = 0
    for (const { problem, plan } of planned) {
      for (const variant of problem.variants) {
        if (variant.pool !== pool.name) continue
        used += variant.gpusPerReplica * (plan.replicas[variant.id] ?? Number.NaN)
        least += variant.gpusPerReplica * leastCount(problem, variant)
      }
    }
    const most = Math.max(pool.gpus, least)
    return used <= most * (1 + tolerance) ? [] : [`pool ${pool.name}: ${used} GPUs of ${most}`]
  })
}

function checkCount(problem: MixProblem, variant: MixVariant, count: number): readonly string[] {
  const { id, min, max } = variant
  if (!Number.isInteger(count)) return [`${id}: ${count} replicas`]
  if (count < min || count > max) return [`${id}: ${count} replicas, allowed ${min} to ${max}`]
  const from = runsNow(variant)
  return isIgnored(problem, from, count) ? [`${id}: the HPA ignores ${count} at ${from}`] : []
}

/** As the HPA counts: within the bounds. */
function runsNow({ min, max, current }: MixVariant): number {
  return current < min ? min : current > max ? max : current
}

function isIgnored(problem: MixProblem, from: number, count: number): boolean {
  return count !== from && from > 0 && Math.abs(count / from - 1) < problem.hpaTolerance - 1e-9
}

/** The HPA keeps what runs where it ignores every lower count that is allowed. */
function leastCount(problem: MixProblem, variant: MixVariant): number {
  const from = runsNow(variant)
  return isIgnored(problem, from, variant.min) ? from : variant.min
}

function checkFlow(
  problem: MixProblem,
  shortfall: Readonly<Record<ClassId, number>>,
  countOf: (variant: MixVariant) => number,
  flowOf: (classId: ClassId, variantId: VariantId) => number,
  where: string,
): readonly string[] {
  const broken: string[] = []
  for (const demand of problem.classes) {
    const short = shortfall[demand.id] ?? Number.NaN
    let entered = 0
    const handedOver = new Map<string, number>()
    for (const variant of problem.variants) {
      const flow = flowOf(demand.id, variant.id)
      if (!(flow >= 0)) broken.push(`${where}: ${flow} req/s of ${demand.id} on ${variant.id}`)
      if (variant.role !== 'decode') entered += flow
      if (variant.role !== 'unified') {
        const group = variant.transferGroup ?? ''
        const sign = variant.role === 'prefill' ? 1 : -1
        handedOver.set(group, (handedOver.get(group) ?? 0) + sign * flow)
      }
    }
    const allowed = tolerance * Math.max(demand.requestsPerSecond, Number.MIN_VALUE)
    if (!(Math.abs(entered + short - demand.requestsPerSecond) <= allowed)) {
      broken.push(
        `${where}: ${entered} carried + ${short} short of ${demand.id} is not ${demand.requestsPerSecond}`,
      )
    }
    for (const [group, left] of handedOver) {
      if (!(Math.abs(left) <= allowed))
        broken.push(`${where}: ${left} of ${demand.id} is not decoded in ${group}`)
    }
  }
  for (const variant of problem.variants) {
    const count = countOf(variant)
    let needed = 0
    for (const demand of problem.classes) {
      const flow = flowOf(demand.id, variant.id)
      if (flow > 0) needed += flow / problem.capacity(demand.id, variant.id, Math.max(1, count))
    }
    if (!(needed <= count + tolerance * Math.max(1, count))) {
      broken.push(`${where}: ${variant.id} carries the work of ${needed} replicas with ${count}`)
    }
    if (needed > 0 && count === 0) broken.push(`${where}: ${variant.id} carries with no replica`)
  }
  return broken
}

function checkShares(
  problem: MixProblem,
  flowOf: (classId: ClassId, variantId: VariantId) => number,
): readonly string[] {
  return problem.classes.flatMap((demand) =>
    problem.variants
      .filter(
        (variant) =>
          flowOf(demand.id, variant.id) > (variant.maxShare + tolerance) * demand.requestsPerSecond,
      )
      .map((variant) => `${variant.id} carries more than ${variant.maxShare} of ${demand.id}`),
  )
}

function checkBudget(problem: MixProblem, countOf: (variant: MixVariant) => number): readonly string[] {
  if (problem.budgetPerHour === undefined) return []
  let spent = 0
  let least = 0
  for (const variant of problem.variants) {
    spent += variant.costPerHour * countOf(variant)
    least += variant.costPerHour * leastCount(problem, variant)
  }
  const most = Math.max(problem.budgetPerHour, least)
  return spent <= most * (1 + tolerance) ? [] : [`${spent} per hour of a budget of ${most}`]
}

function checkCost(
  problem: MixProblem,
  plan: MixPlan,
  countOf: (variant: MixVariant) => number,
): readonly string[] {
  const cost = problem.variants.reduce((sum, variant) => sum + variant.costPerHour * countOf(variant), 0)
  const differs = !(Math.abs(cost - plan.costPerHour) <= tolerance * Math.max(1, cost))
  return differs ? [`costPerHour is ${plan.costPerHour}, the replicas cost ${cost}`] : []
}
