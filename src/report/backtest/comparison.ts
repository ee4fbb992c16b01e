// One traffic under several controllers, side by side: what each paid for which service, and how far from the bound.
import type { ClassResult, Result, ResultBound } from '../../backtest/result.ts'
import { rounded } from '../../core/explain/alternatives.ts'
import { missing, type Reading } from '../../core/reading.ts'

export interface Comparison {
  readonly controller: string
  readonly dollars: number
  readonly dollarsPerHour: number
  /** Of 8760 hours like those that were scored. */
  readonly dollarsPerYear: number
  /** Cost over that of the cheapest schedule that knows the future. */
  readonly toBound: Reading
  /** What it costs more than ours, as a share of ours: negative is cheaper. */
  readonly againstOurs: Reading
  readonly attainment: readonly ClassAttainment[]
  /** The class that fares worst; missing where nothing arrived. */
  readonly worstAttainment: Reading
  readonly gpuHours: Readonly<Record<string, number>>
  readonly startingReplicaMinutes: number
  readonly scaleUps: number
  readonly scaleDowns: number
}

export interface ClassAttainment {
  readonly class: string
  /** Share of requests within all bounds. */
  readonly requests: Reading
  /** Share of minutes in which the class's own percentiles kept their bounds. */
  readonly minutes: Reading
  readonly ttftP95Seconds: Reading
  readonly itlP95Seconds: Reading
}

const hoursPerYear = 8760

export function comparison(
  results: readonly Result[],
  own: Result,
  bound: ResultBound | undefined,
): readonly Comparison[] {
  return results.map((result) => {
    const attainment = result.classes.map(classAttainment)
    const shares = result.classes.flatMap((each) => each.attainment?.all ?? [])
    return {
      controller: result.controller,
      dollars: rounded(result.dollars),
      dollarsPerHour: rounded(result.dollarsPerHour),
      dollarsPerYear: rounded(result.dollarsPerHour * hoursPerYear),
      toBound:
        bound === undefined
          ? missing('notReported', 'the bound was not computed')
          : ratio(result.dollars, bound.dollars),
      againstOurs:
        result === own
          ? missing('notReported', 'this one is ours')
          : less(ratio(result.dollars, own.dollars), 1),
      attainment,
      worstAttainment: shares.length === 0 ? missing('idle') : Math.min(...shares),
      gpuHours: Object.fromEntries(
        Object.entries(result.gpuHours).map(([type, hours]) => [type, rounded(hours)]),
      ),
      startingReplicaMinutes: rounded(
        result.variants.reduce((sum, variant) => sum + variant.startingReplicaMinutes, 0),
      ),
      scaleUps: result.events.scaleUps,
      scaleDowns: result.events.scaleDowns,
    }
  })
}

function classAttainment(each: ClassResult): ClassAttainment {
  const idle = missing('idle', `nothing of ${each.name} arrived`)
  return {
    class: each.id,
    requests: each.attainment?.all ?? idle,
    minutes: each.minutesKept ?? idle,
    ttftP95Seconds: each.ttftSeconds?.p95 ?? idle,
    itlP95Seconds: each.itlSeconds?.p95 ?? idle,
  }
}

function ratio(cost: number, of: number): Reading {
  return of > 0 ? rounded(cost / of) : missing('infinite', 'nothing was spent there')
}

function less(value: Reading, by: number): Reading {
  return typeof value === 'number' ? rounded(value - by) : value
}
