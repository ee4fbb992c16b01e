// A plan may move GPUs from one variant to another; the new replicas are asked for only as the GPUs become free.
// What a plan gives back is free once it has really gone, so that targets never add up to more than a pool has.
import { take } from '../inventory.ts'
import type { VariantId } from '../policy.ts'
import type { SeenVariant } from '../view.ts'

/** The wanted counts, growth cut to the free GPUs; takes what it grants out of `free`. */
export function grantedCounts(
  seen: readonly SeenVariant[],
  wanted: Readonly<Record<VariantId, number>>,
  free: Map<string, number>,
): ReadonlyMap<VariantId, number> {
  return new Map(
    seen.map(({ variant, coming }) => {
      const count = wanted[variant.id] ?? 0
      if (count <= coming) return [variant.id, count]
      const room = Math.floor((free.get(variant.pool) ?? Infinity) / variant.accelerator.countPerReplica)
      const granted = Math.min(count, coming + Math.max(0, room))
      take(free, variant, granted - coming)
      return [variant.id, granted]
    }),
  )
}
