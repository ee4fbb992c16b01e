// What the loss of replicas of a variant would leave uncarried, as inequalities on the counts: Benders' decomposition
// (Numerische Mathematik 4, 1962; Van Slyke and Wets, 1969), docs/MODEL.md, "Redundancy". With every loss written
// out, all flows stand in the program once more per variant, and the proof takes seconds.
import type { ClassId, VariantId } from '../policy.ts'
import type { Column, EngineLimits, Engines, Entry, Row } from './engine.ts'
import type { MixClass, MixVariant } from './mix.ts'
import { type Block, demandOf, loadOf, type MixProgram, type Sizing } from './program.ts'
import { solveVerified } from './verified.ts'

/** `sum worth_v left_v + sum short_c x (short share of c) + uncarried x (uncarried share) >= atLeast` after the loss. */
export interface LossCut {
  readonly block: Block
  readonly lost: VariantId
  readonly weighing: Weighing
  readonly worth: ReadonlyMap<VariantId, number>
  readonly short: ReadonlyMap<ClassId, number>
  readonly uncarried: number
  readonly atLeast: number
}

/**
 * How shares of classes add up to `uncarried`. `equal`: every class counts the same, where nothing may stay uncarried; `byRate`: as
 * requests do, where it is minimized.
 */
export type Weighing = 'equal' | 'byRate'

/** What is there after the loss, and the share of each class that was short before. */
export interface AfterLoss {
  readonly block: Block
  readonly lost: VariantId
  readonly left: (variant: VariantId) => number
  readonly short: (demand: ClassId) => number
}

const exact: EngineLimits = { relativeGap: 1e-8, maxNodes: 1 }

/**
 * The cut at these counts, and by how much they break it: the optimum of the dual of the flows after the loss. Whatever
 * an engine answers, the cut is valid: only the prices of demand are taken from it, and what a replica is worth at
 * those prices is computed here. Undefined where no engine answers.
 */
export function cutAt(
  after: AfterLoss,
  weighing: Weighing,
  sizing: Sizing,
  engines: Engines,
): { readonly cut: LossCut; readonly uncarried: number } | undefined {
  const { block, lost } = after
  const columns: Column[] = []
  const rows: Row[] = []
  const add = (cost: number, upper: number): number =>
    columns.push({ cost, lower: 0, upper, integer: false }) - 1
  const prices = block.classes.map((demand) => {
    const weight = weightOf(block, demand, weighing)
    const groups = new Map<string, number>()
    return { demand, weight, groups, wanted: add(after.short(demand.id) - 1, weight) }
  })
  for (const variant of block.variants) {
    const left = after.left(variant.id)
    const perReplica = add(left, Number.POSITIVE_INFINITY)
    for (const { demand, weight, groups, wanted } of prices) {
      const load = loadAfter(after, demand, variant, sizing)
      if (load === undefined) continue
      const group = variant.transferGroup ?? ''
      if (variant.role !== 'unified' && !groups.has(group)) groups.set(group, add(0, weight))
      const entries: Entry[] = [{ column: perReplica, coefficient: load }]
      if (load < 1) entries.push({ column: add(left, Number.POSITIVE_INFINITY), coefficient: 1 })
      if (variant.role !== 'decode') entries.push({ column: wanted, coefficient: -1 })
      if (variant.role !== 'unified') {
        entries.push({ column: groups.get(group) ?? 0, coefficient: variant.role === 'prefill' ? 1 : -1 })
      }
      rows.push({ lower: 0, upper: Number.POSITIVE_INFINITY, entries })
    }
  }
  const solved = solveVerified({ columns, rows }, engines, exact, 'alwaysFeasible')
  if (solved.status !== 'solved') return undefined
  const priceOf = (column: number | undefined, most: number): number =>
    Math.min(most, Math.max(0, solved.values[column ?? -1] ?? 0))
  const priced = prices.map(({ demand, weight, groups, wanted }) => ({
    demand,
    wanted: priceOf(wanted, weight),
    handover: new Map([...groups].map(([group, column]) => [group, priceOf(column, weight)])),
  }))
  const worth = new Map(
    block.variants.map((variant) => [variant.id, worthOf(after, variant, priced, sizing)] as const),
  )
  const atLeast = priced.reduce((sum, { wanted }) => sum + wanted, 0)
  const cut: LossCut = {
    block,
    lost,
    weighing,
    // One replica that is worth all that is wanted is as good as one that is worth more: counts are whole.
    worth: new Map([...worth].map(([id, price]) => [id, Math.min(price, atLeast)])),
    short: new Map(priced.map(({ demand, wanted }) => [demand.id, wanted])),
    uncarried: 1,
    atLeast,
  }
  return { cut, uncarried: missing({ ...cut, worth }, after) }
}

/** By how much counts and shortfalls alone miss the cut. */
function missing({ worth, short, atLeast }: LossCut, after: AfterLoss): number {
  let lacks = atLeast
  for (const [id, price] of short) lacks -= price * after.short(id)
  for (const [id, price] of worth) lacks -= price * after.left(id)
  return lacks
}

/**
 * The cut rounded for whole numbers (Nemhauser and Wolsey, Mathematical Programming 46, 1990): divided by d, with f the fraction
 * of the right side, a count weighs floor(a) + min(1, frac(a) / f), the rest 1/f of itself, and the right side is
 * rounded up. Of all d the one that these counts miss by most; undefined where they keep all.
 */
export function rounded(cut: LossCut, after: AfterLoss, uncarried: number): LossCut | undefined {
  let best: LossCut | undefined
  let most = 1e-6
  for (const by of new Set([...cut.worth.values()].filter((price) => price > 1e-3 * cut.atLeast))) {
    const fraction = cut.atLeast / by - Math.floor(cut.atLeast / by)
    // Small fractions make small coefficients of large ones.
    if (fraction < 0.01 || fraction > 0.999) continue
    const round = (price: number): number =>
      Math.floor(price / by + 1e-9) +
      Math.min(1, Math.max(0, price / by - Math.floor(price / by + 1e-9)) / fraction)
    const candidate: LossCut = {
      ...cut,
      worth: new Map([...cut.worth].map(([id, price]) => [id, round(price)])),
      short: new Map([...cut.short].map(([id, price]) => [id, price / by / fraction])),
      uncarried: cut.uncarried / by / fraction,
      atLeast: Math.ceil(cut.atLeast / by),
    }
    const lacks = (missing(candidate, after) - candidate.uncarried * uncarried) / candidate.atLeast
    if (lacks > most) {
      most = lacks
      best = candidate
    }
  }
  return best
}

/** The row of a cut in a program that has columns for its loss. */
export function toRow(cut: LossCut, mix: MixProgram): Row | undefined {
  const loss = mix.losses.find(({ variant, block }) => variant === cut.lost && block === cut.block)
  if (loss === undefined) return undefined
  const entries: Entry[] = [{ column: loss.uncarried, coefficient: cut.uncarried }]
  for (const [id, coefficient] of cut.short) {
    if (coefficient > 0) entries.push({ column: mix.short.get(id) ?? 0, coefficient })
  }
  for (const [id, coefficient] of cut.worth) {
    const column = id === cut.lost ? loss.left : (mix.counts.get(id) ?? 0)
    if (coefficient > 0) entries.push({ column, coefficient })
  }
  return { lower: cut.atLeast, upper: Number.POSITIVE_INFINITY, entries }
}

interface Priced {
  readonly demand: MixClass
  readonly wanted: number
  readonly handover: ReadonlyMap<string, number>
}

/**
 * The least a replica must be worth so that no flow on it is worth more than it takes: min over p of p + sum max(0, m_c - a_c p)
 * over classes that one replica carries (a_c < 1), with a_c p >= m_c for the others.
 */
function worthOf(after: AfterLoss, variant: MixVariant, priced: readonly Priced[], sizing: Sizing): number {
  const flows = priced.flatMap(({ demand, wanted, handover }) => {
    const load = loadAfter(after, demand, variant, sizing)
    const decoded = handover.get(variant.transferGroup ?? '') ?? 0
    const gain = variant.role === 'unified' ? wanted : variant.role === 'prefill' ? wanted - decoded : decoded
    return load === undefined || gain <= 0 ? [] : [{ load, gain }]
  })
  const least = Math.max(0, ...flows.map(({ load, gain }) => (load >= 1 ? gain / load : 0)))
  const candidates = [least, ...flows.map(({ load, gain }) => gain / load).filter((price) => price > least)]
  const total = (price: number): number =>
    flows.reduce((sum, { load, gain }) => sum + Math.max(0, load < 1 ? gain - load * price : 0), price)
  return Math.min(...candidates.map(total))
}

function loadAfter(
  { block, lost }: AfterLoss,
  demand: MixClass,
  variant: MixVariant,
  sizing: Sizing,
): number | undefined {
  return loadOf(block, demand, variant, sizing, variant.id === lost ? block.problem.surviveReplicas : 0)
}

function weightOf(block: Block, demand: MixClass, weighing: Weighing): number {
  return weighing === 'equal' ? 1 : demand.requestsPerSecond / demandOf(block)
}
