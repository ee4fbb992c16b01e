// Plans at one instant, by the production code, as reports show them: why, prices at the margin, and the what-if grid.
import { rounded } from '../core/explain/alternatives.ts'
import type { PolicyExplanation } from '../core/explain/explain.ts'
import { isBase, type WhatIfGrid } from '../core/explain/whatIfGrid.ts'
import { missing, type Reading } from '../core/reading.ts'
import { type FactGroup, factGroups } from './explainFacts.ts'

export interface Planning {
  /** Seconds since the epoch. */
  readonly at: number
  readonly policies: readonly PlannedPolicy[]
  readonly grid: WhatIfGrid
}

export interface PlannedPolicy {
  readonly policy: string
  readonly facts: readonly FactGroup[]
  readonly prices: readonly ShadowPrice[]
}

/** Money per hour that one more of it saves (GPUs, budget) or costs (requests per second). */
export interface ShadowPrice {
  readonly of: 'gpu' | 'requestPerSecond' | 'budgetDollar'
  /** The pool, the class, or the policy. */
  readonly name: string
  readonly perHour: number
}

export interface Doubled {
  readonly costPerHour: Reading
  /** Against the same plan at the traffic of now. */
  readonly moreShare: Reading
  readonly shortPerSecond: number
  readonly fullPools: readonly string[]
  /** Variants at their maximum. */
  readonly atMax: readonly string[]
  /** The smallest factor of the grid at which something is short; missing where even the largest is carried. */
  readonly firstShortAt: Reading
}

export function planning(at: number, explanations: readonly PolicyExplanation[], grid: WhatIfGrid): Planning {
  return {
    at,
    policies: explanations.map((each) => ({
      policy: each.decision.id,
      facts: factGroups(each),
      prices: shadowPrices(each),
    })),
    grid,
  }
}

function shadowPrices({ mix, decision }: PolicyExplanation): readonly ShadowPrice[] {
  const prices = mix?.prices
  if (prices === undefined) return []
  return [
    ...Object.entries(prices.gpu).map(([name, perHour]) => ({ of: 'gpu' as const, name, perHour })),
    ...Object.entries(prices.requestPerSecond).map(([name, perHour]) => ({
      of: 'requestPerSecond' as const,
      name,
      perHour,
    })),
    ...(prices.budgetDollar === undefined
      ? []
      : [{ of: 'budgetDollar' as const, name: decision.id, perHour: prices.budgetDollar }]),
  ]
}

const twice = 2

/** What twice the traffic takes, with SLOs and prices as they are. */
export function doubled({ grid }: Planning): Doubled | { readonly unknown: string } {
  const asNow = grid.cells.filter(({ slo, price }) => slo === 1 && price === 1)
  const at = asNow.find(({ demand }) => demand === twice)
  const base = asNow.find(isBase)
  if (at === undefined || base === undefined)
    return { unknown: 'no what-if at twice the traffic was planned' }
  const firstShort = asNow
    .filter(({ shortPerSecond }) => shortPerSecond > 0)
    .sort((x, y) => x.demand - y.demand)[0]
  const [before, after] = [base.costPerHour, at.costPerHour]
  return {
    costPerHour: after,
    moreShare:
      typeof before === 'number' && typeof after === 'number' && before > 0
        ? rounded(after / before - 1)
        : missing('notReported', 'the plan of now has no cost'),
    shortPerSecond: at.shortPerSecond,
    fullPools: at.fullPools,
    atMax: at.atMax,
    firstShortAt: firstShort?.demand ?? missing('notReported', 'the largest factor planned is carried whole'),
  }
}
