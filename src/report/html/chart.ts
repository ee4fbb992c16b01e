// A chart over time as SVG, drawn when the report is written: it needs no script, prints, and takes its colours from the
// style sheet, light or dark. d3 computes scales and paths. The table under it holds the same numbers.
import { type ScaleLinear, scaleLinear } from 'd3-scale'
import { area, curveStepAfter, line, stack } from 'd3-shape'
import { clockText, dayText, instant } from './instants.ts'
import { html, type Markup } from './markup.ts'
import { count, type NumberFormat, number } from './number.ts'

export interface TimeChart {
  /** Unique on the page; letters, digits and dashes. */
  readonly id: string
  /** What the chart shows, for those who cannot see it. */
  readonly label: string
  /** Of the vertical axis. */
  readonly unit: string
  /** Seconds since the epoch; each value holds from its instant to the next, the last as long as the one before. */
  readonly at: readonly number[]
  readonly series: readonly Series[]
  readonly format: NumberFormat
}

export interface Series {
  readonly name: string
  /** `area`: stacked upon the areas before it. */
  readonly kind: 'line' | 'dotted' | 'area'
  /** One of the colours of the style sheet, from 1 on. */
  readonly colour: number
  readonly values: readonly (number | null)[]
}

const width = 960
const height = 250
const margin = { top: 12, right: 12, bottom: 28, left: 58 }
export const colours = 8

export function timeChart(chart: TimeChart): Markup {
  return html`<figure class="chart">
${legend(chart.series)}
<div class="scroll">
<svg viewBox="0 0 ${width} ${height}" role="img" tabindex="0" aria-label="${chart.label}" data-table="${chart.id}" data-left="${margin.left}" data-right="${width - margin.right}">
${drawn(chart)}
</svg>
</div>
<details class="numbers"><summary>Numbers of this chart</summary><div class="scroll">${columnTable(chart.id, chart.at, chart.series, chart.format, chart.unit)}</div></details>
</figure>`
}

function legend(series: readonly Series[]): Markup {
  return html`<ul class="legend">${series.map(
    ({ name, kind, colour }) => html`<li><i class="key ${kind} c${colour}"></i>${name}</li>`,
  )}</ul>`
}

function drawn({ at, series, unit }: TimeChart): Markup {
  const ends = [...at, endOf(at)]
  const x = scaleLinear([ends[0] ?? 0, ends.at(-1) ?? 1], [margin.left, width - margin.right])
  const areas = stacked(series, at.length)
  const highest = Math.max(
    0,
    ...areas.flatMap(({ band }) => band.map(([, top]) => top)),
    ...series.flatMap(({ kind, values }) => (kind === 'area' ? [] : values.map((value) => value ?? 0))),
  )
  const y = scaleLinear([0, highest || 1], [height - margin.bottom, margin.top]).nice(5)
  const areaPath = area<readonly [number, number]>(
    (_, index) => x(ends[index] ?? 0),
    ([low]) => y(low),
    ([, top]) => y(top),
  ).curve(curveStepAfter)
  const linePath = line<number | null>(
    (_, index) => x(ends[index] ?? 0),
    (value) => y(value ?? 0),
  )
    .curve(curveStepAfter)
    .defined((value) => value !== null)
  const ticks = wholeTicks(y.ticks(5))
  const label = ticks.every(Number.isInteger) ? count : y.tickFormat(5)
  return html`<g class="axis" aria-hidden="true">${ticks.map(
    (tick) =>
      html`<line x1="${margin.left}" x2="${width - margin.right}" y1="${y(tick)}" y2="${y(tick)}"/><text x="${margin.left - 8}" y="${y(tick) + 4}" text-anchor="end">${label(tick)}</text>`,
  )}<text x="12" y="${(height - margin.bottom) / 2}" text-anchor="middle" transform="rotate(-90 12 ${(height - margin.bottom) / 2})">${unit}</text>${timeTicks(
    x,
  )}</g>
${areas.map(({ colour, band }) => html`<path class="area c${colour}" d="${areaPath([...band, ...band.slice(-1)]) ?? ''}"/>`)}
${series
  .filter(({ kind }) => kind !== 'area')
  .map(
    ({ kind, colour, values }) =>
      html`<path class="${kind} c${colour}" d="${linePath([...values, ...values.slice(-1)]) ?? ''}"/>`,
  )}
<line class="cursor" y1="${margin.top}" y2="${height - margin.bottom}" x1="-9" x2="-9"/>`
}

/** Half a replica is no mark worth a line, unless there is nothing above it. */
function wholeTicks(ticks: readonly number[]): readonly number[] {
  const whole = ticks.filter(Number.isInteger)
  return whole.length >= 2 ? whole : ticks
}

function timeTicks(x: ScaleLinear<number, number>): readonly Markup[] {
  const [from = 0, to = from] = x.domain()
  return utcTicks(from, to).map(
    ({ at, text }) =>
      html`<line class="tick" x1="${x(at)}" x2="${x(at)}" y1="${height - margin.bottom}" y2="${height - margin.bottom + 5}"/><text x="${x(at)}" y="${height - margin.bottom + 19}" text-anchor="${x(at) > width - 40 ? 'end' : 'middle'}">${text}</text>`,
  )
}

const steps = [60, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800]

/** On whole minutes, hours or days of UTC. */
function utcTicks(from: number, to: number): readonly { readonly at: number; readonly text: string }[] {
  const step = steps.find((each) => (to - from) / each <= 9) ?? Math.ceil((to - from) / 9 / 604_800) * 604_800
  const first = Math.ceil(from / step) * step
  return Array.from({ length: Math.floor((to - first) / step) + 1 }, (_, index) => {
    const at = first + index * step
    return { at, text: step >= 86_400 || at % 86_400 === 0 ? dayText(at) : clockText(at) }
  })
}

/** Areas one upon the other; what is missing takes no height. */
function stacked(series: readonly Series[], length: number) {
  const areas = series.filter(({ kind }) => kind === 'area')
  const rows = Array.from({ length }, (_, index) => index)
  const bands = stack<unknown, number, number>()
    .keys(areas.map((_, key) => key))
    .value((index, key) => areas[key]?.values[index] ?? 0)(rows)
  return areas.map(({ colour }, key) => ({
    colour,
    band: (bands[key] ?? []).map(([low, top]) => [low, top] as const),
  }))
}

export interface NamedColumn {
  readonly name: string
  readonly values: readonly (number | null)[]
}

/** The numbers behind a chart, one row per instant. */
export function columnTable(
  id: string,
  at: readonly number[],
  columns: readonly NamedColumn[],
  format: NumberFormat,
  caption: string,
): Markup {
  return html`<table id="${id}"><caption>${caption}</caption><thead><tr><th scope="col">UTC</th>${columns.map(
    ({ name }) => html`<th scope="col">${name}</th>`,
  )}</tr></thead><tbody>${at.map(
    (second, row) =>
      html`<tr><th scope="row">${instant(second)}</th>${columns.map(
        ({ values }) => html`<td>${number(values[row], format)}</td>`,
      )}</tr>
`,
  )}</tbody></table>`
}

function endOf(at: readonly number[]): number {
  const last = at.at(-1) ?? 0
  return last + (last - (at.at(-2) ?? last - 60))
}
