// What may change now: from the counts a plan wants to the counts that are emitted.
import type { Behavior, Variant, VariantId } from '../policy.ts'
import type { Reason } from '../reason.ts'

export interface Candidate {
  readonly variant: Variant
  readonly wanted: number
  /** Of the wanted ones, those that GPUs are free for. */
  readonly granted: number
  /** Replicas there are, starting ones included, and how many of them are ready. */
  readonly current: number
  readonly ready: number
  /** Replicas among them that do not come: to take those back takes nothing away. */
  readonly late: number
  /** The last target emitted, if there was one. */
  readonly lastTarget: number | undefined
}

export interface Move {
  readonly target: number
  readonly reasons: readonly Reason[]
}

/**
 * Targets for the variants of one policy. Nothing shrinks before `shrinkAllowedAt`: a start, or a change in what
 * can be seen, is no reason to scale down. `carries` says whether these ready counts, and no more, would carry what
 * the plan carries: nothing is taken away before what replaces it is ready, so that a swap moves both legs or
 * neither.
 */
export function moves(
  candidates: readonly Candidate[],
  behavior: Behavior,
  at: number,
  shrinkAllowedAt: number,
  carries: (ready: ReadonlyMap<VariantId, number>) => boolean,
): ReadonlyMap<VariantId, Move> {
  const drafts = new Map(candidates.map((candidate) => [candidate.variant.id, draft(candidate, behavior)]))
  const shrinking = candidates.filter(
    ({ variant, current, late }) => targetOf(drafts, variant.id) < current - late,
  )
  if (shrinking.length === 0) return drafts
  if (at < shrinkAllowedAt) {
    for (const candidate of shrinking)
      stay(candidate, drafts, (wanted) => ({ kind: 'holdDown', wanted, untilSecond: shrinkAllowedAt }))
    return drafts
  }
  const survivors = new Map(
    candidates.map(({ variant, ready }) => [variant.id, Math.min(ready, targetOf(drafts, variant.id))]),
  )
  if (carries(survivors)) return drafts
  const awaited = candidates.find(({ variant, ready }) => targetOf(drafts, variant.id) > ready)
  const waitingFor = awaited?.variant.name ?? 'enough capacity'
  for (const candidate of shrinking)
    stay(candidate, drafts, (wanted) => ({ kind: 'holdUntilReady', wanted, waitingFor }))
  return drafts
}

function targetOf(drafts: ReadonlyMap<VariantId, Move>, id: VariantId): number {
  return drafts.get(id)?.target ?? 0
}

function draft({ variant, wanted, granted, current }: Candidate, behavior: Behavior): Move {
  const target = withinSteps(granted, current, behavior)
  const reasons: Reason[] = []
  if (granted < wanted) reasons.push({ kind: 'waitsForGpus', wanted, pool: variant.pool })
  if (target !== granted) reasons.push({ kind: 'stepLimit', wanted, limit: Math.abs(target - current) })
  return { target, reasons }
}

function withinSteps(wanted: number, current: number, { stepLimits }: Behavior): number {
  const highest = stepLimits.up === undefined ? wanted : current + stepLimits.up
  const lowest = stepLimits.down === undefined ? wanted : current - stepLimits.down
  return Math.max(Math.min(wanted, highest), Math.min(lowest, current))
}

/** Takes back a reduction, within the variant's maximum. What is already on its way out is not called back. */
function stay(
  { variant, wanted, current, lastTarget }: Candidate,
  drafts: Map<VariantId, Move>,
  why: (wanted: number) => Reason,
): void {
  const kept = Math.min(current, lastTarget ?? current, variant.replicas.max)
  const target = Math.max(targetOf(drafts, variant.id), kept)
  if (target !== targetOf(drafts, variant.id)) drafts.set(variant.id, { target, reasons: [why(wanted)] })
}
