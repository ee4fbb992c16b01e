// What the decision remembers from one tick to the next: plain JSON, bounded by the windows of the policies,
// and rebuilt by replaying that window of observations.
import type { SpeedMemory } from './calibrate/calibrate.ts'
import type { BurstMemory } from './demand/burst.ts'
import type { IdleMemory } from './demand/idle.ts'
import type { Ledger } from './demand/ledger.ts'
import type { ClassShape } from './demand/shape.ts'
import type { Carried } from './demand/supply.ts'
import type { HeadroomMemory } from './feedback/feedback.ts'
import type { DemandHistory } from './forecast/history.ts'
import type { ClassId, PolicyId, VariantId } from './policy.ts'
import type { Bases } from './schedule/demand.ts'
import type { PeakAt } from './stabilize/hold.ts'
import type { NoiseMemory } from './stabilize/noise.ts'

export interface State {
  readonly format: 'mixscaler-state/1'
  readonly policies: Readonly<Record<PolicyId, PolicyMemory>>
  readonly variants: Readonly<Record<VariantId, VariantMemory>>
  readonly classes: Readonly<Record<ClassId, ClassMemory>>
}

export interface PolicyMemory {
  /** The variants that were seen, and since when just these: what was seen by others does not compare. */
  readonly seen: readonly VariantId[]
  readonly since: number
  /** Since when, at every tick, fewer of the replicas that were kept would have done. */
  readonly spareSince?: number
}

export interface VariantMemory {
  /** The last target emitted, and when it was last backed by a plan. */
  readonly target: number
  readonly plannedAt: number
  /** The target before it: what the tick of `plannedAt` rests on, should it be repeated. Absent: there was none. */
  readonly before?: number
  /** What the plan of `plannedAt` wants, and the one before it. Absent: not known. */
  readonly wanted?: number
  readonly wantedBefore?: number
  /** How fast its engines are beside their profile, as far as that was learnt. */
  readonly speed?: SpeedMemory
}

export interface ClassMemory {
  /** What was asked for lately, as seen by the same variants: the highest of the hold is planned for. */
  readonly demand?: readonly PeakAt[]
  /** How much it jitters about its level. */
  readonly noise?: NoiseMemory
  /** Lengths last seen, so that a quiet minute does not forget the shape of the traffic. */
  readonly shape?: ClassShape
  /** What past demand says about demand ahead: interactive classes only. */
  readonly forecast?: DemandHistory
  /** What broken SLOs say about the headroom it needs: interactive classes only. */
  readonly headroom?: HeadroomMemory
  /** Proven to have no demand, and since when. */
  readonly idle?: IdleMemory
  /** Arrivals over seconds, for their burstiness. */
  readonly burst?: BurstMemory
  /** What demand was before the windows of schedules that multiply it. */
  readonly bases?: Bases
  /** Work that waits, by age, and what the last plan carried of it: latency-tolerant classes only. */
  readonly ledger?: Ledger
  readonly carried?: Carried
}

/** The last target of any tick before the one at `at`. */
export function targetBefore(memory: VariantMemory | undefined, at: number): number | undefined {
  return memory?.plannedAt === at ? memory.before : memory?.target
}

/** What the last plan before the tick at `at` wants. */
export function wantedBefore(memory: VariantMemory | undefined, at: number): number | undefined {
  return memory?.plannedAt === at ? memory.wantedBefore : memory?.wanted
}

export const emptyState: State = { format: 'mixscaler-state/1', policies: {}, variants: {}, classes: {} }
