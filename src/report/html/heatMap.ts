// Heat maps as tables: every cell shows its number, so that colour is never the only thing that tells, and a reader
// of the screen or of a black-and-white print sees the same.
import { type Content, html, type Markup } from './markup.ts'

export interface HeatMap {
  readonly caption: Content
  /** What rows and columns are: `SLO` by `traffic`. */
  readonly corner: Content
  readonly columns: readonly Content[]
  readonly rows: readonly HeatRow[]
}

export interface HeatRow {
  readonly title: Content
  readonly cells: readonly HeatCell[]
}

export interface HeatCell {
  readonly content: Content
  /** `q0` to `q6` from light to dark, `a0` to `a4` from good to bad, or `none`. */
  readonly tint: string
  readonly title?: string
}

export function heatMap({ caption, corner, columns, rows }: HeatMap): Markup {
  return html`<div class="scroll"><table class="heat"><caption>${caption}</caption><thead><tr><th scope="col">${corner}</th>${columns.map(
    (column) => html`<th scope="col">${column}</th>`,
  )}</tr></thead><tbody>${rows.map(
    ({ title, cells }) =>
      html`<tr><th scope="row">${title}</th>${cells.map(
        ({ content, tint, title: hint }) =>
          html`<td class="${tint}"${hint === undefined ? undefined : html` title="${hint}"`}>${content}</td>`,
      )}</tr>`,
  )}</tbody></table></div>`
}

/** Steps of a sequential scale in the style sheet. */
const steps = 7

export function tintOf(value: number, lowest: number, highest: number): string {
  const share = highest > lowest ? (value - lowest) / (highest - lowest) : 0
  return `q${Math.min(steps - 1, Math.floor(share * steps))}`
}

/** At least so much for each of the five tints. */
const goals = [0.999, 0.99, 0.95, 0.9]

export function attainmentTint(share: number): string {
  const step = goals.findIndex((goal) => share >= goal)
  return `a${step < 0 ? goals.length : step}`
}

export function attainmentLegend(): Markup {
  const texts = ['99.9 % and more', '99 to 99.9 %', '95 to 99 %', '90 to 95 %', 'below 90 %']
  return html`<ul class="legend squares">${texts.map(
    (text, step) => html`<li><i class="key square a${step}"></i>${text}</li>`,
  )}<li><i class="key square none"></i>no requests</li></ul>`
}
