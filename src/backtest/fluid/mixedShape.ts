// The lengths of what a variant serves: those of its class, or of several in proportion. Proportions are rounded, so
// that latency tables are worked out for a few mixes and not for every step.
import type { LengthBin, Shape } from '../../core/capacity/question.ts'
import type { SiteVariant } from '../site.ts'
import { LatencyTable } from './latencyTable.ts'

/** Parts of a mix are whole twentieths. */
const parts = 20
/** Shapes of recorded traffic differ from block to block by chance: closer than this they count as one. */
const sameWithin = 0.04

export interface Share {
  readonly shape: Shape
  readonly weight: number
}

/** The tables of one variant, by the shape they were made for. */
export class Tables {
  private readonly variant: SiteVariant
  private readonly bounds: readonly number[]
  private readonly bySignature = new Map<string, LatencyTable>()
  private readonly byShape = new WeakMap<Shape, string>()

  constructor(variant: SiteVariant, bounds: readonly number[]) {
    this.variant = variant
    this.bounds = bounds
  }

  /** `shares` with at least one weight above 0. */
  of(shares: readonly Share[]): LatencyTable {
    const total = shares.reduce((sum, { weight }) => sum + weight, 0)
    const rounded = shares
      .map(({ shape, weight }) => ({ shape, weight: Math.round((weight / total) * parts) }))
      .filter(({ weight }) => weight > 0)
    const key = rounded.map(({ shape, weight }) => `${weight} of ${this.signature(shape)}`).join()
    const known = this.bySignature.get(key)
    if (known !== undefined) return known
    const table = new LatencyTable(this.variant, mixed(rounded), this.bounds)
    this.bySignature.set(key, table)
    return table
  }

  private signature(shape: Shape): string {
    const known = this.byShape.get(shape)
    if (known !== undefined) return known
    const text = signatureOf(shape)
    this.byShape.set(shape, text)
    return text
  }
}

/** Means and squares of prompts and answers, and the context, in steps of a few per cent. */
function signatureOf({ promptTokens, outputTokens, contextTokens = 1, prefixHitRate }: Shape): string {
  const level = (value: number): number => Math.round(Math.log(value) / Math.log(1 + sameWithin))
  const moment = (bins: readonly LengthBin[], power: number): number =>
    bins.reduce((sum, { tokens, weight }) => sum + weight * tokens ** power, 0) ** (1 / power)
  return [
    level(moment(promptTokens, 1)),
    level(moment(promptTokens, 2)),
    level(moment(outputTokens, 1)),
    level(moment(outputTokens, 2)),
    level(contextTokens),
    Math.round(prefixHitRate * parts),
  ].join(' ')
}

function mixed(shares: readonly Share[]): Shape {
  const [first] = shares
  if (first !== undefined && shares.length === 1) return first.shape
  const total = shares.reduce((sum, { weight }) => sum + weight, 0)
  const bins = (of: (shape: Shape) => readonly LengthBin[]): readonly LengthBin[] =>
    shares.flatMap(({ shape, weight }) =>
      of(shape).map((bin) => ({ tokens: bin.tokens, weight: (bin.weight * weight) / total })),
    )
  return {
    promptTokens: bins(({ promptTokens }) => promptTokens),
    outputTokens: bins(({ outputTokens }) => outputTokens),
    prefixHitRate: shares.reduce((sum, { shape, weight }) => sum + (shape.prefixHitRate * weight) / total, 0),
  }
}
