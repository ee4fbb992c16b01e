// What every role's model answers: how much a replica sustains at all, and its latencies at a rate below that.
import type { Mixture } from './mixture.ts'

export type Metric = 'ttft' | 'itl' | 'tpot'

export const metrics: readonly Metric[] = ['ttft', 'itl', 'tpot']

/** Index of dispersion of one replica's arrivals, over a residence (I) and over a step (Ic); 1 is Poisson. */
export interface Dispersion {
  readonly I: number
  readonly Ic: number
  /** Replicas among which a load-aware router evens out what is in the system. */
  readonly sharing: number
}

export interface Latencies {
  /** Milliseconds. Empty where this role, or these lengths, know no such latency. */
  readonly mixture: (metric: Metric) => Mixture
  /** Requests in the system, on average. */
  readonly meanK: number
  /** Of the TTFT, the pieces of requests that find every slot taken. */
  readonly waits: () => Mixture
}

export interface ReplicaModel {
  /** Requests per ms at saturation. */
  readonly lmax: number
  /** Undefined where the rate cannot be sustained. */
  readonly at: (lambda: number, dispersion: Dispersion) => Latencies | undefined
}
