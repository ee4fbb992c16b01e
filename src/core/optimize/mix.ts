// The optimizer's question and answer: which numbers of replicas carry this demand most cheaply?
// Sets, parameters and constraints stand in docs/MODEL.md under the same names.
import type { ClassId, Role, VariantId } from '../policy.ts'

export interface MixClass {
  readonly id: ClassId
  /** 0 is served first. */
  readonly priority: number
  /** lambda_c: requests per second to carry, headroom included. */
  readonly requestsPerSecond: number
  readonly tolerant: boolean
}

export interface MixVariant {
  readonly id: VariantId
  readonly role: Role
  readonly transferGroup?: string
  readonly pool: string
  readonly gpusPerReplica: number
  readonly costPerHour: number
  readonly min: number
  readonly max: number
  /** Replicas there are now, starting ones included. */
  readonly current: number
  /** What the last plan wants of it; absent: what there is. */
  readonly last?: number
  /** What one start wastes, in the currency of costPerHour: start-up time at full price. */
  readonly startCost: number
  /** Weighed per GPU and hour beside the cost, but not spent: what other models would give for it. */
  readonly gpuPrice?: number
  readonly maxShare: number
  readonly minShare: number
}

export interface MixPool {
  readonly name: string
  /** GPUs free for these models: inventory less what others hold. */
  readonly gpus: number
}

export interface MixProblem {
  readonly classes: readonly MixClass[]
  readonly variants: readonly MixVariant[]
  readonly pools: readonly MixPool[]
  readonly budgetPerHour?: number
  readonly surviveReplicas: number
  /** HPA dead band: counts it would ignore are not planned. 0: every count can be reached. */
  readonly hpaTolerance: number
  /**
   * Keep the current counts where they carry everything and a new plan would save less than this share of its
   * cost: stops reactions to noise, which a switching cost alone does not. Absent or 0: always the cheapest.
   */
  readonly holdBand?: number
  /**
   * k_{c,v}: requests per second of class c that one replica of v carries when v has `replicas` of them;
   * 0 where it may not or cannot serve the class. Non-decreasing in `replicas`.
   */
  readonly capacity: (classId: ClassId, variantId: VariantId, replicas: number) => number
}

export interface MixPlan {
  readonly status: 'optimal' | 'shortfall'
  readonly replicas: Readonly<Record<VariantId, number>>
  /** Requests per second of each class on each variant: `flow[class][variant]`. */
  readonly flow: Readonly<Record<ClassId, Readonly<Record<VariantId, number>>>>
  /** Requests per second that no allowed replica carries. */
  readonly shortfall: Readonly<Record<ClassId, number>>
  readonly costPerHour: number
  /**
   * Proven: no plan that meets everything costs less than this per hour, starts included. Absent on a shortfall.
   */
  readonly lowerBoundPerHour?: number
  /** What stops the plan from being cheaper, or the shortfall from being smaller. */
  readonly binding: readonly Binding[]
}

export type Binding =
  | { readonly kind: 'max'; readonly variant: VariantId; readonly replicas: number }
  | { readonly kind: 'min'; readonly variant: VariantId; readonly replicas: number }
  | { readonly kind: 'pool'; readonly pool: string; readonly gpus: number }
  | { readonly kind: 'budget'; readonly perHour: number }
  | { readonly kind: 'noCapacity'; readonly class: ClassId }
  /** Losing replicas of this variant would leave this much of the served demand uncarried. */
  | { readonly kind: 'redundancy'; readonly variant: VariantId; readonly requestsPerSecond: number }
  /** The current counts stay: the cheapest mix would save only this much. */
  /** `spareUntil`: when fewer of the same replicas would be taken, if they still suffice. */
  | { readonly kind: 'hold'; readonly savingPerHour: number; readonly spareUntil?: number }
  /** The variant cannot be given its minimum share of the class. */
  | { readonly kind: 'minShare'; readonly variant: VariantId; readonly class: ClassId }

/** No verified answer: the caller keeps what it has. */
export interface MixFailure {
  readonly status: 'failed'
  readonly why: string
}
