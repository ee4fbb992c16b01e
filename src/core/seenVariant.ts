// How many replicas a variant has at this instant, how many are on their way, and between which bounds it may be planned.
import type { Observation, ReplicaCounts } from './observation.ts'
import type { Variant } from './policy.ts'
import { isMissing } from './reading.ts'
import { type CountBounds, countBounds, existing } from './stabilize/bounds.ts'
import { type State, targetBefore, wantedBefore } from './state.ts'

export interface SeenVariant {
  readonly variant: Variant
  /** Replicas ready or starting; the surge of a rolling update is not counted. */
  readonly current: number
  readonly ready: number
  /** Those and what was asked for last, which may not show yet; without those that do not come. */
  readonly coming: number
  /** Replicas whose GPUs are taken or promised. */
  readonly held: number
  /** What the last plan wants; undefined where none is known. */
  readonly lastWanted: number | undefined
  readonly bounds: CountBounds
}

const none: ReplicaCounts = { desired: 0, ready: 0, starting: 0, terminating: 0 }

export function countsOf(variant: Variant, observation: Observation, state: State): SeenVariant {
  const replicas = observation.variants[variant.id]?.replicas
  const counts = replicas === undefined || isMissing(replicas) ? none : replicas
  const bounds = countBounds(variant, counts, observation.pauses?.[variant.id], observation.at)
  const current = existing(counts)
  const asked = Math.max(current, targetBefore(state.variants[variant.id], observation.at) ?? 0) - bounds.late
  const coming = bounds.late > 0 ? Math.min(bounds.max, asked) : asked
  const { ready, starting, terminating, unschedulable } = counts
  const scheduled = ready + starting + terminating - (unschedulable?.replicas ?? 0)
  const lastWanted = wantedBefore(state.variants[variant.id], observation.at)
  return { variant, current, ready, coming, held: Math.max(coming, scheduled), lastWanted, bounds }
}
