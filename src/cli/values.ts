// Flag values that are more than text: durations, ports, instants, choices. What is wrong is a usage error that
// says what is allowed.
import { nearest } from '../core/nearest.ts'
import { parseDuration } from '../policy/quantity.ts'
import type { Flag } from './command.ts'
import { usageError } from './exit.ts'

/** Seconds, from `15s`, `1h30m`. Above 0. */
export function durationFlag(flag: string, text: string): number {
  const parsed = parseDuration(text)
  if (parsed.kind === 'mistake') throw usageError(`--${flag} ${parsed.message}: got "${text}"`)
  if (parsed.value <= 0) throw usageError(`--${flag} must be above 0: got "${text}"`)
  return parsed.value
}

/** Seconds, 0 included. */
export function delayFlag(flag: string, text: string): number {
  return /^0+(ms|s|m|h)?$/.test(text) ? 0 : durationFlag(flag, text)
}

/** A whole number above 0. */
export function countFlag(flag: string, text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw usageError(`--${flag} must be a whole number, 1 to 999999: got "${text}"`)
}

/** 0 takes any free port. */
export function portFlag(flag: string, text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= 65535) return port
  throw usageError(`--${flag} must be a port, 0 to 65535: got "${text}"`)
}

/** Seconds since the epoch, from `2026-10-01T12:00:00Z`, `1790000000` or, counted back from now, `-90s`, `90s ago`, `now`. */
export function instantFlag(flag: string, text: string, now: number): number {
  if (text === 'now') return now
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text)
  if (text.startsWith('-')) return now - durationFlag(flag, text.slice(1))
  const [, ago] = /^(\S+) ago$/.exec(text) ?? []
  if (ago !== undefined) return now - durationFlag(flag, ago)
  const withZone = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}:\d{2})$/.test(text)
  const milliseconds = withZone ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(milliseconds)) return milliseconds / 1000
  throw usageError(
    `--${flag} must be an instant such as 2026-10-01T12:00:00Z, seconds since the epoch, or '5m ago': got "${text}"`,
  )
}

export function choiceFlag<T extends string>(flag: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text)
  if (found !== undefined) return found
  const meant = nearest(text, choices)
  const hint = meant === undefined ? '' : ` Did you mean ${meant}?`
  throw usageError(`--${flag} must be one of ${choices.join(', ')}: got "${text}".${hint}`)
}

export const outputs = ['table', 'json', 'yaml'] as const

export const outputFlag = {
  type: 'string',
  short: 'o',
  default: 'table',
  placeholder: 'table|json|yaml',
  text: 'how to print',
} as const satisfies Flag

/** Where no terminal says how wide it is. */
export const plainColumns = 120

/** Between ticks of serve. */
export const defaultInterval = '15s'
