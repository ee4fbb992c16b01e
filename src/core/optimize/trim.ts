// Replicas that the exact capacity makes superfluous: the fixed point sizes some variants at fewer replicas than
// they end up with. Takes them away one by one, dearest first, while the rest still carries the same demand.
import type { ClassId, VariantId } from '../policy.ts'
import type { Column, EngineLimits, Engines } from './engine.ts'
import { type CapacityAt, type Solution, sizingAt } from './fixedPoint.ts'
import type { MixVariant } from './mix.ts'
import { type Block, bandOf, buildProgram, type Instance, type MixProgram } from './program.ts'
import { type KnownLosses, withLosses } from './withLosses.ts'

export function trim(
  instance: Instance,
  solution: Solution,
  capacityAt: CapacityAt,
  engines: Engines,
  limits: EngineLimits,
): Solution {
  if (!undersized(instance, solution, capacityAt)) return solution
  const dearestFirst = instance.blocks
    .flatMap((block) => block.variants.map((variant) => ({ variant, block })))
    .sort((x, y) => y.variant.costPerHour - x.variant.costPerHour)
  let best = solution
  for (const { variant, block } of dearestFirst) {
    for (;;) {
      const fewer = nextBelow(variant, block, best.counts.get(variant.id) ?? 0)
      if (fewer === undefined) break
      const counts = new Map([...best.counts, [variant.id, fewer]])
      const smaller = carriedBy(instance, counts, best, capacityAt, engines, limits)
      if (smaller === undefined) break
      best = smaller
    }
  }
  return best
}

/** Whether some used variant carries more at its count than it was sized for. */
function undersized(instance: Instance, solution: Solution, capacityAt: CapacityAt): boolean {
  const at = (
    block: Block,
    classId: ClassId,
    id: VariantId,
    counts: ReadonlyMap<VariantId, number>,
  ): number => capacityAt(block, classId, id, Math.max(1, counts.get(id) ?? 1))
  return instance.blocks.some((block) =>
    block.variants.some(
      ({ id }) =>
        (solution.counts.get(id) ?? 0) > 0 &&
        block.classes.some((demand) => {
          const sized = at(block, demand.id, id, solution.reference)
          return at(block, demand.id, id, solution.counts) > sized * (1 + 1e-9)
        }),
    ),
  )
}

function nextBelow(variant: MixVariant, block: Block, count: number): number | undefined {
  const { least, holes } = bandOf(block, variant)
  const next = holes.find((hole) => hole.above === count)?.below ?? count - 1
  return next >= least ? next : undefined
}

/** The same demand on exactly these counts, or undefined where they do not carry it. */
function carriedBy(
  instance: Instance,
  counts: ReadonlyMap<VariantId, number>,
  solution: Solution,
  capacityAt: CapacityAt,
  engines: Engines,
  limits: EngineLimits,
): Solution | undefined {
  const fixed: Instance = {
    ...instance,
    blocks: instance.blocks.map((block) => ({
      ...block,
      variants: block.variants.map((variant) => {
        const count = counts.get(variant.id) ?? 0
        return { ...variant, min: count, max: count }
      }),
    })),
  }
  const sizing = sizingAt(counts, capacityAt)
  const mix = buildProgram(fixed, sizing, solution.lost)
  const program = { ...mix.program, columns: unmetAtMost(mix, solution) }
  // Capacities at these counts may be above those that earlier cuts were made at.
  const known: KnownLosses = { lost: new Set(solution.lost), atWhole: [], atRelaxation: [] }
  const solved = withLosses(fixed, mix, sizing, known, engines, limits)(program, 'unknown')
  if (solved.status !== 'solved' || known.lost.size > solution.lost.size) return undefined
  return { ...solution, mix, values: solved.values, counts, reference: counts }
}

/** No level may be worse than it was: each unmet column keeps its value as its bound. */
function unmetAtMost(mix: MixProgram, solution: Solution): readonly Column[] {
  const total = (level: MixProgram['levels'][number], values: readonly number[]): number =>
    level.reduce((sum, entry) => sum + entry.coefficient * (values[entry.column] ?? 0), 0)
  const anythingUnmet = solution.mix.levels.some((level) => total(level, solution.values) > 0)
  const short = new Map(
    [...solution.mix.short].map(([id, column]) => [mix.short.get(id), solution.values[column] ?? 0]),
  )
  const unmet = new Set(mix.levels.flat().map((entry) => entry.column))
  return mix.program.columns.map((column, index) => {
    if (!unmet.has(index)) return column
    if (!anythingUnmet) return { ...column, upper: 0 }
    return short.has(index) ? { ...column, upper: short.get(index) ?? 0 } : column
  })
}
