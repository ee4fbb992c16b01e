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
  /** The variant whose loss this flow survives; absent on the flow of every day. */
  readonly lost?: VariantId
}

export interface MixProgram {
  readonly program: LinearProgram
  readonly counts: ReadonlyMap<VariantId, number>
  readonly flows: readonly FlowColumn[]
  readonly short: ReadonlyMap<ClassId, number>
  readonly resilience: readonly ResilienceColumn[]
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

/** What redundancy or a minimum share lacks, as a share of the class. */
export interface ResilienceColumn {
  readonly kind: 'loss' | 'minShare'
  readonly class: MixClass
  readonly variant: VariantId
  readonly column: number
}

interface Draft {
  readonly columns: Column[]
  readonly rows: Row[]
  readonly counts: Map<VariantId, number>
  readonly flows: FlowColumn[]
  readonly short: Map<ClassId, number>
  readonly shortByPriority: Map<number, Entry[]>
  readonly resilience: ResilienceColumn[]
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
    resilience: [],
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
    resilience: draft.resilience,
    named: draft.named,
    levels: [
      ...priorities.map((priority) => draft.shortByPriority.get(priority) ?? []),
      draft.resilience.map((item) => entry(item.column, item.class.requestsPerSecond)),
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
  const flows = addFlows(draft, block, draft.counts, sizing, undefined)
  addShares(draft, flows)
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

/** served, handover, carry and used, with the given columns as the replicas there are. */
function addFlows(
  draft: Draft,
  block: Block,
  replicas: ReadonlyMap<VariantId, number>,
  sizing: Sizing,
  loss: { readonly variant: VariantId; readonly replicas: number } | undefined,
): readonly FlowColumn[] {
  const added: FlowColumn[] = []
  const carried = new Map<VariantId, Entry[]>()
  for (const demand of block.classes) {
    const served = [entry(draft.short.get(demand.id) ?? 0, 1)]
    if (loss !== undefined) {
      const column = addColumn(draft, unmet)
      draft.resilience.push({ kind: 'loss', class: demand, variant: loss.variant, column })
      served.push(entry(column, 1))
    }
    const handover = new Map<string, Entry[]>()
    for (const variant of block.variants) {
      const fewer = variant.id === loss?.variant ? loss.replicas : 0
      const perReplica = sizing(block, demand.id, variant, fewer)
      if (!carries(perReplica, demand, variant)) continue
      const column = addColumn(draft, share)
      const flow = { class: demand, variant, column }
      added.push(loss === undefined ? flow : { ...flow, lost: loss.variant })
      const load = demand.requestsPerSecond / perReplica
      const count = replicas.get(variant.id) ?? 0
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
  draft.flows.push(...added)
  return added
}

/** A share below a millionth of the class would be lost in the engines' tolerances. */
function carries(perReplica: number, demand: MixClass, variant: MixVariant): boolean {
  return perReplica * variant.max > 1e-6 * demand.requestsPerSecond
}

function addShares(draft: Draft, flows: readonly FlowColumn[]): void {
  for (const flow of flows) {
    const { maxShare, minShare } = flow.variant
    if (maxShare < 1) addRow(draft, -Infinity, maxShare, [entry(flow.column, 1)])
    if (minShare > 0) {
      const gap = addColumn(draft, unmet)
      const { id } = flow.variant
      draft.resilience.push({ kind: 'minShare', class: flow.class, variant: id, column: gap })
      const short = draft.short.get(flow.class.id) ?? 0
      addRow(draft, minShare, Infinity, [entry(flow.column, 1), entry(gap, 1), entry(short, 1)])
    }
  }
}

/** lost_w = max(0, n_w - k): lost_w <= n_w - k z and lost_w <= max z with a binary z. */
function addLoss(draft: Draft, block: Block, variant: MixVariant, sizing: Sizing): void {
  const replicas = block.problem.surviveReplicas
  const count = draft.counts.get(variant.id) ?? 0
  const left = addColumn(draft, { cost: 0, lower: 0, upper: variant.max, integer: false })
  const anyLeft = addColumn(draft, binary)
  addRow(draft, -Infinity, 0, [entry(left, 1), entry(count, -1), entry(anyLeft, replicas)])
  addRow(draft, -Infinity, 0, [entry(left, 1), entry(anyLeft, -variant.max)])
  addFlows(draft, block, new Map([...draft.counts, [variant.id, left]]), sizing, {
    variant: variant.id,
    replicas,
  })
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
