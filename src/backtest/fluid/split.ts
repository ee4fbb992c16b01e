// Where a class's requests go in one step of the fluid plant, as the fleet's router would send them: over the ways in
// by their strength, within a way to the replicas with the shortest queue.
import type { FluidVariant } from './fluidVariant.ts'

interface Way {
  readonly entrances: readonly FluidVariant[]
  readonly weight: number
}

/** Ways that are open now; none where nobody can take the class. */
export function waysFor(variants: readonly FluidVariant[], classIndex: number): readonly Way[] {
  const able = variants.filter(
    ({ variant, replicas }) => replicas.ready > 0 && variant.classes.includes(classIndex),
  )
  const groups = [...new Set(able.map(({ variant }) => variant.transferGroup))]
  return groups.flatMap((group): readonly Way[] => {
    const inGroup = able.filter(({ variant }) => variant.transferGroup === group)
    const weightOf = (side: readonly FluidVariant[]): number =>
      side.reduce((sum, variant) => sum + variant.weight, 0)
    const entrances = inGroup.filter(({ variant }) => variant.role !== 'decode')
    const exits = inGroup.filter(({ variant }) => variant.role !== 'prefill')
    const weight = Math.min(weightOf(entrances), weightOf(exits))
    return weight > 0 ? [{ entrances, weight }] : []
  })
}

/** Deals out `requests` that arrive within `seconds`. */
export function fill(
  ways: readonly Way[],
  requests: number,
  seconds: number,
  give: (variant: FluidVariant, requests: number) => void,
): void {
  const weight = ways.reduce((sum, way) => sum + way.weight, 0)
  for (const way of ways) fillWay(way.entrances, (requests * way.weight) / weight, seconds, give)
}

/**
 * Until all are filled to one level, in requests per weight: the shortest queues first. What leaves meanwhile makes room.
 */
function fillWay(
  entrances: readonly FluidVariant[],
  requests: number,
  seconds: number,
  give: (variant: FluidVariant, requests: number) => void,
): void {
  const queues = entrances
    .map((variant) => ({
      variant,
      weight: variant.weight,
      level: (variant.engines.inSystem * variant.engines.remaining(seconds)) / variant.weight,
    }))
    .sort((x, y) => x.level - y.level)
  let left = requests
  let weight = 0
  let level = 0
  let filled = 0
  for (const [i, queue] of queues.entries()) {
    weight += queue.weight
    const next = queues[i + 1]?.level ?? Number.POSITIVE_INFINITY
    level = queue.level
    filled = i + 1
    const room = (next - level) * weight
    if (room < left) {
      left -= room
      level = next
      continue
    }
    level += left / weight
    break
  }
  const all = queues.reduce((sum, queue) => sum + queue.weight, 0)
  for (const [i, { variant, weight: own, level: before }] of queues.entries()) {
    const levelled = i < filled ? Math.max(0, (level - before) * own) : 0
    // What leaves is only foreseen: half by queue and half by weight keeps an error from swinging to and fro.
    give(variant, (levelled + (requests * own) / all) / 2)
  }
}
