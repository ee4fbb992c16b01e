// How many requests began to be answered lately, and how fast: the clock by which requests of any length end.
import type { Observation } from '../observation.ts'
import { serves, type TrafficClass, type Variant } from '../policy.ts'
import { isMissing } from '../reading.ts'
import { arrivals } from './arrivals.ts'

export interface Answering {
  readonly at: number
  readonly begunPerSecond: number
  /** Output tokens, of one request. */
  readonly tokensPerSecond: number
}

/** Rates over a minute are those of its middle. */
const readLateSeconds = 30

/** The window that lengths are read over, and ten minutes that the longest answers in it may have taken. */
const reachSeconds = 900

/** Of the engines that serve the class; undefined where they cannot be read, or answer nobody. */
export function answeringAt(
  trafficClass: TrafficClass,
  seen: readonly Variant[],
  { at, variants, classes }: Observation,
): Answering | undefined {
  const gateway = classes[trafficClass.id]?.gateway
  const told = gateway === undefined || isMissing(gateway) ? undefined : gateway.passedPerSecond
  let [entering, tokens, answered] = [0, 0, 0]
  for (const { id, role } of seen.filter((variant) => serves(variant, trafficClass))) {
    const signals = variants[id]
    if (signals === undefined) continue
    if (role !== 'decode') {
      const arriving = arrivals({ ...signals, waiting: 0 })
      if (isMissing(arriving)) return undefined
      entering += arriving
    }
    const { running, inSystemGrowthPerSecond, generationTokensPerSecond } = signals
    if (role === 'prefill' || isMissing(running) || isMissing(inSystemGrowthPerSecond)) continue
    if (isMissing(generationTokensPerSecond)) continue
    tokens += generationTokensPerSecond
    answered += Math.max(0, running - readLateSeconds * inSystemGrowthPerSecond)
  }
  const tokensPerSecond = tokens / answered
  if (!(answered >= 1 && tokensPerSecond > 0)) return undefined
  return { at, begunPerSecond: told ?? entering, tokensPerSecond }
}

/** The last minutes with one more reading, where there is one. */
export function enterAnswering(
  known: readonly Answering[],
  now: Answering | undefined,
): readonly Answering[] {
  if (now === undefined) return known
  return [...known.filter(({ at }) => at < now.at && at > now.at - reachSeconds), now]
}

export interface Clock {
  /** When a request began that had so many output tokens at an instant. */
  readonly began: (at: number, tokens: number) => number
  /** Requests that had begun by an instant, counted from an arbitrary one. */
  readonly begun: (at: number) => number
}

/** A rate stands from one reading to the next, the first and the last one beyond them. Undefined: too little is known. */
export function clockOf(readings: readonly Answering[]): Clock | undefined {
  const [first, last] = [readings[0], readings.at(-1)]
  if (first === undefined || last === undefined || first === last) return undefined
  const at = readings.map((reading) => reading.at - readLateSeconds)
  const summed = (rate: (reading: Answering) => number): readonly number[] => {
    let sum = 0
    return readings.map((reading, i) => {
      sum += i === 0 ? 0 : rate(reading) * (reading.at - (readings[i - 1] as Answering).at)
      return sum
    })
  }
  const tokens = summed(({ tokensPerSecond }) => tokensPerSecond)
  const begun = summed(({ begunPerSecond }) => begunPerSecond)
  const tokensBy = line(at, tokens, first.tokensPerSecond, last.tokensPerSecond)
  const whenHad = line(tokens, at, 1 / first.tokensPerSecond, 1 / last.tokensPerSecond)
  return {
    began: (when, count) => whenHad(tokensBy(when) - count),
    begun: line(at, begun, first.begunPerSecond, last.begunPerSecond),
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
