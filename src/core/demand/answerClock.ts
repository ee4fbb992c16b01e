// The clock by which requests of any length end: how many tokens each had got by an instant, and how many requests had begun.
import type { Answering } from './answering.ts'

/** Rates are over a minute, and those of its middle. */
const rateSeconds = 60
const readLateSeconds = rateSeconds / 2

export interface Clock {
  /** Of the last reading, and the requests that were answered then. */
  readonly at: number
  readonly running: number
  /**
   * How far the tokens of one request by now may be off: the pace since the middle of the last minute is not read yet. Going on to
   * change as it did in a minute, it is a quarter of that away, on average.
   */
  readonly unsureTokens: number
  /** When a request began that had so many output tokens at an instant. */
  readonly began: (at: number, tokens: number) => number
  /** Requests that had begun by an instant, counted from an arbitrary one. */
  readonly begun: (at: number) => number
  /** Between readings, oldest first, as far back as they go. */
  readonly cohorts: readonly Cohort[]
}

/** Requests that began one after the other, by the tokens that the first and the last of them have had by now. */
export interface Cohort {
  readonly requests: number
  readonly most: number
  readonly least: number
}

interface Paced extends Answering {
  /** Output tokens per second, of one request. */
  readonly pace: number
}

/** Tokens and requests of the same minute; a minute in which hardly any ran tells no pace. */
function paced(readings: readonly Answering[]): readonly Paced[] {
  return readings.flatMap((reading, last) => {
    const first = readings.findIndex(({ at }) => at >= reading.at - rateSeconds)
    const running = meanRunning(readings.slice(first, last + 1))
    return running >= 1 ? [{ ...reading, pace: reading.tokensPerSecond / running }] : []
  })
}

/** Straight between readings, of which there is one at least. */
function meanRunning(readings: readonly Answering[]): number {
  const [first, last] = [readings[0] as Answering, readings.at(-1) as Answering]
  if (first === last) return last.running
  let sum = 0
  for (const [i, { at, running }] of readings.entries()) {
    const next = readings[i + 1]
    if (next !== undefined) sum += ((next.at - at) * (running + next.running)) / 2
  }
  return sum / (last.at - first.at)
}

/** Rates stand from one reading to the next, the first and the last one beyond them. Undefined: too little is known. */
export function clockOf(known: readonly Answering[]): Clock | undefined {
  const readings = paced(known)
  const [first, last] = [readings[0], readings.at(-1)]
  if (first === undefined || last === undefined || first === last) return undefined
  const instants = readings.map(({ at }) => at)
  const late = instants.map((at) => at - readLateSeconds)
  const summed = (rate: (reading: Paced) => number): readonly number[] => {
    let sum = 0
    return readings.map((reading, i) => {
      sum += i === 0 ? 0 : rate(reading) * (reading.at - (instants[i - 1] as number))
      return sum
    })
  }
  const tokens = summed(({ pace }) => pace)
  const ended = summed(({ completionsPerSecond }) => completionsPerSecond)
  const endedBy = line(late, ended, first.completionsPerSecond, last.completionsPerSecond)
  const begun = readings.map(({ at, running }) => endedBy(at) + running)
  const tokensBy = line(late, tokens, first.pace, last.pace)
  const whenHad = line(tokens, late, 1 / first.pace, 1 / last.pace)
  const begunBy = line(instants, begun, first.completionsPerSecond, last.completionsPerSecond)
  const minute = readings.filter(({ at }) => at >= last.at - rateSeconds)
  const moved = Math.max(...minute.map(({ pace }) => Math.abs(last.pace - pace)))
  return {
    ...{ at: last.at, running: last.running, begun: begunBy },
    unsureTokens: (readLateSeconds * moved) / 4,
    began: (at, count) => whenHad(tokensBy(at) - count),
    cohorts: cohortsOf(instants, last.at, tokensBy, begunBy),
  }
}

/** Younger than this each reading has its own; older ones are taken together, as fewer of them are left. */
const youngSeconds = 120
const oldCohortSeconds = 60

function cohortsOf(
  instants: readonly number[],
  now: number,
  tokensBy: (at: number) => number,
  begun: (at: number) => number,
): readonly Cohort[] {
  const cohorts: Cohort[] = []
  const had = tokensBy(now)
  let from = instants[0] as number
  for (const to of instants.slice(1)) {
    if (now - to > youngSeconds && to - from < oldCohortSeconds) continue
    cohorts.push({ requests: begun(to) - begun(from), most: had - tokensBy(from), least: had - tokensBy(to) })
    from = to
  }
  return cohorts
}

/** Through points with ascending x, and straight on beyond them. */
function line(
  xs: readonly number[],
  ys: readonly number[],
  slopeBefore: number,
  slopeAfter: number,
): (x: number) => number {
  return (x) => {
    const next = firstAbove(xs, x)
    if (next === xs.length) return (ys.at(-1) as number) + slopeAfter * (x - (xs.at(-1) as number))
    const [x1, y1] = [xs[next] as number, ys[next] as number]
    if (next === 0) return y1 - slopeBefore * (x1 - x)
    const [x0, y0] = [xs[next - 1] as number, ys[next - 1] as number]
    return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0)
  }
}

/** Of ascending values, the index of the first one above x; as many as there are, where none is. */
function firstAbove(values: readonly number[], x: number): number {
  let [low, high] = [0, values.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((values[middle] as number) > x) high = middle
    else low = middle + 1
  }
  return low
}
