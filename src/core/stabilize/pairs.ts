// Prefill and decode go to zero and come from zero together: half a transfer group costs money and carries nothing.
import type { Variant, VariantId } from '../policy.ts'
import type { Move } from './targets.ts'

interface Side {
  readonly variant: Variant
  readonly current: number
}

/**
 * Where one side of a group would have no replica and the other some: the side that is going keeps one until both can go,
 * and the side that would come alone waits. Groups with a side that is pinned by its bounds are left as they are.
 */
export function keepPairs(
  sides: readonly Side[],
  moves: ReadonlyMap<VariantId, Move>,
): ReadonlyMap<VariantId, Move> {
  const kept = new Map(moves)
  const targetOf = ({ id }: Variant): number => moves.get(id)?.target ?? 0
  const groups = new Set(sides.flatMap(({ variant }) => variant.transferGroup ?? []))
  for (const group of groups) {
    const inGroup = sides.filter(({ variant }) => variant.transferGroup === group)
    for (const [empty, full] of [
      ['prefill', 'decode'],
      ['decode', 'prefill'],
    ] as const) {
      const gone = inGroup.filter(({ variant }) => variant.role === empty)
      const there = inGroup.filter(({ variant }) => variant.role === full)
      if (gone.some(({ variant }) => targetOf(variant) > 0)) continue
      if (there.every(({ variant }) => targetOf(variant) === 0)) continue
      const last = gone.find(({ current, variant }) => current > 0 && variant.replicas.max > 0)
      if (last !== undefined) {
        set(last.variant, 1)
        continue
      }
      for (const { variant, current } of there) if (current === 0) set(variant, variant.replicas.min)
    }
  }
  return kept

  function set({ id, role }: Variant, target: number): void {
    const move = moves.get(id)
    if (move === undefined || move.target === target) return
    const other = role === 'prefill' ? 'decode' : 'prefill'
    kept.set(id, { target, reasons: [...move.reasons, { kind: 'holdPair', wanted: move.target, other }] })
  }
}
