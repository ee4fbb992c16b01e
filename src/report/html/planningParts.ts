// The parts that a plan's report and a backtest's share: the what-if grid, prices at the margin, why.
import { isBase, type WhatIfCell, type WhatIfGrid } from '../../core/explain/whatIfGrid.ts'
import type { Doubled, Planning, ShadowPrice } from '../planning.ts'
import type { Section } from './document.ts'
import { heatMap, tintOf } from './heatMap.ts'
import { type Content, html, type Markup } from './markup.ts'
import { dollarsPerHour, number, requestRate, signedShare } from './number.ts'
import { absent, bullets, named, type Tile, table } from './parts.ts'

export function whatIfSection({ grid }: Planning): Section {
  return {
    id: 'what-if',
    title: 'What if',
    about:
      'Cost of the cheapest mix under more traffic, other SLOs and another price: each cell is the production decision taken again. A marked cell leaves requests uncarried. Point at a cell for the --what-if that shows its plan.',
    body: grid.price.factors.map((factor) => priceMap(grid, factor)),
  }
}

function priceMap(grid: WhatIfGrid, price: number): Markup {
  const costs = grid.cells.flatMap(({ costPerHour }) =>
    typeof costPerHour === 'number' ? [costPerHour] : [],
  )
  const [lowest, highest] = [Math.min(...costs), Math.max(...costs)]
  const { acceleratorType } = grid.price
  const caption =
    acceleratorType === undefined
      ? 'Prices as they are'
      : price === 1
        ? html`${acceleratorType} at its price of now`
        : html`${acceleratorType} at ${number(price, factor)} its price`
  return heatMap({
    caption,
    corner: 'SLO bounds',
    columns: grid.demand.map((demand) => html`${number(demand, factor)} traffic`),
    rows: grid.slo.map((slo) => ({
      title: slo === 1 ? 'as stated' : html`${number(slo, factor)} ${slo < 1 ? '(tighter)' : '(looser)'}`,
      cells: grid.demand.map((demand) => {
        const cell = grid.cells.find(
          (each) => each.demand === demand && each.slo === slo && each.price === price,
        )
        return cell === undefined
          ? { content: 'no data', tint: 'none' }
          : { content: cellContent(cell), tint: cellTint(cell, lowest, highest), title: cell.whatIf }
      }),
    })),
  })
}

function factor(value: number): string {
  return `${value}×`
}

function cellTint(cell: WhatIfCell, lowest: number, highest: number): string {
  const { costPerHour, shortPerSecond } = cell
  const tint = typeof costPerHour === 'number' ? tintOf(costPerHour, lowest, highest) : 'none'
  return `${tint}${shortPerSecond > 0 ? ' short' : ''}${isBase(cell) ? ' base' : ''}`
}

function cellContent({ costPerHour, shortPerSecond }: WhatIfCell): Content {
  return html`${number(costPerHour, dollarsPerHour)}${
    shortPerSecond > 0 ? html`<small>${number(shortPerSecond, requestRate)}/s short</small>` : undefined
  }`
}

export function pricesSection({ policies }: Planning): Section {
  const prices = policies.flatMap(({ policy, prices: own }) => own.map((price) => ({ policy, price })))
  const rows = prices
    .filter(({ price }) => price.of === 'requestPerSecond' || price.perHour >= 0.005)
    .map(({ policy, price }) => [worth(price), named(policy), number(price.perHour, dollarsPerHour)])
  return {
    id: 'prices',
    title: 'Prices at the margin',
    about:
      'By the plan with fractions of replicas, starts weighed in: right for planning a quarter, a hint for the next replica. GPUs and budget that are worth nothing are left out: they do not bind.',
    body:
      rows.length === 0
        ? absent(
            'No prices: there is no plan, or something is short, and then the next GPU is worth demand and not money. See what would help, under Why.',
          )
        : table(
            'Shadow prices',
            [{ title: 'One more' }, { title: 'Policy' }, { title: 'is worth', align: 'number' }],
            rows,
          ),
  }
}

function worth({ of, name }: ShadowPrice): Content {
  switch (of) {
    case 'gpu':
      return html`GPU in pool ${name} saves`
    case 'requestPerSecond':
      return html`request per second of ${name.slice(name.lastIndexOf('/') + 1)} costs`
    case 'budgetDollar':
      return 'dollar of budget saves'
  }
}

export function whySection({ policies }: Planning): Section {
  return {
    id: 'why',
    title: 'Why',
    about:
      'What is asked, what each variant carries and what limits it, what binds, and what one change would do. In brackets: the --what-if that shows the plan.',
    body: policies.map(({ facts }) => {
      const [head, ...groups] = facts
      return html`<article class="why"><h3>${head?.title}</h3>${bullets(head?.sentences ?? [])}<div class="columns">${groups.map(
        ({ title, sentences }) => html`<div class="group"><h4>${title}</h4>${bullets(sentences)}</div>`,
      )}</div></article>`
    }),
  }
}

export function doubledTile(doubled: Doubled | { readonly unknown: string }): Tile {
  const label = 'At twice the traffic'
  if ('unknown' in doubled) return { label, value: 'no data', note: doubled.unknown }
  const { costPerHour, moreShare, shortPerSecond, fullPools, atMax, firstShortAt } = doubled
  const isShort = shortPerSecond > 0
  const stops = [...fullPools.map((pool) => `pool ${pool}`), ...atMax.map((id) => `max of ${id}`)]
  const full = stops.length === 0 ? undefined : html` At the limit: ${stops.join(', ')}.`
  return {
    label,
    value: number(costPerHour, dollarsPerHour),
    tone: isShort ? 'bad' : 'good',
    note: isShort
      ? html`${number(shortPerSecond, requestRate)} req/s would go uncarried.${full}`
      : html`${number(moreShare, signedShare)}, and all of it carried.${full}${
          typeof firstShortAt === 'number' ? html` Short at ${number(firstShortAt, factor)}.` : undefined
        }`,
  }
}
