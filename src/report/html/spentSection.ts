// Where the money went in a backtest: from the bound, or from demand at its price, to what was paid.
import { isMissing } from '../../core/reading.ts'
import type { BacktestReport } from '../backtest/backtestReport.ts'
import { spentWords } from '../spentSteps.ts'
import type { Section } from './document.ts'
import { type Content, html } from './markup.ts'
import { dollarsPerHour, number, share, signedDollarsPerHour, signedShare } from './number.ts'
import { absent, table } from './parts.ts'
import { waterfall } from './waterfall.ts'

export function spentSection({ spent, controller }: BacktestReport): Section {
  return {
    id: 'spent',
    title: 'Where the money went',
    about: html`Up to what ${controller} paid, on average over the scored time: each step is what one more part of its decisions added or saved. Demand is priced as the cheapest variant carries it, in fractions of replicas.`,
    body: isMissing(spent)
      ? absent('This rule sizes by no demand: what it paid has no such parts.')
      : html`${waterfall([
          ...spent.steps.map(({ layer, perHour }, index) => ({
            name: spentWords[layer].title,
            kind: index === 0 ? ('sum' as const) : ('step' as const),
            value: perHour,
          })),
          { name: 'paid', kind: 'sum' as const, value: spent.paidPerHour },
        ])}
${table(
  'Where the money went',
  [
    { title: 'Step' },
    { title: '$/h', align: 'number' },
    { title: 'Of what was paid', align: 'number' },
    { title: 'What it is' },
  ],
  [
    ...spent.steps.map(({ layer, perHour, shareOfPaid }, index): readonly Content[] => {
      const { title, about } = spentWords[layer]
      return index === 0
        ? [title, number(perHour, dollarsPerHour), number(shareOfPaid, share), about]
        : [title, number(perHour, signedDollarsPerHour), number(shareOfPaid, signedShare), about]
    }),
    [html`<strong>paid</strong>`, number(spent.paidPerHour, dollarsPerHour), '', ''],
  ],
)}
${notes(spent)}`,
  }
}

function notes({
  regretPerHour,
  attributedShare,
}: Exclude<BacktestReport['spent'], { readonly missing: unknown }>): Content {
  return [
    isMissing(regretPerHour)
      ? undefined
      : html`<p>Regret, which is what was paid beyond the bound: ${number(regretPerHour, signedDollarsPerHour)}.</p>`,
    attributedShare < 1
      ? html`<p>Every reading was there for ${number(attributedShare, share)} of the time; what was paid in the rest is not attributed.</p>`
      : undefined,
  ]
}
