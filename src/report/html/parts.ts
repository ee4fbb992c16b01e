// The pieces that reports are put together from: tiles, tables, lists of facts, marks.
import { type Content, html, type Markup } from './markup.ts'

export interface Tile {
  readonly label: string
  readonly value: Content
  readonly note: Content
  readonly tone?: 'good' | 'warn' | 'bad'
}

export function tiles(all: readonly Tile[]): Markup {
  return html`<dl class="tiles">${all.map(
    ({ label, value, note, tone }) =>
      html`<div class="tile ${tone ?? 'plain'}"><dt>${label}</dt><dd class="value">${value}</dd><dd class="note">${note}</dd></div>`,
  )}</dl>`
}

export interface Column {
  readonly title: string
  readonly align?: 'number'
}

/** The first cell of a row is its heading. */
export function table(
  caption: string,
  columns: readonly Column[],
  rows: readonly (readonly Content[])[],
): Markup {
  const classOf = (column: number): string => columns[column]?.align ?? 'text'
  return html`<div class="scroll"><table><caption class="unseen">${caption}</caption><thead><tr>${columns.map(
    ({ title }, column) => html`<th scope="col" class="${classOf(column)}">${title}</th>`,
  )}</tr></thead><tbody>${rows.map(
    (cells) =>
      html`<tr>${cells.map((cell, column) =>
        column === 0 ? html`<th scope="row">${cell}</th>` : html`<td class="${classOf(column)}">${cell}</td>`,
      )}</tr>`,
  )}</tbody></table></div>`
}

export function bullets(sentences: readonly Content[], kind = 'facts'): Markup | undefined {
  return sentences.length === 0
    ? undefined
    : html`<ul class="${kind}">${sentences.map((each) => html`<li>${each}</li>`)}</ul>`
}

export function absent(why: string): Markup {
  return html`<p class="absent">${why}</p>`
}

/** Ids are `namespace/policy/name`: the last part in front, the rest small. */
export function named(id: string): Markup {
  const cut = id.lastIndexOf('/')
  return cut < 0 ? html`${id}` : html`${id.slice(cut + 1)} <small>${id.slice(0, cut)}</small>`
}

export function statusMark(status: string): Markup {
  return html`<span class="status ${status}">${status}</span>`
}
