// Numbers in a report: the text for people, the value for programs. Each stands in a <data> element, so that a test can
// look every number of the page up in the data beside it, and what is missing says why instead of being 0.
import { isMissing, type Missing, type Reading } from '../../core/reading.ts'
import { missingName } from '../../core/sentence.ts'
import { html, type Markup } from './markup.ts'

export type NumberFormat = (value: number) => string

/** `null` is how columns of a report say that there is no value. */
export function number(value: Reading | null | undefined, format: NumberFormat): Markup {
  if (value === undefined || value === null) return html`<span class="missing">no data</span>`
  if (isMissing(value)) return html`<span class="missing" title="${why(value)}">no data</span>`
  return html`<data value="${value}">${format(value)}</data>`
}

function why({ missing, detail }: Missing): string {
  return detail === undefined ? missingName(missing) : `${missingName(missing)}: ${detail}`
}

export function dollarsPerHour(value: number): string {
  return `$${grouped(value, 2)}/h`
}

/** Beside others that add up. */
export function signedDollarsPerHour(value: number): string {
  const text = dollarsPerHour(Math.abs(value))
  return Number(value.toFixed(2)) === 0 ? text : `${value < 0 ? '−' : '+'}${text}`
}

export function dollars(value: number): string {
  return `$${grouped(value, value < 1000 ? 2 : 0)}`
}

export function requestRate(value: number): string {
  return grouped(value, value < 10 ? 2 : value < 1000 ? 1 : 0)
}

export function count(value: number): string {
  return grouped(value, Number.isInteger(value) ? 0 : 1)
}

export function times(value: number): string {
  return `${value.toFixed(2)}×`
}

/** Never rounded up to a goal that was missed: 99.996 % of a year is an outage of half an hour. */
export function share(value: number): string {
  const percents = value * 100
  const text = percents.toFixed(1)
  return `${Number(text) >= 100 && value < 1 ? Math.floor(percents * 1000) / 1000 : text} %`
}

export function signedShare(value: number): string {
  const percents = (value * 100).toFixed(1)
  return `${value > 0 ? '+' : ''}${percents.replace('-', '−')} %`
}

export function seconds(value: number): string {
  if (value < 1) return `${grouped(value * 1000, value < 0.1 ? 1 : 0)} ms`
  return `${grouped(value, value < 10 ? 2 : 1)} s`
}

/** Thousands apart by thin spaces, as no reader mistakes them for a decimal mark. */
function grouped(value: number, decimals: number): string {
  const [whole = '', fraction] = Math.abs(value).toFixed(decimals).split('.')
  const sign = value < 0 ? '−' : ''
  const parted = whole.replace(/\B(?=(\d{3})+$)/g, '\u2009')
  return `${sign}${parted}${fraction === undefined ? '' : `.${fraction}`}`
}
