// Steps that add up, as bars that each begin where the one before ended. The numbers stand in a table beside it: this is the
// picture only.
import { scaleLinear } from 'd3-scale'
import { html, type Markup } from './markup.ts'

export interface WaterfallStep {
  readonly name: string
  /** `sum`: from zero, whatever came before. */
  readonly kind: 'step' | 'sum'
  readonly value: number
}

interface Bar {
  readonly name: string
  readonly kind: 'sum' | 'more' | 'less'
  readonly from: number
  readonly to: number
}

const width = 960
const rowHeight = 30
const barHeight = 20
const left = 144
const right = 24

export function waterfall(steps: readonly WaterfallStep[]): Markup {
  const bars = barsOf(steps)
  const bottom = bars.length * rowHeight + 6
  const ends = bars.flatMap(({ from, to }) => [from, to])
  const x = scaleLinear([Math.min(0, ...ends), Math.max(1e-6, ...ends)], [left, width - right])
  const tickText = x.tickFormat(8)
  return html`<ul class="legend"><li><i class="key area c1"></i>sum</li><li><i class="key area c2"></i>adds</li><li><i class="key area c3"></i>saves</li></ul><div class="scroll"><svg class="bars" viewBox="0 0 ${width} ${bottom + 22}" aria-hidden="true"><g class="axis">${x
    .ticks(8)
    .map(
      (tick) =>
        html`<line x1="${x(tick)}" x2="${x(tick)}" y1="0" y2="${bottom}"/><text x="${x(tick)}" y="${bottom + 16}" text-anchor="middle">$${tickText(tick)}/h</text>`,
    )}</g>${bars.map(({ name, kind, from, to }, row) => {
    const top = row * rowHeight + 6
    const [begin, end] = [x(Math.min(from, to)), x(Math.max(from, to))]
    return html`<text class="label" x="${left - 12}" y="${top + 15}" text-anchor="end">${name}</text><rect class="${kind}" x="${begin}" y="${top}" width="${Math.max(leastWidth, end - begin)}" height="${barHeight}" rx="2"/>${
      row === bars.length - 1
        ? undefined
        : html`<line class="carry" x1="${x(to)}" x2="${x(to)}" y1="${top + barHeight}" y2="${top + rowHeight}"/>`
    }`
  })}</svg></div>`
}

/** A step of nothing is a mark where it would be. */
const leastWidth = 1.5

function barsOf(steps: readonly WaterfallStep[]): readonly Bar[] {
  let reached = 0
  return steps.map(({ name, kind, value }): Bar => {
    if (kind === 'sum') {
      reached = value
      return { name, kind, from: 0, to: value }
    }
    const from = reached
    reached += value
    return { name, kind: value < 0 ? 'less' : 'more', from, to: reached }
  })
}
