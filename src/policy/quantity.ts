// Durations, money, shares and token counts as people write them. Each parser answers with the number in the
// unit of its name, or with what would have been right.

export type Parsed = { readonly kind: 'number'; readonly value: number } | Mistake

export interface Mistake {
  readonly kind: 'mistake'
  /** Reads on from a field's name: `must be a duration such as 90s`. */
  readonly message: string
}

const millisecondsPer: Readonly<Record<string, number>> = {
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
}

export const durationPattern = '^-?(\\d+(\\.\\d+)?(ms|s|m|h|d))+$'
export const moneyPattern = '^-?\\$?\\d+(\\.\\d+)?(/h)?$'
export const sharePattern = '^-?\\d+(\\.\\d+)?%$'
export const tokensPattern = '^-?\\d+(\\.\\d+)?[kM]?$'

/** Seconds from `90s`, `4h`, `50ms`, `1.5h`, `1h30m`; a bare 0 needs no unit. */
export function parseDuration(text: string | number): Parsed {
  if (text === 0) return number(0)
  if (typeof text === 'number') return mistake(`needs a unit, such as ${text}s or ${text}ms`)
  const written = text.trim()
  if (!new RegExp(durationPattern).test(written))
    return mistake('must be a duration such as 90s, 50ms, 4h or 1h30m')
  let milliseconds = 0
  for (const [, count, unit] of written.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    milliseconds += Number(count) * (millisecondsPer[unit ?? ''] ?? 0)
  return number((written.startsWith('-') ? -milliseconds : milliseconds) / 1000)
}

/** `2d`, `1h30m`, `1.5s`, `50ms`: what parseDuration reads back as the same seconds, to the microsecond. */
export function durationText(seconds: number): string {
  if (seconds < 1) return seconds === 0 ? '0s' : `${Number((seconds * 1000).toFixed(3))}ms`
  let rest = seconds
  let text = ''
  for (const unit of ['d', 'h', 'm']) {
    const size = (millisecondsPer[unit] ?? 0) / 1000
    const count = Math.floor(rest / size)
    if (count > 0) text += `${count}${unit}`
    rest -= count * size
  }
  const last = Number(rest.toFixed(6))
  return last > 0 ? `${text}${last}s` : text
}

/** Per hour, from `$3.90/h`, `3.90/h`, `$3.90` or a plain number. */
export function parseMoneyPerHour(text: string | number): Parsed {
  if (typeof text === 'number') return number(text)
  const written = text.trim().replace(/\s*\/\s*h$/, '/h')
  if (new RegExp(moneyPattern).test(written))
    return number(Number(written.replace('$', '').replace('/h', '')))
  return mistake('must be money per hour such as $3.90/h')
}

/** A share from `5%` or `0.05`. */
export function parseShare(text: string | number): Parsed {
  if (typeof text === 'number') return number(text)
  const written = text.trim()
  if (!new RegExp(sharePattern).test(written)) return mistake('must be a share such as 5% or 0.05')
  return number(Number((Number(written.slice(0, -1)) / 100).toPrecision(15)))
}

/** Whole tokens from `400k`, `1.5M` or a plain number; k is 1000. */
export function parseTokens(text: string | number): Parsed {
  const written = typeof text === 'number' ? String(text) : text.trim()
  const factor = written.endsWith('k') ? 1000 : written.endsWith('M') ? 1_000_000 : 1
  const tokens = Number((Number(written.replace(/[kM]$/, '')) * factor).toPrecision(15))
  if (!new RegExp(tokensPattern).test(written) || !Number.isSafeInteger(tokens))
    return mistake('must be a whole number of tokens such as 8192, 400k or 1.5M')
  return number(tokens)
}

function number(value: number): Parsed {
  return { kind: 'number', value }
}

function mistake(message: string): Mistake {
  return { kind: 'mistake', message }
}
