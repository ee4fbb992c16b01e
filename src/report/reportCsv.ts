// The tables of reports as CSV: a backtest's columns over time, a plan's variants.
import type { BacktestReport } from './backtest/backtestReport.ts'
import { type Cell, csvText } from './csv.ts'
import type { PlanReport } from './planReport.ts'

/** One row per bucket. */
export function reviewCsv({ at, classes, variants, costs }: BacktestReport): string {
  const columns: readonly { readonly title: string; readonly values: readonly Cell[] }[] = [
    ...classes.flatMap(({ id, demand, busiestMinute, forecast }) => [
      { title: `${id} demand/s`, values: demand },
      { title: `${id} busiest minute/s`, values: busiestMinute },
      { title: `${id} forecast/s`, values: forecast },
    ]),
    ...variants.flatMap(({ id, wanted, target, ready, starting }) => [
      { title: `${id} wanted`, values: wanted },
      { title: `${id} target`, values: target },
      { title: `${id} ready`, values: ready },
      { title: `${id} starting`, values: starting },
    ]),
    ...costs.map(({ controller, dollarsPerHour }) => ({
      title: `${controller} dollars/h`,
      values: dollarsPerHour,
    })),
  ]
  return csvText([
    ['time', ...columns.map(({ title }) => title)],
    ...at.map((second, row) => [
      new Date(second * 1000).toISOString(),
      ...columns.map(({ values }) => values[row] ?? null),
    ]),
  ])
}

/** One row per variant. */
export function planReportCsv({ policies }: PlanReport): string {
  const heads = [
    'policy',
    'variant',
    'role',
    'ready',
    'starting',
    'wanted',
    'target',
    'dollars/h now',
    'dollars/h plan',
    'why',
  ]
  return csvText([
    heads,
    ...policies.flatMap(({ id, variants }) =>
      variants.map(({ name, role, ready, starting, wanted, target, costNow, costPlan, reasons }) => [
        id,
        name,
        role,
        ready,
        starting,
        wanted,
        target,
        costNow,
        costPlan,
        reasons.join('; '),
      ]),
    ),
  ])
}
