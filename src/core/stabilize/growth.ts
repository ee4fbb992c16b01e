// A plan may move GPUs from one variant to another; the new replicas are asked for only as the GPUs become free.
// What a plan gives back is free once it has really gone, so that targets never add up to more than a pool has.
import { take } from '../inventory.ts'
import type { VariantId } from '../policy.ts'
import type { SeenVariant } from '../seenVariant.ts'

/**
 * What is asked for to have the planned counts: where all replicas that do come are wanted, those that do not stay asked
 * for, as one that waits for a node is what finds out that there is one.
 */
export function askedCounts(
  seen: readonly SeenVariant[],
  planned: Readonly<Record<VariantId, number>>,
): Readonly<Record<VariantId, number>> {
  return Object.fromEntries(
    seen.map(({ variant, bounds }) => {
      const count = planned[variant.id] ?? 0
      const withLate = count >= bounds.max ? count + bounds.late : count
      return [variant.id, Math.max(withLate, bounds.late > 0 ? bounds.leastAsked : 0)]
    }),
  )
}

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
