// Numbers as people read them, the same in every table and sentence.
import { isMissing, type Reading } from '../core/reading.ts'

/** `?` where there is no value. */
export function shown<T>(reading: Reading<T>, format: (value: T) => string): string {
  return isMissing(reading) ? '?' : format(reading)
}

export function rate(requestsPerSecond: number): string {
  return requestsPerSecond.toFixed(requestsPerSecond < 10 ? 2 : 1)
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

export function money(perHour: number): string {
  return `$${perHour.toFixed(2)}/h`
}

/** ` (+8 %)`; nothing where one side is not known or there is nothing to compare with. */
export function change(from: Reading, to: Reading): string {
  if (isMissing(from) || isMissing(to) || from === 0) return ''
  const percents = Math.round((to / from - 1) * 100)
  return ` (${percents > 0 ? '+' : ''}${percents} %)`
}
