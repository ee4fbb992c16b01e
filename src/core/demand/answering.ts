// How many requests are being answered, how many have ended, and how fast they get tokens: the clock by which requests of
// any length end.
import type { Observation } from '../observation.ts'
import { serves, type TrafficClass, type Variant, type VariantId } from '../policy.ts'
import { isMissing } from '../reading.ts'

export interface Answering {
  readonly at: number
  /** Those whose engines these are: with others, counts do not compare. */
  readonly variants: readonly VariantId[]
  /** At this instant. */
  readonly running: number
  readonly completionsPerSecond: number
  /** Output tokens, of one request. */
  readonly tokensPerSecond: number
}

/** Rates over a minute are those of its middle. */
const readLateSeconds = 30

/** The window that lengths are read over, and ten minutes that the longest answers in it may have taken. */
const reachSeconds = 900

/** Of the engines that answer the class; undefined where they cannot be read, or answer nobody. */
export function answeringAt(
  trafficClass: TrafficClass,
  seen: readonly Variant[],
  { at, variants }: Observation,
): Answering | undefined {
  const exits = seen.filter((variant) => variant.role !== 'prefill' && serves(variant, trafficClass))
  let [running, ended, tokens, meanRunning] = [0, 0, 0, 0]
  for (const { id } of exits) {
    const signals = variants[id]
    if (signals === undefined) return undefined
    const { inSystemGrowthPerSecond: growth, generationTokensPerSecond, completionsPerSecond } = signals
    // Of a variant without replicas nothing is read, and nothing runs.
    if (!isMissing(signals.replicas) && signals.replicas.ready === 0) continue
    if (isMissing(signals.running) || isMissing(growth)) return undefined
    if (isMissing(generationTokensPerSecond) || isMissing(completionsPerSecond)) return undefined
    running += signals.running
    ended += completionsPerSecond
    tokens += generationTokensPerSecond
    meanRunning += Math.max(0, signals.running - readLateSeconds * growth)
  }
  if (!(meanRunning >= 1 && tokens > 0)) return undefined
  return {
    ...{ at, variants: exits.map(({ id }) => id), running },
    ...{ completionsPerSecond: ended, tokensPerSecond: tokens / meanRunning },
  }
}

/** The last minutes with one more reading, where there is one. */
export function enterAnswering(
  known: readonly Answering[],
  now: Answering | undefined,
): readonly Answering[] {
  if (now === undefined) return known
  const same = now.variants.join()
  const kept = known.filter(
    ({ at, variants }) => at < now.at && at > now.at - reachSeconds && variants.join() === same,
  )
  return [...kept, now]
}

export interface Clock {
  /** When a request began that had so many output tokens at an instant. */
  readonly began: (at: number, tokens: number) => number
  /** Requests that had begun by an instant, counted from an arbitrary one. */
  readonly begun: (at: number) => number
  /** Of those that began at an instant or earlier: tokens of each that is still answered, at the last reading. */
  readonly tokensSince: (at: number) => number
  /** Of the readings. */
  readonly instants: readonly number[]
}

/** Rates stand from one reading to the next, the first and the last one beyond them. Undefined: too little is known. */
export function clockOf(readings: readonly Answering[]): Clock | undefined {
  const [first, last] = [readings[0], readings.at(-1)]
  if (first === undefined || last === undefined || first === last) return undefined
  const instants = readings.map(({ at }) => at)
  const late = instants.map((at) => at - readLateSeconds)
  const summed = (rate: (reading: Answering) => number): readonly number[] => {
    let sum = 0
    return readings.map((reading, i) => {
      sum += i === 0 ? 0 : rate(reading) * (reading.at - (instants[i - 1] as number))
      return sum
    })
  }
  const tokens = summed(({ tokensPerSecond }) => tokensPerSecond)
  const ended = summed(({ completionsPerSecond }) => completionsPerSecond)
  const endedBy = line(late, ended, first.completionsPerSecond, last.completionsPerSecond)
  const begun = readings.map(({ at, running }) => endedBy(at) + running)
  const tokensBy = line(late, tokens, first.tokensPerSecond, last.tokensPerSecond)
  const whenHad = line(tokens, late, 1 / first.tokensPerSecond, 1 / last.tokensPerSecond)
  const now = tokensBy(last.at)
  return {
    began: (at, count) => whenHad(tokensBy(at) - count),
    begun: line(instants, begun, first.completionsPerSecond, last.completionsPerSecond),
    tokensSince: (at) => now - tokensBy(at),
    instants,
  }
}

/** Through points with ascending x, and straight on beyond them. */
function line(
  xs: readonly number[],
  ys: readonly number[],
  slopeBefore: number,
  slopeAfter: number,
): (x: number) => number {
  return (x) => {
    const next = xs.findIndex((each) => each > x)
    if (next < 0) return (ys.at(-1) as number) + slopeAfter * (x - (xs.at(-1) as number))
    const [x1, y1] = [xs[next] as number, ys[next] as number]
    if (next === 0) return y1 - slopeBefore * (x1 - x)
    const [x0, y0] = [xs[next - 1] as number, ys[next - 1] as number]
    return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0)
  }
}
