// Which counts can be planned for a variant at this instant: the policy's bounds, less the replicas that were ordered
// and do not come, and as whoever paused its ScaledObject allows. Read off the observation alone, so that every server
// and every restart sees the same.
//   ordered 5, of which 3 run and 2 find no node for longer than a start takes:  planned are at most 3; the 2 stay asked
//   for, since the waiting pod is what finds out that a GPU is free again
import type { Pause, ReplicaCounts } from '../observation.ts'
import type { Variant } from '../policy.ts'
import type { Reason } from '../reason.ts'

export interface CountBounds {
  readonly min: number
  readonly max: number
  /** Replicas that exist by name only: asked for, and not to be counted on. Not within `max`. */
  readonly late: number
  /** Asked for at least, whether they come or not. */
  readonly leastAsked: number
  readonly reasons: readonly Reason[]
}

/** Starts spread: one that takes half as long again as the policy says is no longer counted on. */
const slowStart = 1.5

export function countBounds(
  variant: Variant,
  counts: ReplicaCounts,
  pause: Pause | undefined,
  at: number,
): CountBounds {
  const { min, max, reasons } = allowed(variant, counts, pause)
  const { replicas: late, reasons: why } = lateReplicas(variant, counts, at)
  if (late === 0) return { min, max, late, leastAsked: min, reasons }
  const come = existing(counts) - late
  return {
    min: Math.min(min, come),
    max: Math.min(max, come),
    late,
    leastAsked: min,
    reasons: [...reasons, ...why],
  }
}

/** Replicas that exist: a rolling update has more pods for a while, which are no growth. */
export function existing({ desired, ready, starting }: ReplicaCounts): number {
  return Math.min(ready + starting, desired)
}

/** Whether the scheduler has refused a replica of the variant for longer than a start takes. */
export function isPendingTooLong(
  { startupSeconds }: Variant,
  { unschedulable }: ReplicaCounts,
  at: number,
): boolean {
  return unschedulable !== undefined && at - unschedulable.since > startupSeconds
}

function lateReplicas(
  variant: Variant,
  counts: ReplicaCounts,
  at: number,
): { readonly replicas: number; readonly reasons: readonly Reason[] } {
  const { unschedulable, startingSince = [] } = counts
  const pending =
    unschedulable !== undefined && isPendingTooLong(variant, counts, at) ? unschedulable.replicas : 0
  const slow = startingSince.filter((since) => at - since > slowStart * variant.startupSeconds).length
  const replicas = Math.min(Math.max(pending, slow), existing(counts))
  const reasons: Reason[] = []
  if (pending > 0 && unschedulable !== undefined) {
    const { since, why } = unschedulable
    reasons.push({ kind: 'pending', replicas: pending, seconds: at - since, why })
  }
  if (slow > pending) {
    const since = startingSince[0] ?? at
    reasons.push({ kind: 'slowStart', replicas: slow - pending, seconds: at - since })
  }
  return { replicas, reasons }
}

function allowed(
  { replicas: { min, max } }: Variant,
  { desired }: ReplicaCounts,
  pause: Pause | undefined,
): Pick<CountBounds, 'min' | 'max' | 'reasons'> {
  if (pause === undefined) return { min, max, reasons: [] }
  const replicas = pause.replicas ?? desired
  const reasons: readonly Reason[] = [{ kind: 'paused', stops: pause.stops, replicas }]
  switch (pause.stops) {
    case 'all':
      return { min: replicas, max: replicas, reasons }
    case 'scaleIn':
      return { min: Math.max(min, replicas), max: Math.max(max, replicas), reasons }
    case 'scaleOut':
      return { min: Math.min(min, replicas), max: Math.min(max, replicas), reasons }
  }
}
