// Instants as traces write them, in seconds since the epoch: `2023-11-16 18:15:46.6805900`, with T, Z or an offset, or
// a number of seconds or milliseconds. Without a zone it is UTC: only differences matter.

const pattern = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})(\.\d+)?\s*(Z|[+-]\d{2}:?\d{2})?$/i

/** Undefined where it is no instant. */
export function instantOf(text: string): number | undefined {
  const found = pattern.exec(text.trim())
  if (found === null) return undefined
  const [, year, month, day, hour, minute, second, fraction = '0', zone = 'Z'] = found
  const [y, m, d, h, min, s] = [year, month, day, hour, minute, second].map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  if (m < 1 || m > 12 || d < 1 || d > 31 || h > 23 || min > 59 || s > 60) return undefined
  return daysSinceEpoch(y, m, d) * 86_400 + h * 3600 + min * 60 + s + Number(fraction) - offsetSeconds(zone)
}

/** Seconds, from a number that may be seconds, milliseconds, microseconds or nanoseconds since the epoch. */
export function epochSecondsOf(value: number): number {
  let seconds = value
  while (seconds > 1e11) seconds /= 1000
  return seconds
}

function offsetSeconds(zone: string): number {
  if (zone.toUpperCase() === 'Z') return 0
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))
  return (zone.startsWith('-') ? -60 : 60) * minutes
}

/** The civil calendar counted from March, so that the leap day comes last (Hinnant, chrono-compatible date algorithms). */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}
