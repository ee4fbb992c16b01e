// What arrives, class by class, from second 0 on: recorded requests, or rates from which requests are drawn. Both
// plants read the same traffic: one request by request, the other in steps. Everything is lazy, ordered by time and
// repeatable from a seed, so that a trace of any length needs bounded memory.
import type { LengthBin } from '../../core/capacity/question.ts'
import type { TracedRequest } from '../../simulation/arrivals.ts'

export interface Traffic {
  /** The traffic ends here; whole seconds. */
  readonly untilSeconds: number
  /** Several entries for one class add up. */
  readonly sources: readonly ClassTraffic[]
}

export interface ClassTraffic {
  readonly classIndex: number
  /** Every request stands for so many: 4 is four times the traffic, 0.5 every second request. */
  readonly scale: number
  /** All of it comes so much later. */
  readonly shiftSeconds: number
  readonly source: TrafficSource
}

export type TrafficSource =
  /** In order of time, which begins at 0. `open` begins anew each time. */
  { readonly kind: 'requests'; readonly open: () => Iterator<TracedRequest> } | RateSource

export interface RateSource {
  readonly kind: 'rates'
  /** In order of time, without holes. */
  readonly windows: readonly RateWindow[]
  readonly inside: Inside
}

/** How rates and lengths that are only known per window move inside it (docs/BACKTEST.md). */
export type Inside = 'bridge' | 'step'

export interface RateWindow {
  readonly fromSeconds: number
  readonly untilSeconds: number
  readonly requestsPerSecond: number
  readonly promptTokens: readonly LengthBin[]
  readonly outputTokens: readonly LengthBin[]
  /** Of the time between arrivals: standard deviation over mean; 1 is Poisson. */
  readonly cv: number
}
