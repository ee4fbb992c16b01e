// Solves a program and adds what losses demand of it until its solution survives them: cuts first at the relaxation,
// where they are cheap, then at whole numbers (McDaniel and Devine, Management Science 24, 1977), which need not be the
// best ones until the last rounds (Geoffrion and Graves, Management Science 20, 1974).
import type { VariantId } from '../policy.ts'
import type { EngineLimits, Engines, LinearProgram } from './engine.ts'
import { type AfterLoss, cutAt, type LossCut, rounded, toRow, type Weighing } from './lossCuts.ts'
import { type Block, type Instance, type MixProgram, type Sizing, usefulAfterLoss } from './program.ts'
import { type Feasibility, solveVerified, type Verified } from './verified.ts'

/** How a program is solved: plainly, or with what losses demand. */
export type Solve = (program: LinearProgram, feasibility: Feasibility) => Verified

/** What is known of losses so far: it holds for the sizing it was found at and for every lower one. */
export interface KnownLosses {
  /** Variants whose loss the program has columns for. */
  readonly lost: Set<VariantId>
  readonly atWhole: LossCut[]
  atRelaxation: readonly LossCut[]
}

/** A share of a class: what is broken by less is within what engines miss a row by. */
const negligible = 3e-7

/** What is broken by less, and by the same solution once more, is what the engine cannot tell apart. */
const stalled = 1e-5

/** Beyond this many rounds something is wrong; the hardest of hundreds of models took some tens. */
const maxRounds = 200

/** The relaxation is left after so many rounds in which its bound rose by less than this share. */
const relaxationPatience = 2
const leastGain = 1e-3

/** Gap of the rounds that only look for cuts. */
const looking = 5e-2

/**
 * A solution that survives all losses the program knows. Where it would break by a loss that the program does not know,
 * that variant is added to `known.lost`, and the answer is of no use: build the program again.
 */
export function withLosses(
  instance: Instance,
  mix: MixProgram,
  sizing: Sizing,
  known: KnownLosses,
  engines: Engines,
  limits: EngineLimits,
): Solve {
  const plainly: Solve = (program, feasibility) => solveVerified(program, engines, limits, feasibility)
  if (instance.blocks.every((block) => block.problem.surviveReplicas === 0)) return plainly
  const withCuts = (program: LinearProgram, weighing: Weighing): LinearProgram => {
    const cuts = [...known.atWhole, ...known.atRelaxation].filter((cut) => cut.weighing === weighing)
    return { ...program, rows: [...program.rows, ...cuts.flatMap((cut) => toRow(cut, mix) ?? [])] }
  }
  const broken = (values: readonly number[], weighing: Weighing) =>
    brokenCuts(mix, values, weighing, sizing, engines)
  const relax = (
    program: LinearProgram,
    weighing: Weighing,
    feasibility: Feasibility,
  ): Verified | undefined => {
    let bound: number | undefined
    for (let round = 1, idle = 0; round <= maxRounds && idle < relaxationPatience; round++) {
      const solved = solveVerified(relaxed(withCuts(program, weighing)), engines, limits, feasibility)
      if (solved.status !== 'solved') return solved
      known.atRelaxation = known.atRelaxation.filter((cut) => isTight(cut, mix, solved.values))
      const isRising =
        bound === undefined || solved.objective - bound > leastGain * Math.max(1e-3, Math.abs(bound))
      idle = isRising ? 0 : idle + 1
      bound = solved.objective
      const found = broken(solved.values, weighing) ?? []
      if (found.length === 0) return undefined
      known.atRelaxation = [...known.atRelaxation, ...found.flatMap(({ cuts }) => cuts)]
    }
    return undefined
  }
  return (program, feasibility) => {
    const weighing = weighingOf(mix, program)
    if (weighing === undefined) return plainly(program, feasibility)
    const first = relax(program, weighing, feasibility)
    if (first?.status === 'infeasible') return first
    let gap = Math.max(looking, limits.relativeGap)
    let before: readonly number[] = []
    for (let round = 1; round <= maxRounds; round++) {
      const asked = withCuts(program, weighing)
      const solved = solveVerified(asked, engines, { ...limits, relativeGap: gap }, feasibility)
      if (solved.status !== 'solved') return solved
      const unforeseen = unforeseenLosses(instance, mix, solved.values, sizing, engines)
      for (const id of unforeseen) known.lost.add(id)
      if (unforeseen.length > 0) return solved
      const found = broken(solved.values, weighing)
      if (found === undefined) return { status: 'failed', why: 'no engine priced a loss' }
      const isStalled = found.every(({ by }) => by < stalled) && isEqual(solved.values, before)
      if ((found.length === 0 || isStalled) && gap === limits.relativeGap) return solved
      if (found.length === 0 || isStalled) gap = limits.relativeGap
      known.atWhole.push(...found.flatMap(({ cuts }) => cuts))
      before = solved.values
    }
    return { status: 'failed', why: `losses still break the plan after ${maxRounds} rounds` }
  }
}

/** Variants whose loss the plan does not survive, though the program knows nothing of it yet. */
function unforeseenLosses(
  instance: Instance,
  mix: MixProgram,
  values: readonly number[],
  sizing: Sizing,
  engines: Engines,
): readonly VariantId[] {
  const foreseen = new Set(mix.losses.map((loss) => loss.variant))
  return instance.blocks.flatMap((block) => {
    if (block.problem.surviveReplicas === 0) return []
    return block.variants.flatMap(({ id }) => {
      const count = values[mix.counts.get(id) ?? -1] ?? 0
      if (count === 0 || foreseen.has(id)) return []
      const cut = cutAt(afterLoss(mix, values, block, id, sizing), 'equal', sizing, engines)
      return cut === undefined || cut.uncarried > negligible ? [id] : []
    })
  })
}

/** Undefined where nothing in the program depends on what losses leave uncarried. */
function weighingOf(mix: MixProgram, program: LinearProgram): Weighing | undefined {
  const columns = mix.losses.map((loss) => loss.uncarried)
  if (columns.every((column) => program.columns[column]?.upper === 0)) return 'equal'
  const added = program.rows.slice(mix.program.rows.length)
  const isHeld = added.some((row) => row.entries.some((entry) => columns.includes(entry.column)))
  const isMinimized = columns.some((column) => (program.columns[column]?.cost ?? 0) > 0)
  return isHeld || isMinimized ? 'byRate' : undefined
}

/** What a solution leaves uncarried after a loss beyond what it says. */
interface Broken {
  readonly by: number
  readonly cuts: readonly LossCut[]
}

function brokenCuts(
  mix: MixProgram,
  values: readonly number[],
  weighing: Weighing,
  sizing: Sizing,
  engines: Engines,
): readonly Broken[] | undefined {
  const found: Broken[] = []
  for (const { block, variant, uncarried } of mix.losses) {
    if ((values[mix.counts.get(variant) ?? -1] ?? 0) <= 0) continue
    const after = afterLoss(mix, values, block, variant, sizing)
    const answer = cutAt(after, weighing, sizing, engines)
    if (answer === undefined) return undefined
    const given = values[uncarried] ?? 0
    if (answer.uncarried <= given + negligible) continue
    const stronger = rounded(answer.cut, after, given)
    found.push({
      by: answer.uncarried - given,
      cuts: [answer.cut, ...(stronger === undefined ? [] : [stronger])],
    })
  }
  return found
}

/** At whole numbers what is left; between them the most that the rows of a loss allow. */
function afterLoss(
  mix: MixProgram,
  values: readonly number[],
  block: Block,
  lost: VariantId,
  sizing: Sizing,
): AfterLoss {
  const countOf = (id: VariantId): number => values[mix.counts.get(id) ?? -1] ?? 0
  const { surviveReplicas } = block.problem
  const variant = block.variants.find(({ id }) => id === lost)
  const useful = variant === undefined ? 0 : usefulAfterLoss(block, variant, sizing)
  const left = (count: number): number => {
    if (Number.isInteger(count) || (variant?.min ?? 0) >= surviveReplicas) {
      return Math.min(useful, Math.max(0, count - surviveReplicas))
    }
    return Math.min(useful, (count * useful) / (useful + surviveReplicas))
  }
  return {
    block,
    lost,
    left: (id) => (id === lost ? left(countOf(id)) : countOf(id)),
    short: (id) => values[mix.short.get(id) ?? -1] ?? 0,
  }
}

/** Cuts that the relaxation no longer leans on only make nodes dearer: what is missed of them is found again. */
function isTight(cut: LossCut, mix: MixProgram, values: readonly number[]): boolean {
  const row = toRow(cut, mix)
  if (row === undefined) return false
  const total = row.entries.reduce((sum, entry) => sum + entry.coefficient * (values[entry.column] ?? 0), 0)
  return total <= row.lower * (1 + 1e-6) + 1e-9
}

function isEqual(x: readonly number[], y: readonly number[]): boolean {
  return x.length === y.length && x.every((value, index) => Math.abs(value - (y[index] ?? 0)) <= stalled)
}

function relaxed(program: LinearProgram): LinearProgram {
  return { ...program, columns: program.columns.map((column) => ({ ...column, integer: false })) }
}
