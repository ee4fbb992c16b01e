// From a program's values to requests per second: every class's flow adds up to what is served, and what a
// group prefills it decodes. The program only asks for enough, so what is too much is taken back here.
import type { ClassId, VariantId } from '../policy.ts'
import type { FlowColumn } from './program.ts'

/** Requests per second: `flow.get(class).get(variant)`. */
export type FlowTable = ReadonlyMap<ClassId, ReadonlyMap<VariantId, number>>

interface Share {
  readonly flow: FlowColumn
  share: number
}

/**
 * `short` is the share of a class that is not served; `replicas` is what is there: engines leave a billionth of a flow
 * on variants without any.
 */
export function flowTable(
  flows: readonly FlowColumn[],
  values: readonly number[],
  replicas: (variant: VariantId) => number,
  short: (demand: ClassId) => number,
): FlowTable {
  const byClass = new Map<ClassId, Share[]>()
  for (const flow of flows) {
    const shares = byClass.get(flow.class.id) ?? []
    shares.push({ flow, share: replicas(flow.variant.id) > 0 ? (values[flow.column] ?? 0) : 0 })
    byClass.set(flow.class.id, shares)
  }
  const table = new Map<ClassId, ReadonlyMap<VariantId, number>>()
  for (const [id, shares] of byClass) {
    reduceTo(
      shares.filter((item) => item.flow.variant.role !== 'decode'),
      1 - short(id),
    )
    matchDecode(shares)
    const entries = shares
      .filter((item) => item.share > 1e-9)
      .map((item) => [item.flow.variant.id, item.share * item.flow.class.requestsPerSecond] as const)
    table.set(id, new Map(entries))
  }
  return table
}

function matchDecode(shares: readonly Share[]): void {
  const groups = new Set(shares.map((item) => item.flow.variant.transferGroup))
  for (const group of groups) {
    const inGroup = shares.filter((item) => item.flow.variant.transferGroup === group)
    const prefilled = total(inGroup.filter((item) => item.flow.variant.role === 'prefill'))
    reduceTo(
      inGroup.filter((item) => item.flow.variant.role === 'decode'),
      prefilled,
    )
  }
}

/** Takes from the last first, and from all what is above their minimum share before anything else. */
function reduceTo(shares: readonly Share[], wanted: number): void {
  let excess = total(shares) - wanted
  for (const keep of [(item: Share) => item.flow.variant.minShare, () => 0]) {
    for (const item of [...shares].reverse()) {
      const taken = Math.min(Math.max(0, item.share - keep(item)), Math.max(0, excess))
      item.share -= taken
      excess -= taken
    }
  }
}

function total(shares: readonly Share[]): number {
  return shares.reduce((sum, item) => sum + item.share, 0)
}
