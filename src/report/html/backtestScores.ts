// What was paid and what users got in a backtest: controllers side by side, cost over time, attainment, the worst minutes.
import type { BacktestReport } from '../backtest/backtestReport.ts'
import type { Comparison } from '../backtest/comparison.ts'
import { meansOver } from './backtestSeries.ts'
import { timeChart } from './chart.ts'
import type { Section } from './document.ts'
import { attainmentLegend, attainmentTint, heatMap } from './heatMap.ts'
import { clockText, day, instant } from './instants.ts'
import { type Content, html } from './markup.ts'
import {
  count,
  dollars,
  dollarsPerHour,
  number,
  requestRate,
  seconds,
  share,
  signedShare,
  times,
} from './number.ts'
import { absent, bullets, named, table } from './parts.ts'

export function comparisonSection({ comparison, controller, bound }: BacktestReport): Section {
  return {
    id: 'comparison',
    title: 'Against other rules',
    about:
      'The same traffic on the same simulated fleet. To bound: cost over that of the cheapest schedule that knows the future. Against ours: what the rule costs more.',
    body: html`${table(
      'Controllers: cost and events',
      [
        { title: 'Controller' },
        { title: '$/h', align: 'number' },
        { title: 'A year', align: 'number' },
        { title: 'Against ours', align: 'number' },
        { title: 'To bound', align: 'number' },
        { title: 'Within SLO', align: 'number' },
        { title: 'GPU-hours', align: 'number' },
        { title: 'Ups / downs', align: 'number' },
        { title: 'Paid while starting', align: 'number' },
      ],
      comparison.map((each) => comparisonRow(each, controller)),
    )}
${boundNote(bound)}
${table(
  'Service by class',
  [
    { title: 'Controller' },
    { title: 'Class' },
    { title: 'Requests within SLO', align: 'number' },
    { title: 'Minutes within SLO', align: 'number' },
    { title: 'TTFT p95', align: 'number' },
    { title: 'ITL p95', align: 'number' },
  ],
  comparison.flatMap(({ controller: name, attainment }) =>
    attainment.map((each) => [
      name,
      named(each.class),
      number(each.requests, share),
      number(each.minutes, share),
      number(each.ttftP95Seconds, seconds),
      number(each.itlP95Seconds, seconds),
    ]),
  ),
)}`,
  }
}

function boundNote(bound: BacktestReport['bound']): Content {
  if (bound === undefined) return absent('The bound was not worked out: backtest --bound does.')
  const { attainment, scheduleDollarsPerHour } = bound
  return html`<p>The bound is ${number(bound.dollarsPerHour, dollarsPerHour)}: by the capacity model no schedule carries ${number(attainment, share)} of the interactive requests
for less. Where that model is cautious, a run can be below it. The dotted line under Cost per hour is the cheapest schedule found in whole replicas, ${number(scheduleDollarsPerHour, dollarsPerHour)}.</p>`
}

function comparisonRow(each: Comparison, ours: string): readonly Content[] {
  return [
    each.controller === ours ? html`<strong>${each.controller}</strong>` : each.controller,
    number(each.dollarsPerHour, dollarsPerHour),
    number(each.dollarsPerYear, dollars),
    each.controller === ours ? '' : number(each.againstOurs, signedShare),
    number(each.toBound, times),
    number(each.worstAttainment, share),
    Object.entries(each.gpuHours).map(([type, hours]) => html`<div>${type} ${number(hours, count)}</div>`),
    html`${number(each.scaleUps, count)} / ${number(each.scaleDowns, count)}`,
    html`${number(each.startingReplicaMinutes, count)} min`,
  ]
}

export function costSection({ costs, at, bucketSeconds, controller }: BacktestReport): Section {
  return {
    id: 'cost',
    title: 'Cost per hour',
    about: meansOver(bucketSeconds),
    body: timeChart({
      id: 'cost-table',
      label: 'Cost per hour of each controller over time',
      unit: '$/h',
      at,
      format: dollarsPerHour,
      series: costs.map(({ controller: name, dollarsPerHour: values }, index) => ({
        name,
        kind: name === controller ? 'area' : name === 'bound' ? 'dotted' : 'line',
        colour: name === 'bound' ? 0 : index + 1,
        values,
      })),
    }),
  }
}

export function attainmentSection({ attainment }: BacktestReport): Section {
  return {
    id: 'attainment',
    title: 'Within SLO, over time',
    about: 'Share of the requests that arrived then and were served within all bounds of their class.',
    body:
      attainment.length === 0
        ? absent('No class has a series.')
        : html`${attainmentLegend()}${attainment.map((map) => {
            const byDay = map.by === 'days and hours'
            return heatMap({
              caption: named(map.class),
              corner: byDay ? 'Day, hour (UTC)' : 'Hour, minute (UTC)',
              columns: Array.from({ length: map.columns }, (_, column) =>
                byDay
                  ? String(column).padStart(2, '0')
                  : `:${clockText(column * map.columnSeconds).slice(3)}`,
              ),
              rows: map.rows.map(({ at, cells }) => ({
                title: byDay ? day(at) : instant(at),
                cells: cells.map((cell) =>
                  cell === null
                    ? { content: '', tint: 'none' }
                    : { content: number(cell, compactShare), tint: attainmentTint(cell) },
                ),
              })),
            })
          })}`,
  }
}

/** The unit stands in the legend. Rounded down, so that 100 is all of them. */
function compactShare(value: number): string {
  const tenths = Math.floor(value * 1000 + 1e-9) / 10
  return tenths === 100 ? '100' : tenths.toFixed(1)
}

function decided(reasons: readonly string[]): Content {
  return reasons.length === 0
    ? ''
    : html`<details><summary>Decided before it</summary>${bullets(reasons)}</details>`
}

export function worstSection({ worstMinutes }: BacktestReport): Section {
  return {
    id: 'worst',
    title: 'The worst minutes',
    about:
      'Those in which most requests broke their SLO, what was known of that minute, and why the decision in force as it began was as it was.',
    body:
      worstMinutes.length === 0
        ? absent('No request broke its SLO.')
        : table(
            'Worst minutes',
            [
              { title: 'UTC' },
              { title: 'Class' },
              { title: 'Late', align: 'number' },
              { title: 'Within SLO', align: 'number' },
              { title: 'Demand/s', align: 'number' },
              { title: 'Forecast/s', align: 'number' },
              { title: 'Known of it' },
            ],
            worstMinutes.map((each) => [
              instant(each.at),
              named(each.class),
              number(each.lateRequests, count),
              number(each.attainment, share),
              number(each.demand, requestRate),
              number(each.forecast, requestRate),
              html`${bullets(each.reasons)}${decided(each.decided)}`,
            ]),
          ),
  }
}
