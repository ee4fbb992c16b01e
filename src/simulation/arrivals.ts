// When requests come: renewal processes on a rate curve (Poisson, or Gamma for burstier and smoother ones),
// and replays of recorded traces. All are lazy, ordered by time and repeatable from their seed.
import type { DrawLengths } from './lengths.ts'
import { Random } from './random.ts'
import type { Request } from './request.ts'

/** Requests per second at a virtual time. */
export type RateCurve = (atSeconds: number) => number

export interface RenewalTraffic {
  readonly rate: RateCurve
  readonly lengths: DrawLengths
  readonly seed: number
  /** Standard deviation over mean of the time between arrivals; 1 is Poisson, 3 is bursty. */
  readonly cv: number
  readonly classIndex: number
  readonly fromSeconds: number
  readonly untilSeconds: number
}

/**
 * A Gamma renewal process in operational time: arrivals come after unit-mean Gamma amounts of the integral of
 * the rate, which is summed over steps of at most a second.
 */
export function* renewalArrivals(traffic: RenewalTraffic): Generator<Request> {
  const gaps = new Random(traffic.seed, 1)
  const lengths = new Random(traffic.seed, 2)
  const shape = 1 / (traffic.cv * traffic.cv)
  let at = traffic.fromSeconds
  for (;;) {
    let due = shape === 1 ? gaps.exponential(1) : gaps.gamma(shape) / shape
    for (;;) {
      const step = Math.min(1, traffic.untilSeconds - at)
      const arriving = Math.max(0, traffic.rate(at)) * step
      if (due < arriving) {
        at += (step * due) / arriving
        break
      }
      due -= arriving
      at += step
      if (at >= traffic.untilSeconds) return
    }
    yield {
      arrivedAtSeconds: at,
      cachedTokens: 0,
      classIndex: traffic.classIndex,
      ...traffic.lengths(lengths),
    }
  }
}

export interface TracedRequest {
  readonly atSeconds: number
  /** At least 1, both. */
  readonly promptTokens: number
  readonly outputTokens: number
}

/** A recorded trace, in order of time, begun at `fromSeconds` and played `speed` times as fast. */
export function* traceArrivals(
  trace: readonly TracedRequest[],
  options: { readonly fromSeconds: number; readonly speed: number; readonly classIndex: number },
): Generator<Request> {
  const first = trace[0]?.atSeconds ?? 0
  for (const { atSeconds, promptTokens, outputTokens } of trace) {
    yield {
      arrivedAtSeconds: options.fromSeconds + (atSeconds - first) / options.speed,
      promptTokens,
      outputTokens,
      cachedTokens: 0,
      classIndex: options.classIndex,
    }
  }
}

/** Several streams as one, in order of time. */
export function* mergeArrivals(streams: readonly Iterator<Request>[]): Generator<Request> {
  const heads = streams.map((stream) => ({ stream, head: stream.next() }))
  for (;;) {
    let earliest: { stream: Iterator<Request>; at: number; request: Request; index: number } | undefined
    for (const [index, { stream, head }] of heads.entries()) {
      if (head.done === true) continue
      const at = head.value.arrivedAtSeconds
      if (earliest === undefined || at < earliest.at) earliest = { stream, at, request: head.value, index }
    }
    if (earliest === undefined) return
    yield earliest.request
    heads[earliest.index] = { stream: earliest.stream, head: earliest.stream.next() }
  }
}

export function constantRate(requestsPerSecond: number): RateCurve {
  return () => requestsPerSecond
}

/** A day's wave: `mean (1 - swing cos(2 pi t / period))`, lowest at time 0. */
export function diurnalRate(day: {
  readonly mean: number
  /** 0..1 */
  readonly swing: number
  readonly periodSeconds: number
}): RateCurve {
  return (at) => day.mean * (1 - day.swing * Math.cos((2 * Math.PI * at) / day.periodSeconds))
}

/** The rate of the last step that has begun; 0 before the first. */
export function stepRate(
  steps: readonly { readonly fromSeconds: number; readonly requestsPerSecond: number }[],
): RateCurve {
  return (at) => steps.findLast((step) => step.fromSeconds <= at)?.requestsPerSecond ?? 0
}

/** `requestsPerSecond` more for a while, with straight flanks. */
export function spikeRate(spike: {
  readonly fromSeconds: number
  readonly untilSeconds: number
  readonly rampSeconds: number
  readonly requestsPerSecond: number
}): RateCurve {
  return (at) => {
    const inside = Math.min(at - spike.fromSeconds, spike.untilSeconds - at) / spike.rampSeconds
    return spike.requestsPerSecond * Math.min(1, Math.max(0, inside))
  }
}

export function sumRates(...curves: readonly RateCurve[]): RateCurve {
  return (at) => curves.reduce((sum, curve) => sum + curve(at), 0)
}
