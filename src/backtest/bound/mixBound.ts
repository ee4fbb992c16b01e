// The clairvoyant bound for any policy, as one linear program over all steps: docs/MODEL.md, "The clairvoyant bound", in
// the same names and order. Counts are continuous, so that the optimum is below every schedule in whole replicas.
import type { Engine, Entry, LinearProgram } from '../../core/optimize/engine.ts'
import type { Pool, ScalingPolicy, Variant, VariantId } from '../../core/policy.ts'
import type { Known, KnownCapacity, KnownClass } from './known.ts'

export interface MixBoundProblem {
  readonly policy: ScalingPolicy
  readonly pools: readonly Pool[]
  readonly known: Known
  readonly capacity: KnownCapacity
  readonly allowedMisses: number
}

export type MixBound =
  | {
      readonly kind: 'bound'
      readonly dollars: number
      /** Ready replicas, step by step. */
      readonly counts: Readonly<Record<VariantId, readonly number[]>>
    }
  | { readonly kind: 'infeasible' }
  | { readonly kind: 'failed'; readonly why: string }

export function mixBound(problem: MixBoundProblem, engine: Engine): MixBound {
  const draft = new Draft(problem)
  const answer = engine(draft.program(), { relativeGap: 0, maxNodes: 1 })
  switch (answer.status) {
    case 'infeasible':
      return { kind: 'infeasible' }
    case 'failed':
      return { kind: 'failed', why: answer.why }
    case 'solved':
      return { kind: 'bound', dollars: answer.lowerBound, counts: draft.countsIn(answer.values) }
  }
}

class Draft {
  private readonly problem: MixBoundProblem
  private readonly variants: readonly Variant[]
  private readonly columns: LinearProgram['columns'][number][] = []
  private readonly rows: LinearProgram['rows'][number][] = []
  /** n by variant and step. */
  private readonly counts = new Map<Variant, number[]>()
  private readonly misses = new Map<KnownClass, Entry[]>()

  constructor(problem: MixBoundProblem) {
    this.problem = problem
    this.variants = problem.policy.variants
    for (let t = 0; t < problem.known.steps; t++) this.step(t)
    for (const known of problem.known.classes) {
      const all = known.requestsPerSecond.reduce((sum, rate) => sum + rate, 0)
      this.rows.push({
        lower: Number.NEGATIVE_INFINITY,
        upper: problem.allowedMisses * all,
        entries: this.misses.get(known) ?? [],
      })
    }
  }

  program(): LinearProgram {
    return { columns: this.columns, rows: this.rows }
  }

  countsIn(values: readonly number[]): Readonly<Record<VariantId, readonly number[]>> {
    return Object.fromEntries(
      this.variants.map((variant) => [
        variant.id,
        (this.counts.get(variant) ?? []).map((column) => values[column] ?? 0),
      ]),
    )
  }

  private step(t: number): void {
    for (const variant of this.variants) this.replicas(variant, t)
    const flows = this.problem.known.classes.map((known) => ({ known, flow: this.flows(known, t) }))
    for (const variant of this.variants) {
      const entries = flows.flatMap(({ known, flow }) => {
        const column = flow.get(variant)
        return column === undefined
          ? []
          : [{ column, coefficient: 1 / this.problem.capacity(known, variant, t) }]
      })
      if (entries.length === 0) continue
      this.rows.push({
        lower: Number.NEGATIVE_INFINITY,
        upper: 0,
        entries: [...entries, { column: this.countOf(variant, t), coefficient: -1 }],
      })
    }
    for (const { name, gpus } of this.problem.pools) {
      const inPool = this.variants.filter(({ pool }) => pool === name)
      if (gpus === undefined || inPool.length === 0) continue
      this.rows.push({
        lower: Number.NEGATIVE_INFINITY,
        upper: gpus,
        entries: inPool.map((variant) => ({
          column: this.countOf(variant, t),
          coefficient: variant.accelerator.countPerReplica,
        })),
      })
    }
  }

  /** n and u of a variant at t, and the row between them. */
  private replicas(variant: Variant, t: number): void {
    const { costPerHour, startupSeconds, replicas } = variant
    const perSecond = costPerHour / 3600
    const n = this.column(perSecond * this.problem.known.stepSeconds, replicas.min, replicas.max)
    const counts = this.counts.get(variant) ?? []
    const before = counts.at(-1)
    this.counts.set(variant, push(counts, n))
    if (t === 0 || before === undefined) return
    const u = this.column(perSecond * startupSeconds, 0, replicas.max)
    this.rows.push({
      lower: Number.NEGATIVE_INFINITY,
      upper: 0,
      entries: [
        { column: n, coefficient: 1 },
        { column: u, coefficient: -1 },
        { column: before, coefficient: -1 },
      ],
    })
  }

  /** x of a class on every variant that can serve it, s, and the rows between them. */
  private flows(known: KnownClass, t: number): ReadonlyMap<Variant, number> {
    const rate = known.requestsPerSecond[t] ?? 0
    const flow = new Map<Variant, number>()
    for (const variant of this.variants) {
      if (this.problem.capacity(known, variant, t) > 0) flow.set(variant, this.column(0, 0, Infinity))
    }
    const entering = [...flow].filter(([{ role }]) => role !== 'decode')
    const short = this.column(0, 0, rate)
    this.misses.set(known, push(this.misses.get(known) ?? [], { column: short, coefficient: 1 }))
    this.rows.push({
      lower: rate,
      upper: Number.POSITIVE_INFINITY,
      entries: [...entering.map(([, column]) => column), short].map((column) => ({ column, coefficient: 1 })),
    })
    const groups = new Set([...flow.keys()].flatMap(({ transferGroup }) => transferGroup ?? []))
    for (const group of groups) {
      const entries = [...flow]
        .filter(([variant]) => variant.transferGroup === group)
        .map(([{ role }, column]) => ({ column, coefficient: role === 'prefill' ? 1 : -1 }))
      this.rows.push({ lower: Number.NEGATIVE_INFINITY, upper: 0, entries })
    }
    return flow
  }

  private column(cost: number, lower: number, upper: number): number {
    this.columns.push({ cost, lower, upper, integer: false })
    return this.columns.length - 1
  }

  private countOf(variant: Variant, t: number): number {
    return this.counts.get(variant)?.[t] as number
  }
}

function push<T>(list: T[], item: T): T[] {
  list.push(item)
  return list
}
