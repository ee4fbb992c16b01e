// What may change now: from the counts a plan wants to the counts that are emitted.
import type { Behavior, Variant, VariantId } from '../policy.ts'
import type { Reason } from '../reason.ts'
import type { VariantMemory } from '../state.ts'
import { heldCount, remember } from './hold.ts'

export interface Candidate {
  readonly variant: Variant
  readonly wanted: number
  /** Replicas there are, starting ones included, and how many of them are ready. */
  readonly current: number
  readonly ready: number
  readonly memory: VariantMemory | undefined
}

export interface Move {
  readonly target: number
  readonly memory: VariantMemory
  readonly reasons: readonly Reason[]
}

/**
 * Targets for the variants of one policy. `carries` says whether these ready counts, and no more, would carry
 * what the plan carries: nothing is taken away before what replaces it is ready, so that a swap moves both legs
 * or neither.
 */
export function moves(
  candidates: readonly Candidate[],
  behavior: Behavior,
  at: number,
  carries: (ready: ReadonlyMap<VariantId, number>) => boolean,
): ReadonlyMap<VariantId, Move> {
  const drafts = new Map(
    candidates.map((candidate) => [candidate.variant.id, draft(candidate, behavior, at)]),
  )
  const shrinks = candidates.some(({ variant, current }) => targetOf(drafts, variant.id) < current)
  if (shrinks) {
    const survivors = new Map(
      candidates.map(({ variant, ready }) => [variant.id, Math.min(ready, targetOf(drafts, variant.id))]),
    )
    if (!carries(survivors)) {
      const awaited = candidates.find(({ variant, ready }) => targetOf(drafts, variant.id) > ready)
      for (const candidate of candidates) stay(candidate, drafts, awaited?.variant.name)
    }
  }
  return drafts
}

function targetOf(drafts: ReadonlyMap<VariantId, Move>, id: VariantId): number {
  return drafts.get(id)?.target ?? 0
}

function draft({ variant, wanted, current, memory }: Candidate, behavior: Behavior, at: number): Move {
  // Without memory (a first start) what runs counts as wanted just now: a start is no reason to scale down.
  const past = memory ?? { target: current, plannedAt: at, wanted: [{ at, replicas: current }] }
  const window = remember(past, wanted, at, behavior.scaleDownHoldSeconds)
  const held = Math.min(Math.max(heldCount(window), variant.replicas.min), variant.replicas.max)
  const reasons: Reason[] = []
  if (held > wanted) {
    const since = window[0]?.at ?? at
    reasons.push({ kind: 'holdDown', wanted, untilSecond: since + behavior.scaleDownHoldSeconds })
  }
  const target = withinSteps(held, current, behavior)
  if (target !== held) reasons.push({ kind: 'stepLimit', wanted: held, limit: Math.abs(target - current) })
  return { target, memory: { target, plannedAt: at, wanted: window }, reasons }
}

function withinSteps(wanted: number, current: number, { stepLimits }: Behavior): number {
  const highest = stepLimits.up === undefined ? wanted : Math.max(current, 0) + stepLimits.up
  const lowest = stepLimits.down === undefined ? wanted : current - stepLimits.down
  return Math.max(Math.min(wanted, highest), Math.min(lowest, current))
}

/** Takes back a reduction. What is already on its way out is not called back. */
function stay(candidate: Candidate, drafts: Map<VariantId, Move>, awaited: string | undefined): void {
  const { variant, current, memory } = candidate
  const drafted = drafts.get(variant.id)
  if (drafted === undefined || drafted.target >= current) return
  const target = Math.max(drafted.target, Math.min(current, memory?.target ?? current))
  if (target === drafted.target) return
  drafts.set(variant.id, {
    target,
    memory: { ...drafted.memory, target },
    reasons: [
      ...drafted.reasons.filter((reason) => reason.kind !== 'holdDown'),
      { kind: 'holdUntilReady', wanted: drafted.target, waitingFor: awaited ?? 'enough capacity' },
    ],
  })
}
