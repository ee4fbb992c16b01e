// GPUs of each pool as bars, with the inventory as a line across: which type runs out first?
import { scaleLinear } from 'd3-scale'
import { html, type Markup } from './markup.ts'

export interface PoolBar {
  readonly name: string
  /** From the strongest to the palest: what is held most of the time, and at worst. */
  readonly bars: readonly { readonly kind: 'solid' | 'pale' | 'outline'; readonly value: number }[]
  readonly inventory?: number
}

const width = 960
const rowHeight = 44
const left = 130
const right = 24

/** The numbers stand in a table beside it: this is the picture only. */
export function poolBars(pools: readonly PoolBar[]): Markup {
  const height = pools.length * rowHeight + 26
  const highest = Math.max(
    1,
    ...pools.flatMap(({ bars, inventory }) => [...bars.map(({ value }) => value), inventory ?? 0]),
  )
  const x = scaleLinear([0, highest], [left, width - right])
  return html`<div class="scroll"><svg class="bars" viewBox="0 0 ${width} ${height}" aria-hidden="true"><g class="axis">${x
    .ticks(8)
    .filter(Number.isInteger)
    .map(
      (tick) =>
        html`<line x1="${x(tick)}" x2="${x(tick)}" y1="0" y2="${height - 22}"/><text x="${x(tick)}" y="${height - 6}" text-anchor="middle">${tick}</text>`,
    )}</g>${pools.map(({ name, bars, inventory }, row) => {
    const top = row * rowHeight + 8
    return html`<text class="label" x="${left - 12}" y="${top + 19}" text-anchor="end">${name.length > 16 ? `${name.slice(0, 15)}…` : name}</text>${bars
      .toReversed()
      .map(
        ({ kind, value }) =>
          html`<rect class="${kind} c1" x="${left}" y="${top}" width="${x(value) - left}" height="28" rx="3"/>`,
      )}${
      inventory === undefined
        ? undefined
        : html`<line class="inventory" x1="${x(inventory)}" x2="${x(inventory)}" y1="${top - 5}" y2="${top + 33}"/>`
    }`
  })}</svg></div>`
}
