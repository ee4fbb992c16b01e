// The question that sizing asks of the capacity model, and its answer: how many requests per second
// does one replica carry within the SLO?
import type { LatencyBound, Role } from '../policy.ts'
import type { Profile } from '../profile.ts'

/** Request lengths as a few weighted points; weights add up to 1. Twelve bins from a histogram suffice. */
export interface LengthBin {
  readonly tokens: number
  readonly weight: number
}

/** Prompt and output lengths, taken as independent. */
export interface Shape {
  readonly promptTokens: readonly LengthBin[]
  readonly outputTokens: readonly LengthBin[]
  /** 0..1: share of prompt tokens that need no prefill. */
  readonly prefixHitRate: number
  /** Mean KV tokens of a running sequence, where it is known that long prompts get short answers or the reverse. */
  readonly contextTokens?: number
}

export interface ReplicaLimits {
  readonly maxNumSeqs: number
  readonly maxNumBatchedTokens: number
  readonly kvTokens: number
}

export type SizingGoal =
  | {
      readonly kind: 'interactive'
      readonly ttft?: LatencyBound
      readonly itl?: LatencyBound
      readonly tpot?: LatencyBound
    }
  /** Throughput alone: the rate at which nothing piles up. For latency-tolerant work on its own replicas. */
  | { readonly kind: 'throughput' }

export interface CapacityQuestion {
  readonly role: Role
  readonly profile: Profile
  readonly limits: ReplicaLimits
  readonly shape: Shape
  readonly goal: SizingGoal
  /** Replicas behind one load-aware router: more of them even out arrivals (pooling). At least 1. */
  readonly replicas: number
  /** Index of dispersion of arrivals; 1 is Poisson. */
  readonly dispersion: number
  /** The SLO is multiplied by this before sizing (0.95). */
  readonly sloMargin: number
  /** No more than this share of the saturation rate (0.9). */
  readonly maxLoad: number
}

export type LimitedBy = 'ttft' | 'itl' | 'tpot' | 'kvCache' | 'maxNumSeqs' | 'throughput'

export type Capacity =
  | { readonly kind: 'feasible'; readonly requestsPerSecond: number; readonly limitedBy: LimitedBy }
  /** Not even an idle replica meets the goal, or a request does not fit. `why` is for people. */
  | { readonly kind: 'infeasible'; readonly limitedBy: LimitedBy; readonly why: string }
