// What the report of a backtest says, as plain JSON: everything that is shown is computed here, so that the page, the
// JSON and the CSV cannot disagree, and whoever doubts a figure finds it.
import type { MinuteSeries, Result, ResultBound, ResultSettings } from '../../backtest/result.ts'
import type { PolicySet } from '../../core/policy.ts'
import type { Reading } from '../../core/reading.ts'
import type { Planning } from '../planning.ts'
import { type SizedBy, sizedBy } from '../sizedBy.ts'
import { assumptions } from './assumptions.ts'
import { type AttainmentMap, attainmentMap } from './attainmentMap.ts'
import { bucketSeconds, means, sums } from './buckets.ts'
import { type Comparison, comparison } from './comparison.ts'
import { type PoolUse, poolUses } from './poolUse.ts'
import { type Spent, spent } from './spent.ts'
import { type Summary, summary } from './summary.ts'
import { type WorstMinute, worstMinutes } from './worstMinutes.ts'

export interface BacktestReportInput {
  readonly version: string
  /** The command line that made it. */
  readonly command: string
  /** Unix time of second 0. */
  readonly epochSeconds: number
  readonly policies: PolicySet
  /** Of one traffic under several controllers, with equal settings. Ours is among them. */
  readonly results: readonly Result[]
  /** Controllers: the one that is reported on, and the one that stands for what runs today. */
  readonly ours: string
  readonly today?: string
  readonly bound?: ResultBound
  /** Plans at one instant of the traffic, by the production code. */
  readonly planning?: Planning
  /** Further assumptions, of whoever ran it: sentences without their full stops. */
  readonly notes?: readonly string[]
}

export interface BacktestReport {
  readonly format: 'mixscaler-backtest-report/1'
  readonly version: string
  readonly command: string
  readonly controller: string
  readonly settings: ResultSettings
  readonly scored: Span
  readonly summary: Summary
  readonly comparison: readonly Comparison[]
  /** The cheapest schedule that knows the future, where it was worked out. */
  readonly bound?: Omit<ResultBound, 'minutes'>
  /** Where the money went, under ours; missing where its rule does not say. */
  readonly spent: Reading<Spent>
  /** Columns below have one entry per bucket: means over it, null where there is no value. */
  readonly bucketSeconds: number
  /** Beginnings of the buckets, seconds since the epoch. */
  readonly at: readonly number[]
  readonly classes: readonly ClassColumns[]
  readonly variants: readonly VariantColumns[]
  /** Sums over each policy's variants. */
  readonly policies: readonly PolicyColumns[]
  readonly costs: readonly CostColumn[]
  readonly attainment: readonly AttainmentMap[]
  readonly pools: readonly PoolUse[]
  readonly worstMinutes: readonly WorstMinute[]
  readonly planning?: Planning
  readonly sizedBy: readonly SizedBy[]
  readonly assumptions: readonly string[]
}

/** Seconds since the epoch. */
export interface Span {
  readonly from: number
  readonly until: number
  readonly hours: number
}

type Column = readonly (number | null)[]

export interface ClassColumns {
  readonly id: string
  readonly demand: Column
  readonly busiestMinute: Column
  readonly forecast: Column
}

export interface VariantColumns {
  readonly id: string
  readonly wanted: Column
  readonly target: Column
  readonly ready: Column
  readonly starting: Column
}

export interface PolicyColumns {
  readonly id: string
  readonly wanted: Column
  readonly target: Column
}

export interface CostColumn {
  readonly controller: string
  readonly dollarsPerHour: Column
}

export function backtestReport(input: BacktestReportInput): BacktestReport {
  const { epochSeconds, policies, results, ours, bound, planning } = input
  const own = results.find(({ controller }) => controller === ours)
  if (own === undefined) throw new Error(`no result of ${ours} among ${results.length}`)
  const { settings, scoredSeconds } = own
  const cut = {
    fromMinute: Math.ceil(settings.warmupSeconds / 60),
    bucketSeconds: bucketSeconds(scoredSeconds),
  }
  const from = epochSeconds + cut.fromMinute * 60
  const compared = comparison(results, own, bound)
  const pools = poolUses(own.minutes, policies, cut.fromMinute)
  const buckets = means(own.minutes.dollarsPerHour, cut).length
  return {
    format: 'mixscaler-backtest-report/1',
    version: input.version,
    command: input.command,
    controller: ours,
    settings,
    scored: { from, until: epochSeconds + settings.untilSeconds, hours: scoredSeconds / 3600 },
    summary: summary(own, compared, pools, input.today, planning),
    comparison: compared,
    ...(bound === undefined ? {} : { bound: withoutMinutes(bound) }),
    spent: spent(own, bound),
    bucketSeconds: cut.bucketSeconds,
    at: Array.from({ length: buckets }, (_, bucket) => from + bucket * cut.bucketSeconds),
    classes: classColumns(own.minutes, cut),
    variants: Object.entries(own.minutes.variants).map(([id, { wanted, target, ready, starting }]) => ({
      id,
      wanted: means(wanted, cut),
      target: means(target, cut),
      ready: means(ready, cut),
      starting: means(starting, cut),
    })),
    policies: policies.policies.map(({ id, variants }) => {
      const series = variants.flatMap((variant) => own.minutes.variants[variant.id] ?? [])
      return {
        id,
        wanted: means(sums(series.map(({ wanted }) => wanted)), cut),
        target: means(sums(series.map(({ target }) => target)), cut),
      }
    }),
    costs: [
      ...results.map(({ controller, minutes }) => ({
        controller,
        dollarsPerHour: means(minutes.dollarsPerHour, cut),
      })),
      ...(bound === undefined ? [] : [{ controller: 'bound', dollarsPerHour: means(bound.minutes, cut) }]),
    ],
    attainment: own.classes.flatMap(
      ({ id }) => attainmentMap(id, own.minutes, cut.fromMinute, epochSeconds) ?? [],
    ),
    pools,
    worstMinutes: worstMinutes(own.minutes, policies, cut.fromMinute, epochSeconds, own.decisions),
    ...(planning === undefined ? {} : { planning }),
    sizedBy: sizedBy(policies),
    assumptions: [...assumptions(settings), ...(input.notes ?? [])],
  }
}

function withoutMinutes({ minutes: _, ...bound }: ResultBound): Omit<ResultBound, 'minutes'> {
  return bound
}

function classColumns(minutes: MinuteSeries, cut: Parameters<typeof means>[1]): readonly ClassColumns[] {
  return Object.entries(minutes.classes).map(([id, { demand, forecast }]) => ({
    id,
    demand: means(demand, cut),
    busiestMinute: means(demand, cut, 'highest'),
    forecast: means(forecast, cut),
  }))
}
