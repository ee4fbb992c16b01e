// Instants in reports: UTC, for people and for programs.
import { html, type Markup } from './markup.ts'

/** `Tue 24 Nov 14:05`. */
export function instant(seconds: number): Markup {
  return html`<time datetime="${isoText(seconds)}">${dayText(seconds)} ${clockText(seconds)}</time>`
}

/** `Tue 24 Nov`. */
export function day(seconds: number): Markup {
  return html`<time datetime="${isoText(seconds)}">${dayText(seconds)}</time>`
}

export function dayText(seconds: number): string {
  const [weekday = '', date, month] = new Date(seconds * 1000).toUTCString().split(' ')
  return `${weekday.replace(',', '')} ${Number(date)} ${month}`
}

/** `14:05`. */
export function clockText(seconds: number): string {
  return isoText(seconds).slice(11, 16)
}

/** `2026-11-24T14:05:00Z`. */
function isoText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
