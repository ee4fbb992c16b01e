// Variants of a model that differ in nothing the program sees are one column: equal columns give it as many equal
// optima as there are ways to share a count, and time goes into telling them apart. docs/MODEL.md says when it is exact.
import { deadBand, reachesAll } from './deadBand.ts'
import type { CapacityAt } from './fixedPoint.ts'
import type { FlowTable } from './flows.ts'
import type { MixVariant } from './mix.ts'
import type { Block } from './program.ts'

/** The block with twins merged under the first one's id; its variants are sorted by id and not merged yet. */
export function mergeTwins(block: Block, capacityAt: CapacityAt): Block {
  if (block.problem.surviveReplicas > 0) return block
  const groups = new Map<string, MixVariant[]>()
  const most = total(block.variants, (variant) => variant.max)
  for (const variant of block.variants) {
    const key = canMerge(block, variant, most, capacityAt)
      ? likeness(block, variant, most, capacityAt)
      : variant.id
    groups.set(key, [...(groups.get(key) ?? []), variant])
  }
  const twins = new Map<string, readonly MixVariant[]>()
  const variants = [...groups.values()].flatMap((members) => {
    const first = members[0]
    if (first === undefined || members.length === 1) return members
    twins.set(first.id, members)
    return [
      {
        ...first,
        min: total(members, (variant) => variant.min),
        max: total(members, (variant) => variant.max),
        current: total(members, (variant) => variant.current),
      },
    ]
  })
  return { ...block, variants, twins }
}

/** Each variant's own count: as near to the current ones as possible, added from the first on, taken from the last. */
export function splitCounts(block: Block, counts: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const split = new Map(counts)
  for (const [id, members] of block.twins) {
    const own = members.map(({ current, min, max }) => Math.min(Math.max(current, min), max))
    let missing = (counts.get(id) ?? 0) - total(own, (count) => count)
    const inOrder = [...members.entries()]
    for (const [index, { min, max }] of missing > 0 ? inOrder : inOrder.reverse()) {
      const before = own[index] ?? 0
      const after = Math.min(Math.max(before + missing, min), max)
      own[index] = after
      missing -= after - before
    }
    for (const [index, member] of members.entries()) split.set(member.id, own[index] ?? 0)
  }
  return split
}

/** Flows of a merged column, in proportion to the counts. */
export function splitFlows(block: Block, flows: FlowTable, split: ReadonlyMap<string, number>): FlowTable {
  const shared = (id: string, rate: number): readonly (readonly [string, number])[] => {
    const members = block.twins.get(id)
    if (members === undefined) return [[id, rate]]
    const replicas = total(members, (member) => split.get(member.id) ?? 0)
    return members
      .map((member) => [member.id, (rate * (split.get(member.id) ?? 0)) / replicas] as const)
      .filter(([, own]) => own > 0)
  }
  return new Map(
    [...flows].map(([classId, rates]) => [
      classId,
      new Map([...rates].flatMap(([id, rate]) => shared(id, rate))),
    ]),
  )
}

/** Whether nothing but the sum of its count and its twins' matters to the program. */
function canMerge(block: Block, variant: MixVariant, most: number, capacityAt: CapacityAt): boolean {
  const { min, max, current, startCost, minShare, maxShare } = variant
  const isSteady = block.classes.every(
    ({ id }) =>
      capacityAt(block, id, variant.id, Math.max(1, min)) === capacityAt(block, id, variant.id, most),
  )
  const startsAddUp = startCost === 0 || (current >= min && current <= max)
  const band = deadBand(current, min, max, block.problem.hpaTolerance)
  return max > 0 && isSteady && startsAddUp && minShare === 0 && maxShare >= 1 && reachesAll(band, min, max)
}

/** Equal for variants that the program cannot tell apart. */
function likeness(block: Block, variant: MixVariant, most: number, capacityAt: CapacityAt): string {
  const { role, transferGroup, pool, gpusPerReplica, costPerHour, startCost, gpuPrice = 0 } = variant
  const rates = block.classes.map(({ id }) => capacityAt(block, id, variant.id, most))
  return JSON.stringify([role, transferGroup, pool, gpusPerReplica, costPerHour, startCost, gpuPrice, rates])
}

function total<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((sum, item) => sum + value(item), 0)
}
