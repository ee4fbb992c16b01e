// The latencies of one replica at a given rate: any percentile, and any share within a bound. What sizing bisects on,
// for those who want to see it: reports, what-if, calibration against what was measured.
import { dispersionOf, replicaModel } from './capacity.ts'
import { problemWith } from './inputs.ts'
import { workload } from './lengths.ts'
import { cdf, mean, percentile } from './mixture.ts'
import type { CapacityQuestion } from './question.ts'
import type { Metric } from './replica.ts'

interface Latency {
  readonly meanSeconds: number
  /** Seconds within which this share (0..1) of the requests, or of the tokens, is. */
  readonly percentile: (share: number) => number
  /** Share within so many seconds. */
  readonly shareWithin: (seconds: number) => number
}

type Prediction =
  /** Absent latencies do not exist for this role, or for answers of one token. */
  | {
      readonly kind: 'stable'
      readonly ttft?: Latency
      readonly itl?: Latency
      readonly tpot?: Latency
      readonly requestsInSystem: number
    }
  /** The rate cannot be sustained; `requestsPerSecond` is the saturation rate. */
  | { readonly kind: 'saturated'; readonly requestsPerSecond: number }
  | { readonly kind: 'impossible'; readonly why: string }

export function predict(question: CapacityQuestion, requestsPerSecond: number): Prediction {
  const why = problemWith(question)
  if (why !== undefined) return { kind: 'impossible', why }
  const work = workload(question.profile, question.limits, question.shape)
  if (work.N < 1) return { kind: 'impossible', why: 'a request does not fit into the KV cache' }
  const model = replicaModel(question, work)
  const dispersion = dispersionOf(question.dispersion, question.replicas)
  const latencies = requestsPerSecond > 0 ? model.at(requestsPerSecond / 1000, dispersion) : undefined
  if (latencies === undefined) return { kind: 'saturated', requestsPerSecond: model.lmax * 1000 }
  const latency = (metric: Metric): Readonly<Record<string, Latency>> => {
    const mixture = latencies.mixture(metric)
    if (mixture.length === 0) return {}
    return {
      [metric]: {
        meanSeconds: mean(mixture) / 1000,
        percentile: (share) => percentile(mixture, share) / 1000,
        shareWithin: (seconds) => cdf(mixture, seconds * 1000),
      },
    }
  }
  return {
    kind: 'stable',
    ...latency('ttft'),
    ...latency('itl'),
    ...latency('tpot'),
    requestsInSystem: latencies.meanK,
  }
}
