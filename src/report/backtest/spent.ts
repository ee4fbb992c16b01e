// Where the money of our own run went, step by step, and how far what was paid is from the bound.
import type { Result, ResultBound } from '../../backtest/result.ts'
import { rounded } from '../../core/explain/alternatives.ts'
import { missing, type Reading } from '../../core/reading.ts'
import { type SpentStep, spentSteps } from '../spentSteps.ts'

export interface Spent {
  /** They add up to what was paid. */
  readonly steps: readonly SpentStep[]
  readonly paidPerHour: number
  /** What was paid beyond the bound; missing where there is none. */
  readonly regretPerHour: Reading
  /** 0..1 of the scored span. */
  readonly attributedShare: number
}

export function spent(own: Result, bound: ResultBound | undefined): Reading<Spent> {
  const { spending, dollarsPerHour } = own
  if (spending === undefined) return missing('notReported', `${own.controller} sizes by no demand`)
  return {
    steps: spentSteps(spending, dollarsPerHour, bound?.dollarsPerHour),
    paidPerHour: dollarsPerHour,
    regretPerHour:
      bound === undefined
        ? missing('notReported', 'the bound was not computed')
        : rounded(dollarsPerHour - bound.dollarsPerHour),
    attributedShare: spending.attributedShare,
  }
}
