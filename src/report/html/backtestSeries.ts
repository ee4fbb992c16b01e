// What happened over time in a backtest: demand against forecast, replicas by variant, GPUs by pool.
import type { BacktestReport, VariantColumns } from '../backtest/backtestReport.ts'
import { colours, columnTable, timeChart } from './chart.ts'
import type { Section } from './document.ts'
import { html, type Markup } from './markup.ts'
import { count, number, requestRate, share } from './number.ts'
import { absent, named, table } from './parts.ts'
import { poolBars } from './poolBars.ts'

export function meansOver(bucketSeconds: number): string {
  const minutes = bucketSeconds / 60
  return minutes === 1
    ? 'Minute by minute.'
    : `Means over ${minutes % 60 === 0 ? `${minutes / 60} h` : `${minutes} min`}.`
}

export function demandSection({ classes, at, bucketSeconds }: BacktestReport): Section {
  return {
    id: 'demand',
    title: 'Demand and forecast',
    about: html`The forecast is what the controller foresaw then, for the time when a replica ordered then would be ready. ${meansOver(bucketSeconds)}`,
    body: classes.map(
      ({ id, demand, busiestMinute, forecast }, index) =>
        html`<h3>${named(id)}</h3>${timeChart({
          id: `demand-${index}`,
          label: `Demand and forecast of ${id} over time`,
          unit: 'requests/s',
          at,
          format: requestRate,
          series: [
            { name: 'demand', kind: 'area', colour: 1, values: demand },
            ...(bucketSeconds > 60
              ? [{ name: 'busiest minute', kind: 'dotted' as const, colour: 1, values: busiestMinute }]
              : []),
            { name: 'forecast', kind: 'line', colour: 2, values: forecast },
          ],
        })}`,
    ),
  }
}

export function replicaSection({ policies, variants, at, bucketSeconds }: BacktestReport): Section {
  return {
    id: 'replicas',
    title: 'Replicas by variant',
    about: html`Ready replicas, one variant upon the other; wanted by the optimizer, and asked for once holds, steps and dead bands allow it. ${meansOver(bucketSeconds)}`,
    body: policies.map(({ id: policy, wanted, target }, index) => {
      const own = variants.filter(({ id }) => id.startsWith(`${policy}/`))
      return html`<h3>${named(policy)}</h3>${timeChart({
        id: `replicas-${index}`,
        label: `Replicas of ${policy} by variant over time`,
        unit: 'replicas',
        at,
        format: count,
        series: [
          ...own.map(({ id, ready }, colour) => ({
            name: `${nameOf(id)} ready`,
            kind: 'area' as const,
            colour: (colour % colours) + 1,
            values: ready,
          })),
          { name: 'wanted', kind: 'dotted', colour: 0, values: wanted },
          { name: 'target', kind: 'line', colour: 0, values: target },
        ],
      })}${more(own, at, policy, index)}`
    }),
  }
}

/** Wanted, target and starting of each variant: too much for one picture, so as numbers. */
function more(
  own: readonly VariantColumns[],
  at: BacktestReport['at'],
  policy: string,
  index: number,
): Markup {
  return html`<details class="numbers"><summary>Wanted, target, ready and starting of each variant</summary><div class="scroll">${columnTable(
    `replicas-${index}-variants`,
    at,
    own.flatMap(({ id, wanted, target, ready, starting }) => [
      { name: `${nameOf(id)} wanted`, values: wanted },
      { name: `${nameOf(id)} target`, values: target },
      { name: `${nameOf(id)} ready`, values: ready },
      { name: `${nameOf(id)} starting`, values: starting },
    ]),
    count,
    policy,
  )}</div></details>`
}

export function poolSection({ pools }: BacktestReport): Section {
  return {
    id: 'gpus',
    title: 'GPUs by pool',
    about:
      'Held by ready and starting replicas: half of the minutes stay below the solid bar, 95 % below the pale one, all below the outline. The line is the inventory.',
    body:
      pools.length === 0
        ? absent('No variant of the policies was in this run.')
        : html`${poolBars(
            pools.map(({ pool, p50, p95, peak, gpus }) => ({
              name: pool,
              bars: [
                { kind: 'solid', value: p50 },
                { kind: 'pale', value: p95 },
                { kind: 'outline', value: peak },
              ],
              ...(typeof gpus === 'number' ? { inventory: gpus } : {}),
            })),
          )}${table(
            'GPUs by pool',
            [
              { title: 'Pool' },
              { title: 'p50', align: 'number' },
              { title: 'p95', align: 'number' },
              { title: 'Peak', align: 'number' },
              { title: 'Inventory', align: 'number' },
              { title: 'Peak of inventory', align: 'number' },
            ],
            pools.map(({ pool, p50, p95, peak, gpus, peakShare }) => [
              pool,
              number(p50, count),
              number(p95, count),
              number(peak, count),
              number(gpus, count),
              number(peakShare, share),
            ]),
          )}`,
  }
}

function nameOf(id: string): string {
  return id.slice(id.lastIndexOf('/') + 1)
}
