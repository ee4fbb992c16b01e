// "What would change it?" Answered by changing one thing and planning again, by the functions that decide plans with.
// Plans are compared without the hold band: it keeps counts that a better plan would change, and hides what that is worth.
import { existingGpus, type Gpus, plannableGpus } from '../inventory.ts'
import type { Observation } from '../observation.ts'
import { weighed } from '../optimize/planTogether.ts'
import { applyWhatIf } from '../optimize/whatIf.ts'
import { type PolicyPlan, plans } from '../plan.ts'
import type { ClassId, PolicyId, PolicySet, ScalingPolicy, VariantId } from '../policy.ts'
import { isMissing } from '../reading.ts'
import type { State } from '../state.ts'
import type { Tools } from '../tools.ts'
import { look, type PolicyView } from '../view.ts'

/** What is decided on, but for the policies. */
export interface Scene {
  readonly state: State
  readonly observation: Observation
  readonly tools: Tools
}

/** What decide plans, before it is stabilized. */
export interface Planned {
  readonly policies: PolicySet
  readonly views: readonly PolicyView[]
  readonly gpus: Gpus
  readonly plans: ReadonlyMap<PolicyId, PolicyPlan>
}

export function planned(policies: PolicySet, { state, observation, tools }: Scene): Planned {
  const views = policies.policies.map((policy) => look(policy, state, observation, tools.capacities))
  const gpus = plannableGpus(existingGpus(views, policies.pools, state, observation), views, observation)
  return { policies, views, gpus, plans: plans(views, gpus, observation.at, tools) }
}

export type Change =
  | {
      readonly kind: 'slo'
      readonly class: ClassId
      readonly metric: 'ttft' | 'itl' | 'tpot'
      readonly percentile: number
      readonly fromSeconds: number
      readonly toSeconds: number
    }
  | { readonly kind: 'pool'; readonly pool: string; readonly from: number; readonly to: number }
  | { readonly kind: 'max'; readonly variant: VariantId; readonly from: number; readonly to: number }
  | { readonly kind: 'min'; readonly variant: VariantId; readonly from: number; readonly to: number }
  | { readonly kind: 'budget'; readonly fromPerHour: number; readonly toPerHour: number }

/** One change and the plan it leads to, against the cheapest plan without it. */
export interface Alternative {
  readonly change: Change
  /** For `plan --what-if`, to see the whole plan. */
  readonly whatIf: string
  /** Cost of all policies' plans; negative: the change saves money. */
  readonly morePerHour: number
  /** What the plans' starts weigh beside their cost when mixes are chosen. */
  readonly moreForStarts: number
  /** Requests per second that stay short, of the classes of this policy that are short before or after. */
  readonly shortfall: Readonly<Record<ClassId, Move>>
  /** The same for the other policies together. */
  readonly shortElsewhere: Move
  /** Requests per second of this policy that would be uncarried after the loss that its redundancy is for. */
  readonly notCovered: Move
  /** Minimum shares of this policy that are not reached. */
  readonly sharesMissed: Move
  /** Counts of this policy that differ. */
  readonly moved: Readonly<Record<VariantId, Move>>
}

export interface Move {
  readonly from: number
  readonly to: number
}

/** Less than this is rounding: requests per second, or money per hour. */
export const negligible = 1e-6

export const withoutHoldBand = 'holdBand=0'

/** Undefined where there is no plan, or the pools or the budget have no room for it: minimums would outrank them. */
export function alternative(
  base: Planned,
  id: PolicyId,
  change: Change,
  scene: Scene,
): Alternative | undefined {
  const whatIf = whatIfOf(change, base.policies, id)
  const after = planned(changed(base.policies, whatIf), scene)
  const [then, now] = [outcome(after, id), outcome(base, id)]
  if (then === undefined || now === undefined || isOver(after, base, id)) return undefined
  return {
    change,
    whatIf: `${withoutHoldBand},${whatIf}`,
    morePerHour: then.costPerHour - now.costPerHour,
    moreForStarts: then.starts - now.starts,
    shortfall: movesOf(now.shortfall, then.shortfall, ({ from, to }) => Math.max(from, to) > negligible),
    shortElsewhere: { from: now.shortElsewhere, to: then.shortElsewhere },
    notCovered: { from: now.notCovered, to: then.notCovered },
    sharesMissed: { from: now.sharesMissed, to: then.sharesMissed },
    moved: movesOf(now.replicas, then.replicas, ({ from, to }) => from !== to),
  }
}

/** Requests per second of the policy that are short without the change and with it. */
export function stillShort({ shortfall }: Alternative): Move {
  const moves = Object.values(shortfall)
  return {
    from: moves.reduce((sum, { from }) => sum + from, 0),
    to: moves.reduce((sum, { to }) => sum + to, 0),
  }
}

function movesOf(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
  isMeant: (move: Move) => boolean,
): Readonly<Record<string, Move>> {
  const moves = Object.entries(after).map(([id, to]) => [id, { from: before[id] ?? 0, to }] as const)
  return Object.fromEntries(moves.filter(([, move]) => isMeant(move)))
}

/** Every SLO of the policy relaxed by a fifth. */
export function relaxedBounds(base: Planned, policy: ScalingPolicy, scene: Scene): readonly Alternative[] {
  return policy.classes.flatMap(({ id, serviceLevel }) => {
    if (serviceLevel.kind !== 'interactive') return []
    return (['ttft', 'itl', 'tpot'] as const).flatMap((metric) => {
      const bound = serviceLevel[metric]
      if (bound === undefined) return []
      const { percentile, seconds: fromSeconds } = bound
      const toSeconds = rounded(fromSeconds * 1.2)
      const change: Change = { kind: 'slo', class: id, metric, percentile, fromSeconds, toSeconds }
      return alternative(base, policy.id, change, scene) ?? []
    })
  })
}

/** One more replica's GPUs of a pool. */
export function oneMoreReplica(
  base: Planned,
  policy: ScalingPolicy,
  pool: string,
  scene: Scene,
): Change | undefined {
  const from = inventory(base.policies, pool, scene)
  const sizes = policy.variants
    .filter((variant) => variant.pool === pool)
    .map(({ accelerator }) => accelerator.countPerReplica)
  return from === undefined || sizes.length === 0
    ? undefined
    : { kind: 'pool', pool, from, to: from + Math.min(...sizes) }
}

export function planOf({ plans: all }: Planned, id: PolicyId) {
  const found = all.get(id)?.outcome
  return found === undefined || found.status === 'failed' ? undefined : found
}

/** GPUs of a pool that all plans together take. */
export function gpusTaken({ policies, plans: all }: Planned, pool: string): number {
  let taken = 0
  for (const { id, variants } of policies.policies) {
    const outcome = all.get(id)?.outcome
    if (outcome === undefined || outcome.status === 'failed') continue
    for (const variant of variants) {
      if (variant.pool !== pool) continue
      taken += (outcome.replicas[variant.id] ?? 0) * variant.accelerator.countPerReplica
    }
  }
  return taken
}

function isOver(after: Planned, base: Planned, id: PolicyId): boolean {
  const { budgetPerHour = Number.POSITIVE_INFINITY } =
    after.policies.policies.find((policy) => policy.id === id)?.behavior ?? {}
  const costOf = (plan: Planned): number => planOf(plan, id)?.costPerHour ?? 0
  return (
    costOf(after) > Math.max(budgetPerHour, costOf(base)) + negligible ||
    [...after.gpus].some(([pool, gpus]) => gpusTaken(after, pool) > Math.max(gpus, gpusTaken(base, pool)))
  )
}

interface Outcome {
  readonly costPerHour: number
  readonly starts: number
  readonly shortfall: Readonly<Record<ClassId, number>>
  readonly shortElsewhere: number
  readonly notCovered: number
  readonly sharesMissed: number
  readonly replicas: Readonly<Record<VariantId, number>>
}

function outcome(plan: Planned, id: PolicyId): Outcome | undefined {
  const own = planOf(plan, id)
  if (own === undefined) return undefined
  let costPerHour = 0
  let starts = 0
  let shortElsewhere = 0
  for (const [other, { problem, outcome: each }] of plan.plans) {
    if (each.status === 'failed') continue
    costPerHour += each.costPerHour
    starts += weighed(problem, each) - each.costPerHour
    if (other !== id) shortElsewhere += shortOf(each.shortfall)
  }
  return {
    costPerHour,
    starts,
    shortfall: own.shortfall,
    shortElsewhere,
    notCovered: Math.max(
      0,
      ...own.binding.map((bound) => (bound.kind === 'redundancy' ? bound.requestsPerSecond : 0)),
    ),
    sharesMissed: own.binding.filter(({ kind }) => kind === 'minShare').length,
    replicas: own.replicas,
  }
}

function shortOf(shortfall: Readonly<Record<ClassId, number>>): number {
  return Object.values(shortfall).reduce((sum, rate) => sum + rate, 0)
}

/** As the policies state it, or as it was discovered. */
export function inventory({ pools }: PolicySet, name: string, { observation }: Scene): number | undefined {
  const gpus = pools.find((pool) => pool.name === name)?.gpus ?? observation.pools[name]
  return gpus === undefined || isMissing(gpus) ? undefined : gpus
}

export function changed(policies: PolicySet, whatIf: string): PolicySet {
  const applied = applyWhatIf(policies, whatIf)
  if (applied.kind === 'applied') return applied.policies
  throw new Error(`a change of ours cannot be applied: ${applied.errors.join('; ')}`)
}

function whatIfOf(change: Change, { policies }: PolicySet, policy: PolicyId): string {
  switch (change.kind) {
    case 'slo': {
      const classes = policies.flatMap((each) => each.classes)
      return `slo.${called(change.class, classes)}.${change.metric}=${rounded(change.toSeconds * 1000)}ms`
    }
    case 'pool':
      return `pool.${change.pool}=${change.to}`
    case 'max':
    case 'min': {
      const variants = policies.flatMap((each) => each.variants)
      return `variant.${called(change.variant, variants)}.${change.kind}=${change.to}`
    }
    case 'budget':
      return `budget.${called(policy, policies)}=${change.toPerHour}`
  }
}

/** The name where it means nothing else (`slo.interactive` is every interactive class), else the id. */
function called(id: string, all: readonly { readonly id: string; readonly name: string }[]): string {
  const name = all.find((each) => each.id === id)?.name ?? id
  const isOnly = all.every((each) => each.id === id || each.name !== name)
  return isOnly && name !== 'interactive' ? name : id
}

/** Without the last digits, so that what is printed and what is planned are the same number. */
export function rounded(value: number): number {
  return Number(value.toPrecision(6))
}
