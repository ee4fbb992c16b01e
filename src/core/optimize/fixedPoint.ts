// Counts whose capacity fits the counts themselves: capacity per replica grows with the number of replicas
// (pooling), so it is first taken at the most there may be, then at what the last solution used, never rising.
// docs/MODEL.md, "Pooling fixed point", says why this ends and why the first round bounds every plan from below.
import type { ClassId, VariantId } from '../policy.ts'
import type { EngineLimits, Engines } from './engine.ts'
import { solveInOrder } from './levels.ts'
import { type Block, buildProgram, type Instance, type MixProgram, type Sizing } from './program.ts'
import { type KnownLosses, withLosses } from './withLosses.ts'

export interface Solution {
  readonly status: 'solved'
  readonly mix: MixProgram
  readonly values: readonly number[]
  readonly counts: ReadonlyMap<VariantId, number>
  /** The counts at which capacity was taken: none above the count of a used variant. */
  readonly reference: ReadonlyMap<VariantId, number>
  /** No plan costs less (starts and tie-break included), given what stays unmet. */
  readonly lowerBound: number
  readonly lost: ReadonlySet<VariantId>
}

export interface Unsolved {
  readonly status: 'failed'
  readonly why: string
}

/** Capacity of one replica of a variant when there are so many of them. */
export type CapacityAt = (block: Block, classId: ClassId, variantId: VariantId, replicas: number) => number

const maxRounds = 12

export function solveFixedPoint(
  instance: Instance,
  capacityAt: CapacityAt,
  engines: Engines,
  limits: EngineLimits,
): Solution | Unsolved {
  const variants = instance.blocks.flatMap((block) => block.variants)
  const reference = new Map(variants.map((variant) => [variant.id, Math.max(1, variant.max)]))
  const known: KnownLosses = { lost: new Set(), atWhole: [], atRelaxation: [] }
  let lowerBound = Number.NEGATIVE_INFINITY
  for (let lowered = 0; ; ) {
    const sizing = sizingAt(reference, capacityAt)
    const lost = new Set(known.lost)
    const mix = buildProgram(instance, sizing, lost)
    const solved = solveInOrder(mix, withLosses(instance, mix, sizing, known, engines, limits))
    if (known.lost.size > lost.size) continue
    if (solved.status !== 'solved') {
      return { status: 'failed', why: solved.status === 'failed' ? solved.why : 'no solution' }
    }
    if (lowered === 0) lowerBound = solved.lowerBound
    const counts = new Map([...mix.counts].map(([id, column]) => [id, solved.values[column] ?? 0]))
    if (!lower(reference, instance, counts, capacityAt, lowered)) {
      return { status: 'solved', mix, values: solved.values, counts, reference, lowerBound, lost }
    }
    lowered++
  }
}

export function sizingAt(reference: ReadonlyMap<VariantId, number>, capacityAt: CapacityAt): Sizing {
  return (block, classId, variant, fewer) =>
    capacityAt(block, classId, variant.id, Math.max(1, (reference.get(variant.id) ?? 1) - fewer))
}

/** A used variant whose reference is above its count gets a lower one. True if any capacity changed by it. */
function lower(
  reference: Map<VariantId, number>,
  instance: Instance,
  counts: ReadonlyMap<VariantId, number>,
  capacityAt: CapacityAt,
  rounds: number,
): boolean {
  let changed = false
  for (const block of instance.blocks) {
    for (const { id, min } of block.variants) {
      const count = counts.get(id) ?? 0
      const before = reference.get(id) ?? 1
      if (count === 0 || before <= count) continue
      const after = rounds < maxRounds ? count : Math.max(1, min)
      reference.set(id, after)
      changed ||= isPooled(block, id, before, after, capacityAt)
    }
  }
  return changed
}

/** Whether a replica carries less among `after` than among `before`, with or without a loss. */
function isPooled(
  block: Block,
  id: VariantId,
  before: number,
  after: number,
  capacityAt: CapacityAt,
): boolean {
  return block.classes.some((demand) =>
    [0, block.problem.surviveReplicas].some(
      (fewer) =>
        capacityAt(block, demand.id, id, Math.max(1, before - fewer)) !==
        capacityAt(block, demand.id, id, Math.max(1, after - fewer)),
    ),
  )
}
