// What a plan carries after each loss: one small program per used variant, at the counts that the plan has. Here the
// promise of redundancy is computed as flows, for check.ts to hold against the problem.
import type { ClassId, VariantId } from '../policy.ts'
import type { EngineLimits, Engines } from './engine.ts'
import { type FlowTable, flowTable } from './flows.ts'
import { type Block, buildProgram, type Sizing } from './program.ts'
import { solveVerified } from './verified.ts'

export interface Survived {
  readonly lost: VariantId
  readonly flow: FlowTable
  /** Requests per second that were served before and are not after; 0 where the loss is survived. */
  readonly uncarried: number
}

/** A share of a class that counts as nothing. */
const negligible = 1e-6

const exact: EngineLimits = { relativeGap: 1e-8, maxNodes: 1 }

/** Undefined where no engine answers. `short` is the share of each class that is not served before any loss. */
export function afterLosses(
  block: Block,
  counts: ReadonlyMap<VariantId, number>,
  short: (demand: ClassId) => number,
  sizing: Sizing,
  engines: Engines,
): readonly Survived[] | undefined {
  if (block.problem.surviveReplicas === 0) return []
  const used = block.variants.filter(({ id }) => (counts.get(id) ?? 0) > 0)
  const all = used.map(({ id }) => afterLoss(block, counts, id, short, sizing, engines))
  const known = all.filter((one) => one !== undefined)
  return known.length < all.length ? undefined : known
}

function afterLoss(
  block: Block,
  counts: ReadonlyMap<VariantId, number>,
  lost: VariantId,
  short: (demand: ClassId) => number,
  sizing: Sizing,
  engines: Engines,
): Survived | undefined {
  const { surviveReplicas } = block.problem
  const left = (id: VariantId): number =>
    Math.max(0, (counts.get(id) ?? 0) - (id === lost ? surviveReplicas : 0))
  // Only counts and flows matter after a loss: no starts, no shares, no money.
  const variants = block.variants.map((variant) => {
    const count = left(variant.id)
    return { ...variant, min: count, max: count, current: count, minShare: 0, maxShare: 1 }
  })
  const { budgetPerHour: _, ...problem } = block.problem
  const reduced: Block = { ...block, problem: { ...problem, surviveReplicas: 0 }, variants }
  const mix = buildProgram({ blocks: [reduced], pools: [] }, sizingAfter(block, lost, sizing), new Set())
  const unserved = new Map([...mix.short].map(([id, column]) => [column, id]))
  const rateOf = new Map(block.classes.map((demand) => [demand.id, demand.requestsPerSecond]))
  const most = Math.max(...rateOf.values())
  const columns = mix.program.columns.map((column, index) => {
    const id = unserved.get(index)
    return id === undefined
      ? { ...column, cost: 0 }
      : { ...column, cost: (rateOf.get(id) ?? 0) / most, lower: Math.min(1, short(id)) }
  })
  const solved = solveVerified({ ...mix.program, columns }, engines, exact, 'alwaysFeasible')
  if (solved.status !== 'solved') return undefined
  let uncarried = 0
  const shares = new Map<ClassId, number>()
  for (const [id, column] of mix.short) {
    const more = (solved.values[column] ?? 0) - short(id)
    const isLost = more > negligible
    if (isLost) uncarried += more * (rateOf.get(id) ?? 0)
    shares.set(id, isLost ? more + short(id) : short(id))
  }
  return {
    lost,
    flow: flowTable(mix.flows, solved.values, left, (id) => shares.get(id) ?? 0),
    uncarried,
  }
}

/** The reduced block stands for the block: capacities are asked for that one, with the replicas lost. */
function sizingAfter(block: Block, lost: VariantId, sizing: Sizing): Sizing {
  return (_, classId, variant) =>
    sizing(block, classId, variant, variant.id === lost ? block.problem.surviveReplicas : 0)
}
