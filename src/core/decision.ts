// What was decided at one instant, and why: the only thing that gRPC, metrics, API, tables and reports read.
import type { Correction } from './calibrate/correction.ts'
import type { Capacity } from './capacity/question.ts'
import type { Verdict } from './feedback/feedback.ts'
import type { Forecast } from './forecast/forecast.ts'
import type { ReplicaCounts } from './observation.ts'
import type { ClassId, PolicyId, Role, VariantId } from './policy.ts'
import type { Reading } from './reading.ts'
import type { Reason } from './reason.ts'

export interface Decision {
  readonly at: number
  /** Sorted by id. */
  readonly policies: readonly PolicyDecision[]
  readonly costPerHour: CostPerHour
  readonly warnings: readonly string[]
}

export interface CostPerHour {
  /** What runs now, where the counts are known. */
  readonly now: Reading
  /** What the plan costs once it is reached: wanted counts, and held ones where there is no plan. */
  readonly plan: Reading
  /** What the emitted targets will cost. */
  readonly target: Reading
}

export interface PolicyDecision {
  readonly id: PolicyId
  readonly name: string
  readonly namespace: string
  readonly model: string
  /** `held`: something was missing or unsolved and the last targets stand. */
  readonly status: 'planned' | 'shortfall' | 'held'
  readonly classes: readonly ClassDecision[]
  readonly variants: readonly VariantDecision[]
  readonly costPerHour: CostPerHour
  readonly reasons: readonly Reason[]
}

export interface ClassDecision {
  readonly id: ClassId
  readonly name: string
  /** Requests per second that arrive now. */
  readonly demand: Reading
  /** For the time when a replica ordered now is ready. */
  readonly forecast: Reading<Forecast>
  /** Requests per second that the plan is made for. */
  readonly plannedFor: Reading
  readonly shortfall: Reading
  readonly headroom: Headroom
  /** How many times the work of a request of now one is by the time a replica ordered now is ready: 1 and up. */
  readonly workAhead: number
  /** Share of requests within the SLO's bounds, as the fleet's own histograms say. */
  readonly attainment: { readonly ttft: Reading; readonly itl: Reading }
}

/** Shares of demand. */
export interface Headroom {
  /** Added to demand before sizing: the policy's, and what was learnt. */
  readonly planned: number
  readonly learnt: number
  /** Share of the last minute's requests that were late beyond what the SLO's percentile allows. */
  readonly broken: Reading
  /** What that was taken for. */
  readonly verdict: Verdict | 'off'
}

/** How fast the engines of a variant are beside their profile, as sizing takes it. */
export interface Speed {
  /** Time over the profile's at their load of late: 1.18 is 18 % slower. */
  readonly ratio: number
  readonly correction: Correction
  /** Since when they have been notably slower, or notably faster. */
  readonly offSince?: number
}

export interface VariantDecision {
  readonly id: VariantId
  readonly name: string
  readonly role: Role
  readonly replicas: Reading<ReplicaCounts>
  /** What the optimizer wants; missing where it could not be asked. */
  readonly wanted: Reading
  /** What is emitted; missing means that callers get an error, so that KEDA holds. */
  readonly target: Reading
  /** What the HPA in front will make of it, its dead band considered. */
  readonly effective: Reading
  readonly capacity: Readonly<Record<string, Capacity>>
  /** Missing: not learnt, or not yet. */
  readonly speed: Reading<Speed>
  readonly costPerReplicaHour: number
  readonly reasons: readonly Reason[]
}
