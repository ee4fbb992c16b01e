// What limits one replica, with the number: how close the bound is when the replica carries all it may.
import { workload } from '../capacity/lengths.ts'
import { predict } from '../capacity/predict.ts'
import type { Capacity, CapacityQuestion } from '../capacity/question.ts'

export type ReplicaLimit =
  | {
      readonly kind: 'latency'
      readonly metric: 'ttft' | 'itl' | 'tpot'
      readonly percentile: number
      readonly boundSeconds: number
      /** Sizing aims at this part of the bound; `lateShare` of the requests, or tokens, take longer when it is full. */
      readonly plannedSeconds: number
      readonly lateShare: number
      /** The percentile at so much more load; absent where that cannot be sustained. */
      readonly overload: { readonly requestsPerSecond: number; readonly seconds?: number }
    }
  /** So many sequences of so many tokens fill what is planned with of the KV cache. */
  | {
      readonly kind: 'kvCache'
      readonly sequences: number
      readonly tokensPerSequence: number
      readonly kvTokens: number
    }
  | { readonly kind: 'maxNumSeqs'; readonly sequences: number }
  /** The engine saturates: at most `maxLoad` of that rate is planned. */
  | {
      readonly kind: 'throughput'
      readonly saturationRequestsPerSecond: number
      readonly maxLoad: number
    }

const overloadFactor = 1.1

/** `capacity` is the answer to the question. */
export function replicaLimit(
  question: CapacityQuestion,
  { requestsPerSecond, limitedBy }: Capacity & { readonly kind: 'feasible' },
): ReplicaLimit {
  const saturated: ReplicaLimit = {
    kind: 'throughput',
    saturationRequestsPerSecond: requestsPerSecond / question.maxLoad,
    maxLoad: question.maxLoad,
  }
  switch (limitedBy) {
    case 'ttft':
    case 'itl':
    case 'tpot': {
      const bound = question.goal.kind === 'interactive' ? question.goal[limitedBy] : undefined
      const latencyAt = (rate: number) => {
        const latencies = predict(question, rate)
        return latencies.kind === 'stable' ? latencies[limitedBy] : undefined
      }
      const latency = latencyAt(requestsPerSecond)
      if (bound === undefined || latency === undefined) return saturated
      const plannedSeconds = bound.seconds * question.sloMargin
      const overload = requestsPerSecond * overloadFactor
      const seconds = latencyAt(overload)?.percentile(bound.percentile)
      return {
        kind: 'latency',
        metric: limitedBy,
        percentile: bound.percentile,
        boundSeconds: bound.seconds,
        plannedSeconds,
        lateShare: 1 - latency.shareWithin(plannedSeconds),
        overload: { requestsPerSecond: overload, ...(seconds === undefined ? {} : { seconds }) },
      }
    }
    case 'kvCache':
    case 'maxNumSeqs': {
      const { N: sequences, m: tokensPerSequence } = workload(
        question.profile,
        question.limits,
        question.shape,
      )
      return limitedBy === 'maxNumSeqs'
        ? { kind: 'maxNumSeqs', sequences }
        : { kind: 'kvCache', sequences, tokensPerSequence, kvTokens: question.limits.kvTokens }
    }
    case 'throughput':
      return saturated
  }
}
