// What the decision remembers from one tick to the next: plain JSON, bounded by the windows of the policies,
// and rebuilt by replaying that window of observations.
import type { ClassShape } from './demand/shape.ts'
import type { ClassId, VariantId } from './policy.ts'

export interface State {
  readonly format: 'mixscaler-state/1'
  readonly variants: Readonly<Record<VariantId, VariantMemory>>
  readonly classes: Readonly<Record<ClassId, ClassMemory>>
}

export interface VariantMemory {
  /** The last target emitted, and when it was last backed by a plan. */
  readonly target: number
  readonly plannedAt: number
  /** Counts wanted within the hold window, oldest first: the highest of them holds. */
  readonly wanted: readonly WantedAt[]
}

export interface WantedAt {
  readonly at: number
  readonly replicas: number
}

export interface ClassMemory {
  /** Lengths last seen, so that a quiet minute does not forget the shape of the traffic. */
  readonly shape?: ClassShape
  /** Since when a backlog has stood without a break. */
  readonly backlogSince?: number
}

export const emptyState: State = { format: 'mixscaler-state/1', variants: {}, classes: {} }
