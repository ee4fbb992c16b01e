// IANA time zones as lists of UTC offsets, for a core that has neither a clock nor a time zone database. The range is fixed,
// so that equal files give equal policies whenever they are read; beyond it the last offset stands.
import type { ZoneOffsets } from '../core/policy.ts'

const firstSecond = Date.UTC(2015, 0, 1) / 1000
const lastSecond = Date.UTC(2046, 0, 1) / 1000

/** No zone changes its offset twice within this: Morocco's pause for Ramadan lasts some 30 days. */
const strideSeconds = 7 * 86_400

const known = new Map<string, ZoneOffsets>()

/** Undefined where the runtime knows no zone of this name. */
export function zoneOffsets(name: string): ZoneOffsets | undefined {
  const cached = known.get(name)
  if (cached !== undefined) return cached
  const offsetOf = offsetReader(name)
  if (offsetOf === undefined) return undefined
  const offsets = [{ since: firstSecond, seconds: offsetOf(firstSecond) }]
  for (let from = firstSecond; from < lastSecond; from += strideSeconds) {
    const before = offsetOf(from)
    const until = Math.min(lastSecond, from + strideSeconds)
    const after = offsetOf(until)
    if (after !== before)
      offsets.push({ since: changeBetween(from, until, before, offsetOf), seconds: after })
  }
  known.set(name, offsets)
  return offsets
}

/** The first second that does not have the offset `before`. */
function changeBetween(
  from: number,
  until: number,
  before: number,
  offsetOf: (second: number) => number,
): number {
  let [low, high] = [from, until]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (offsetOf(middle) === before) low = middle
    else high = middle
  }
  return high
}

function offsetReader(timeZone: string): ((second: number) => number) | undefined {
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      ...{ year: 'numeric', month: 'numeric', day: 'numeric' },
      ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
    })
  } catch {
    return undefined
  }
  return (second) => {
    const parts = new Map(
      format.formatToParts(second * 1000).map(({ type, value }) => [type, Number(value)] as const),
    )
    const at = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0
    const local = Date.UTC(at('year'), at('month') - 1, at('day'), at('hour'), at('minute'), at('second'))
    return local / 1000 - second
  }
}
