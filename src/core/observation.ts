// What the world looked like at one instant of the tick grid: plain JSON, so that it can be recorded,
// replayed and attached to a bug report. It holds names and numbers, never addresses or secrets.
import type { Histogram, LengthHistogram } from './histogram.ts'
import type { ClassId, VariantId } from './policy.ts'
import type { Reading } from './reading.ts'

export interface Observation {
  readonly format: 'mixscaler-observation/1'
  /** Seconds since the epoch. The only time that the decision knows. */
  readonly at: number
  readonly variants: Readonly<Record<VariantId, VariantSignals>>
  readonly classes: Readonly<Record<ClassId, ClassSignals>>
  /** GPUs per pool as discovered from nodes; pools that the policies fix are not asked for. */
  readonly pools: Readonly<Record<string, Reading>>
  /** Variants whose ScaledObject is paused. Absent: none, or ScaledObjects cannot be read. */
  readonly pauses?: Readonly<Record<VariantId, Pause>>
  /** What looked wrong while observing: doubled series, unknown pods, a label that matches nothing. */
  readonly warnings: readonly string[]
}

/** Sums over a variant's replicas unless said; rates per second over the observation window. */
export interface VariantSignals {
  readonly replicas: Reading<ReplicaCounts>
  /** Replicas that report metrics now. */
  readonly reporting: Reading
  readonly running: Reading
  readonly waiting: Reading
  /** d(running + waiting)/dt over the window: positive while a queue builds. */
  readonly inSystemGrowthPerSecond: Reading
  /** Requests finished per second, aborted ones included: they too arrived and took capacity. */
  readonly completionsPerSecond: Reading
  readonly generationTokensPerSecond: Reading
  readonly preemptionsPerSecond: Reading
  /** Prompt and output tokens per request, by finish time. */
  readonly promptTokens: Reading<LengthHistogram>
  readonly outputTokens: Reading<LengthHistogram>
  /** Seconds. */
  readonly ttft: Reading<Histogram>
  readonly itl: Reading<Histogram>
  /** The mean gap of each request, as it ends. Absent: recorded by a version that did not ask. */
  readonly tpot?: Reading<Histogram>
  /** Absent: recorded by a version that did not ask. */
  readonly typicalEngine?: Reading<TypicalEngine>
  /** 0..1: share of prompt tokens found in the prefix cache. */
  readonly prefixHitRate: Reading
  /** 0..1, mean over replicas. */
  readonly kvUsage: Reading
  /** KV cache of one replica, tokens. */
  readonly kvTokensPerReplica: Reading
  /** First tokens per second just now: the finest view of arrivals that engines give. Absent in older recordings. */
  readonly arrivingNow?: Reading<ShortRate>
}

/** A rate over a window of seconds rather than a minute: what shows how bursty arrivals are. */
export interface ShortRate {
  readonly requestsPerSecond: number
  /** From the first to the last sample of the window: what the scrape interval allows. */
  readonly seconds: number
}

/**
 * Medians over the variant's engines: what most of them say, whatever one of them says. Per second of the window.
 */
export interface TypicalEngine {
  /** Gaps between tokens, and their sum: as many sequences decode, on average. */
  readonly gapsPerSecond: number
  readonly gapSecondsPerSecond: number
  readonly firstTokensPerSecond: number
  readonly ttftSecondsPerSecond: number
}

export interface ReplicaCounts {
  /** What the scale target asks for (spec.replicas). */
  readonly desired: number
  readonly ready: number
  readonly starting: number
  readonly terminating: number
  /** When each starting replica was created, oldest first, in seconds since the epoch. Absent: none, or not known. */
  readonly startingSince?: readonly number[]
  /** Starting replicas that the scheduler finds no room for. Absent: none, or not known. */
  readonly unschedulable?: UnschedulableReplicas
}

export interface UnschedulableReplicas {
  readonly replicas: number
  /** Since when the oldest of them has waited, in seconds since the epoch. */
  readonly since: number
  /** The scheduler's words. */
  readonly why: string
}

/** What an annotation on a ScaledObject keeps KEDA and the HPA from doing. */
export interface Pause {
  readonly stops: 'all' | 'scaleIn' | 'scaleOut'
  /** Where KEDA was told to hold it; absent: at what the scale target asks for. */
  readonly replicas?: number
}

/** Answers to the queries of the policy's author, or what a gateway says; absent keys were not asked for. */
export interface ClassSignals {
  readonly requestsPerSecond?: Reading
  readonly backlogTokens?: Reading
  readonly gateway?: Reading<GatewaySignals>
}

/** One class at its gateway, over the pods of the gateway; missing as a whole where the gateway cannot be read. */
export interface GatewaySignals {
  /** Handed to engines, or turned away, where the gateway counts both in one. */
  readonly passedPerSecond: number
  /** Turned away without being counted above: they arrived all the same. */
  readonly rejectedPerSecond: number
  /** Requests that wait at the gateway, and d(waiting)/dt. */
  readonly queued: number
  readonly queueGrowthPerSecond: number
  /** Whether the gateway has counted any request of the class since it started. */
  readonly counted: 'some' | 'none'
  readonly arrivingNow: Reading<ShortRate>
  /** Tokens per request, where the gateway measures them. */
  readonly promptTokens: Reading<LengthHistogram>
  readonly outputTokens: Reading<LengthHistogram>
}
