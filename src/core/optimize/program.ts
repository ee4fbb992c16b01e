// The replica mix as a mixed-integer program: docs/MODEL.md, "The optimizer", in the same names and order.
// Flows are shares of a class's demand, so that coefficients stay near 1 whatever the traffic.
import type { ClassId, VariantId } from '../policy.ts'
import { type DeadBand, deadBand } from './deadBand.ts'
import type { Column, Entry, LinearProgram, Row } from './engine.ts'
import type { MixClass, MixPool, MixProblem, MixVariant } from './mix.ts'

/** Problems that share pools; everything is sorted by id, so that equal inputs give equal programs. */
export interface Instance {
  readonly blocks: readonly Block[]
  readonly pools: readonly MixPool[]
}

export interface Block {
  readonly problem: MixProblem
  /** Classes with demand that some variant, or some pair of a group, can serve at all. */
  readonly classes: readonly MixClass[]
  readonly variants: readonly MixVariant[]
  /** What stands behind a merged variant, by its id; the others are themselves. */
  readonly twins: ReadonlyMap<VariantId, readonly MixVariant[]>
}

/** k_cv at the reference count of v; 0 where v cannot serve c. `fewer`: with that many replicas less. */
export type Sizing = (block: Block, classId: ClassId, variant: MixVariant, fewer: number) => number

export interface FlowColumn {
  readonly class: MixClass
  readonly variant: MixVariant
  readonly column: number
}

export interface MixProgram {
  readonly program: LinearProgram
  readonly counts: ReadonlyMap<VariantId, number>
  readonly flows: readonly FlowColumn[]
  readonly short: ReadonlyMap<ClassId, number>
  readonly minShares: readonly MinShareColumn[]
  readonly losses: readonly LossColumns[]
  readonly named: NamedRows
  /** What may stay unmet, in the strict order in which it is minimized before cost. */
  readonly levels: readonly (readonly Entry[])[]
}

/** Rows whose prices mean something to people. */
export interface NamedRows {
  readonly pools: ReadonlyMap<string, number>
  /** By the problem it belongs to. */
  readonly budgets: ReadonlyMap<MixProblem, number>
}

/** What a minimum share lacks, as a share of the class. */
export interface MinShareColumn {
  readonly class: MixClass
  readonly variant: VariantId
  readonly column: number
}

/** A loss of which the program knows; lossCuts.ts tells it what the loss does. */
export interface LossColumns {
  readonly block: Block
  readonly variant: VariantId
  /** Replicas of the variant that are left. */
  readonly left: number
  /** The part of all demand of the block that the rest does not carry then. */
  readonly uncarried: number
}

interface Draft {
  readonly columns: Column[]
  readonly rows: Row[]
  readonly counts: Map<VariantId, number>
  readonly flows: FlowColumn[]
  readonly short: Map<ClassId, number>
  readonly shortByPriority: Map<number, Entry[]>
  readonly minShares: MinShareColumn[]
  readonly losses: LossColumns[]
  readonly named: {
    readonly pools: Map<string, number>
    readonly budgets: Map<MixProblem, number>
  }
}

export function buildProgram(instance: Instance, sizing: Sizing, lost: ReadonlySet<VariantId>): MixProgram {
  const draft: Draft = {
    columns: [],
    rows: [],
    counts: new Map(),
    flows: [],
    short: new Map(),
    shortByPriority: new Map(),
    minShares: [],
    losses: [],
    named: { pools: new Map(), budgets: new Map() },
  }
  for (const block of instance.blocks) addBlock(draft, block, sizing, lost)
  addPools(draft, instance)
  const priorities = [...draft.shortByPriority.keys()].sort((a, b) => a - b)
  return {
    program: { columns: draft.columns, rows: draft.rows },
    counts: draft.counts,
    flows: draft.flows,
    short: draft.short,
    minShares: draft.minShares,
    losses: draft.losses,
    named: draft.named,
    levels: [
      ...priorities.map((priority) => draft.shortByPriority.get(priority) ?? []),
      [
        ...draft.minShares.map((item) => entry(item.column, item.class.requestsPerSecond)),
        ...draft.losses.map((loss) => entry(loss.uncarried, demandOf(loss.block))),
      ],
    ]
      .filter((level) => level.length > 0)
      .map(scaled),
  }
}

/** Counts that the HPA acts on. Twins skip none each, so together they reach every count. */
export function bandOf({ problem, twins }: Block, variant: MixVariant): DeadBand {
  return deadBand(variant.current, variant.min, variant.max, twins.has(variant.id) ? 0 : problem.hpaTolerance)
}

function addBlock(draft: Draft, block: Block, sizing: Sizing, lost: ReadonlySet<VariantId>): void {
  for (const [rank, variant] of block.variants.entries()) addCount(draft, block, variant, rank)
  for (const demand of block.classes) {
    const column = addColumn(draft, unmet)
    draft.short.set(demand.id, column)
    const level = draft.shortByPriority.get(demand.priority) ?? []
    level.push({ column, coefficient: demand.requestsPerSecond })
    draft.shortByPriority.set(demand.priority, level)
  }
  addFlows(draft, block, sizing)
  addBudget(draft, block)
  for (const variant of block.variants) if (lost.has(variant.id)) addLoss(draft, block, variant, sizing)
}

function addCount(draft: Draft, block: Block, variant: MixVariant, rank: number): void {
  const tieBreak = 1 + (1e-6 * rank) / block.variants.length
  const { least, most, holes } = bandOf(block, variant)
  const count = addColumn(draft, {
    cost: (variant.costPerHour + (variant.gpuPrice ?? 0) * variant.gpusPerReplica) * tieBreak,
    lower: least,
    upper: most,
    integer: true,
    ...(holes.length === 0 ? {} : { holes }),
  })
  draft.counts.set(variant.id, count)
  if (variant.startCost > 0 && most > variant.current) {
    const added = addColumn(draft, { cost: variant.startCost, lower: 0, upper: Infinity, integer: false })
    addRow(draft, -Infinity, variant.current, [entry(count, 1), entry(added, -1)])
  }
}

/** served, handover, carry, used and shares. */
function addFlows(draft: Draft, block: Block, sizing: Sizing): void {
  const carried = new Map<VariantId, Entry[]>()
  for (const demand of block.classes) {
    const served = [entry(draft.short.get(demand.id) ?? 0, 1)]
    const handover = new Map<string, Entry[]>()
    for (const variant of block.variants) {
      const load = loadOf(block, demand, variant, sizing, 0)
      if (load === undefined) continue
      const column = addColumn(draft, share)
      const flow = { class: demand, variant, column }
      draft.flows.push(flow)
      addShares(draft, flow)
      const count = draft.counts.get(variant.id) ?? 0
      carried.set(variant.id, [...(carried.get(variant.id) ?? [entry(count, -1)]), entry(column, load)])
      if (load < 1) addRow(draft, -Infinity, 0, [entry(column, 1), entry(count, -1)])
      if (variant.role !== 'decode') served.push(entry(column, 1))
      if (variant.role !== 'unified') {
        const group = variant.transferGroup ?? ''
        const sign = variant.role === 'prefill' ? 1 : -1
        handover.set(group, [...(handover.get(group) ?? []), entry(column, sign)])
      }
    }
    addRow(draft, 1, Infinity, served)
    for (const entries of handover.values()) addRow(draft, -Infinity, 0, entries)
  }
  for (const entries of carried.values()) addRow(draft, -Infinity, 0, entries)
}

/**
 * a_cv: replicas of the variant that all of the class would take. Undefined where it cannot serve the class, or only
 * a millionth of it, which would be lost in the engines' tolerances.
 */
export function loadOf(
  block: Block,
  demand: MixClass,
  variant: MixVariant,
  sizing: Sizing,
  fewer: number,
): number | undefined {
  const perReplica = sizing(block, demand.id, variant, fewer)
  const carries = perReplica * variant.max > 1e-6 * demand.requestsPerSecond
  return carries ? demand.requestsPerSecond / perReplica : undefined
}

function addShares(draft: Draft, flow: FlowColumn): void {
  const { id, maxShare, minShare } = flow.variant
  if (maxShare < 1) addRow(draft, -Infinity, maxShare, [entry(flow.column, 1)])
  if (minShare > 0) {
    const gap = addColumn(draft, unmet)
    draft.minShares.push({ class: flow.class, variant: id, column: gap })
    const short = draft.short.get(flow.class.id) ?? 0
    addRow(draft, minShare, Infinity, [entry(flow.column, 1), entry(gap, 1), entry(short, 1)])
  }
}

/** left_w = max(0, n_w - k), up to useful_w: left_w <= n_w - k z, left_w <= useful_w z, n_w <= k + (max - k) z, z binary. */
function addLoss(draft: Draft, block: Block, variant: MixVariant, sizing: Sizing): void {
  const { surviveReplicas } = block.problem
  const useful = usefulAfterLoss(block, variant, sizing)
  const count = draft.counts.get(variant.id) ?? 0
  const left = addColumn(draft, { cost: 0, lower: 0, upper: useful, integer: false })
  const uncarried = addColumn(draft, unmet)
  const isLeft = addColumn(draft, { ...binary, lower: variant.min >= surviveReplicas ? 1 : 0 })
  addRow(draft, -Infinity, 0, [entry(left, 1), entry(count, -1), entry(isLeft, surviveReplicas)])
  addRow(draft, -Infinity, 0, [entry(left, 1), entry(isLeft, -useful)])
  addRow(draft, -Infinity, surviveReplicas, [entry(count, 1), entry(isLeft, surviveReplicas - variant.max)])
  draft.losses.push({ block, variant: variant.id, left, uncarried })
}

/** Replicas that could carry everything: more help nobody, and a small number makes the relaxation tight. */
export function usefulAfterLoss(block: Block, variant: MixVariant, sizing: Sizing): number {
  const all = sum(
    block.classes,
    (demand) => loadOf(block, demand, variant, sizing, block.problem.surviveReplicas) ?? 0,
  )
  return Math.min(Math.max(1, Math.ceil(all)), Math.max(1, variant.max))
}

/** Requests per second of all classes that something can serve. */
export function demandOf(block: Block): number {
  return sum(block.classes, (demand) => demand.requestsPerSecond)
}

function addBudget(draft: Draft, block: Block): void {
  const { budgetPerHour } = block.problem
  if (budgetPerHour === undefined) return
  const minimums = sum(block.variants, (variant) => variant.costPerHour * bandOf(block, variant).least)
  const entries = block.variants.map((variant) =>
    entry(draft.counts.get(variant.id) ?? 0, variant.costPerHour),
  )
  draft.named.budgets.set(block.problem, addRow(draft, -Infinity, Math.max(budgetPerHour, minimums), entries))
}

function addPools(draft: Draft, instance: Instance): void {
  const variants = instance.blocks.flatMap((block) => block.variants.map((variant) => ({ block, variant })))
  for (const pool of instance.pools) {
    const takers = variants.filter(({ variant }) => variant.pool === pool.name && variant.gpusPerReplica > 0)
    const minimums = sum(
      takers,
      ({ block, variant }) => variant.gpusPerReplica * bandOf(block, variant).least,
    )
    const entries = takers.map(({ variant }) =>
      entry(draft.counts.get(variant.id) ?? 0, variant.gpusPerReplica),
    )
    if (entries.length === 0) continue
    draft.named.pools.set(pool.name, addRow(draft, -Infinity, Math.max(pool.gpus, minimums), entries))
  }
}

const unmet: Column = { cost: 0, lower: 0, upper: 1, integer: false }
const share: Column = { cost: 0, lower: 0, upper: Infinity, integer: false }
const binary: Column = { cost: 0, lower: 0, upper: 1, integer: true }

function addColumn(draft: Draft, column: Column): number {
  return draft.columns.push(column) - 1
}

function addRow(draft: Draft, lower: number, upper: number, entries: readonly Entry[]): number {
  return draft.rows.push({ lower, upper, entries }) - 1
}

function entry(column: number, coefficient: number): Entry {
  return { column, coefficient }
}

/** The largest coefficient becomes 1: requests per second may be thousands or thousandths. */
function scaled(level: readonly Entry[]): readonly Entry[] {
  const largest = Math.max(...level.map((item) => item.coefficient))
  return level.map((item) => entry(item.column, item.coefficient / largest))
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0)
}
