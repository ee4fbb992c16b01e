// llm-d's cost-aware optimizer: one replica after another where its cost per token of capacity is lowest, and away
// from where a replica costs most. It looks at one ratio at a time, so it neither fills up with small replicas nor
// sees what a swap would save.
import type { Variant } from '../../core/policy.ts'

export interface Candidate {
  readonly variant: Variant
  readonly current: number
  /** Tokens of one replica. */
  readonly capacity: number
}

/** Wanted counts. Only one of `required` and `spare` is acted on, required first. */
export function allocate(
  candidates: readonly Candidate[],
  required: number,
  spare: number,
): ReadonlyMap<Variant, number> {
  const targets = new Map(candidates.map(({ variant, current }) => [variant, current]))
  if (required > 0) add(candidates, required, targets)
  else if (spare > 0) remove(candidates, spare, targets)
  return targets
}

function add(candidates: readonly Candidate[], required: number, targets: Map<Variant, number>): void {
  const ratio = ({ variant, capacity }: Candidate): number => variant.costPerHour / capacity
  let remaining = required
  for (const { variant, capacity } of candidates.toSorted((x, y) => ratio(x) - ratio(y))) {
    if (remaining <= 0) return
    if (capacity <= 0) continue
    const added = Math.ceil(remaining / capacity - 1e-9)
    targets.set(variant, (targets.get(variant) ?? 0) + added)
    remaining -= added * capacity
  }
}

/** The cheapest variant keeps one replica where no other has any. */
function remove(candidates: readonly Candidate[], spare: number, targets: Map<Variant, number>): void {
  const byCost = candidates.toSorted((x, y) => y.variant.costPerHour - x.variant.costPerHour)
  const cheapest = byCost.at(-1)?.variant
  let remaining = spare
  for (const { variant, capacity } of byCost) {
    if (remaining <= 0) return
    if (capacity <= 0) continue
    const current = targets.get(variant) ?? 0
    const last =
      variant === cheapest && [...targets].every(([other, count]) => other === variant || count === 0)
    const removed = Math.min(Math.floor(remaining / capacity + 1e-9), current - (last ? 1 : 0))
    if (removed <= 0) continue
    targets.set(variant, current - removed)
    remaining -= removed * capacity
  }
}
