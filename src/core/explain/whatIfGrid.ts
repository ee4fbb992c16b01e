// "What happens at twice the traffic, with a looser SLO, at another price?" All three at once: the decision taken again
// in every cell of a grid. Cells are what-ifs in text, so that `plan --what-if` shows the whole plan behind any of them.
import { decide } from '../decide.ts'
import type { Decision } from '../decision.ts'
import { applyWhatIf } from '../optimize/whatIf.ts'
import type { PolicySet } from '../policy.ts'
import { isMissing, type Reading } from '../reading.ts'
import { plannedCount, totals } from '../totals.ts'
import { rounded, type Scene, withoutHoldBand } from './alternatives.ts'

export interface WhatIfGrid {
  /** Times the demand of the observation. */
  readonly demand: readonly number[]
  /** Times every bound of every interactive class: above 1 is looser. Just 1 where no class has a bound. */
  readonly slo: readonly number[]
  /** Times the price of one accelerator type. */
  readonly price: PriceAxis
  /** In the order of price, then slo, then demand. */
  readonly cells: readonly WhatIfCell[]
}

export interface PriceAxis {
  /** The one that the plan spends most on; absent where nothing is planned: factors are then just 1. */
  readonly acceleratorType?: string
  readonly factors: readonly number[]
}

export interface WhatIfCell extends GridPoint {
  /** Of the cheapest mix, the hold band aside. */
  readonly costPerHour: Reading
  /** By pool. */
  readonly gpus: Readonly<Record<string, Reading>>
  /** Requests per second that stay uncarried, of all classes. */
  readonly shortPerSecond: number
  /** Pools that have no room for what would help. */
  readonly fullPools: readonly string[]
  /** Variants at their maximum. */
  readonly atMax: readonly string[]
}

export interface GridPoint {
  readonly demand: number
  readonly slo: number
  readonly price: number
  /** For `plan --what-if`. */
  readonly whatIf: string
}

export type GridAxes = Pick<WhatIfGrid, 'demand' | 'slo' | 'price'>

const demandFactors = [0.5, 1, 1.5, 2, 3]
const sloFactors = [0.8, 1, 1.25]
const priceFactors = [0.7, 1, 1.3]

export function gridAxes(policies: PolicySet, decision: Decision): GridAxes {
  const acceleratorType = dearestType(policies, decision)
  return {
    demand: demandFactors,
    slo: bounds(policies, 1).length === 0 ? [1] : sloFactors,
    price: acceleratorType === undefined ? { factors: [1] } : { acceleratorType, factors: priceFactors },
  }
}

export function gridPoints(policies: PolicySet, { demand, slo, price }: GridAxes): readonly GridPoint[] {
  return price.factors.flatMap((priceFactor) =>
    slo.flatMap((sloFactor) =>
      demand.map((factor) => ({
        demand: factor,
        slo: sloFactor,
        price: priceFactor,
        whatIf: [
          withoutHoldBand,
          ...(factor === 1 ? [] : [`demand=${factor}x`]),
          ...(sloFactor === 1 ? [] : bounds(policies, sloFactor)),
          ...(priceFactor === 1 ? [] : prices(policies, price.acceleratorType, priceFactor)),
        ].join(','),
      })),
    ),
  )
}

export function planPoint(
  policies: PolicySet,
  point: GridPoint,
  { state, observation, tools }: Scene,
): WhatIfCell {
  const applied = applyWhatIf(policies, point.whatIf)
  if (applied.kind === 'invalid')
    throw new Error(`a grid of ours cannot be applied: ${applied.errors.join('; ')}`)
  const { decision } = decide(applied.policies, state, observation, tools)
  const { costPerHour, gpus, shortfall } = totals(applied.policies, decision)
  return {
    ...point,
    costPerHour,
    gpus,
    shortPerSecond: Object.values(shortfall).reduce((sum, short) => sum + short, 0),
    fullPools: distinct(
      decision.policies.flatMap(({ reasons }) =>
        reasons.flatMap((reason) => (reason.kind === 'poolFull' ? [reason.pool] : [])),
      ),
    ),
    atMax: distinct(
      decision.policies.flatMap(({ variants }) =>
        variants.flatMap(({ id, reasons }) => (reasons.some(({ kind }) => kind === 'atMax') ? [id] : [])),
      ),
    ),
  }
}

/** Where demand, bounds and prices are as they are. */
export function isBase({ demand, slo, price }: GridPoint): boolean {
  return demand === 1 && slo === 1 && price === 1
}

/** By id, as a name may mean several classes. */
function bounds({ policies }: PolicySet, factor: number): readonly string[] {
  return policies.flatMap(({ classes }) =>
    classes.flatMap(({ id, serviceLevel }) => {
      if (serviceLevel.kind !== 'interactive') return []
      return (['ttft', 'itl', 'tpot'] as const).flatMap((metric) => {
        const bound = serviceLevel[metric]
        return bound === undefined ? [] : [`slo.${id}.${metric}=${rounded(bound.seconds * 1000 * factor)}ms`]
      })
    }),
  )
}

/** Policies may price one type differently: all of it at the factor times its mean price per GPU. */
function prices({ policies }: PolicySet, type: string | undefined, factor: number): readonly string[] {
  const perGpu = policies
    .flatMap(({ variants }) => variants)
    .filter(({ accelerator }) => accelerator.type === type)
    .map(({ costPerHour, accelerator }) => costPerHour / accelerator.countPerReplica)
  const mean = perGpu.reduce((sum, each) => sum + each, 0) / perGpu.length
  return [`price.${type}=${rounded(mean * factor)}`]
}

function dearestType({ policies }: PolicySet, decision: Decision): string | undefined {
  const decided = new Map(
    decision.policies.flatMap(({ variants }) => variants.map((variant) => [variant.id, variant])),
  )
  const spent = new Map<string, number>()
  for (const { id, accelerator, costPerHour } of policies.flatMap(({ variants }) => variants)) {
    const variant = decided.get(id)
    const count = variant === undefined ? 0 : plannedCount(variant)
    if (isMissing(count) || count === 0) continue
    spent.set(accelerator.type, (spent.get(accelerator.type) ?? 0) + count * costPerHour)
  }
  const [dearest] = [...spent].sort(([x, one], [y, other]) => other - one || (x < y ? -1 : 1))
  return dearest?.[0]
}

function distinct(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort()
}
