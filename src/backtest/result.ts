// What a backtest answers, as plain JSON: scores over the scored span, and series by minute for the report. Equal
// seeds give equal bytes, so that two of them can be compared, and a figure in a report be found again.

import type { Reading } from '../core/reading.ts'

export interface Result {
  readonly format: 'mixscaler-backtest/1'
  readonly controller: string
  readonly settings: ResultSettings
  /** After the warm-up, until the traffic ends. */
  readonly scoredSeconds: number
  readonly classes: readonly ClassResult[]
  readonly variants: readonly VariantResult[]
  readonly dollars: number
  readonly dollarsPerHour: number
  /** By accelerator type. */
  readonly gpuHours: Readonly<Record<string, number>>
  readonly events: Events
  /** Where it was asked for; missing where there is none, with why. */
  readonly bound?: Reading<ResultBound>
  /** Where the money went. Absent for rules that size by no demand. */
  readonly spending?: Spending
  /** Behind the minutes with most late requests: the decision in force when each began. In order of time. */
  readonly decisions?: readonly MinuteDecision[]
  readonly minutes: MinuteSeries
}

export interface MinuteDecision {
  readonly minute: number
  /** By policy: why, as sentences. */
  readonly why: Readonly<Record<string, readonly string[]>>
}

/** What somebody would have paid who knew the traffic: docs/MODEL.md, "The clairvoyant bound". */
export interface ResultBound {
  /** Over the scored span. */
  readonly dollars: number
  readonly dollarsPerHour: number
  /** Of the cheapest schedule in whole replicas that was found: the true cost lies between the two. */
  readonly scheduleDollarsPerHour: number
  /** Share of requests that it carries. */
  readonly attainment: number
  readonly stepSeconds: number
  /** Dollars per hour of that schedule, by minute from second 0 on: 0 during the warm-up. */
  readonly minutes: readonly number[]
}

/** In this order from demand at its price to what was paid: docs/MODEL.md, "Where the money goes". */
export const spendingLayers = [
  'demand',
  'forecast',
  'hold',
  'headroom',
  'wholeReplicas',
  'deadBand',
  'limits',
  'actuation',
  'unattributed',
] as const

export type SpendingLayer = (typeof spendingLayers)[number]

export interface Spending {
  /** Signed, over the scored span; they add up to `dollarsPerHour`. */
  readonly perHour: Readonly<Record<SpendingLayer, number>>
  /** 0..1 of the scored span: when every reading was there. What was paid in the rest is `unattributed`. */
  readonly attributedShare: number
}

export interface ResultSettings {
  readonly fidelity: 'request' | 'fluid'
  readonly seed: number
  /** Since the epoch, where the traffic tells when it was; absent, the clock begins with 2026. */
  readonly beginsAtSeconds?: number
  readonly untilSeconds: number
  readonly warmupSeconds: number
  readonly tickSeconds: number
  /** Of the fluid plant; absent at request level. */
  readonly stepSeconds?: number
  /** Median, where it was given in place of the policies' own. */
  readonly startupSeconds?: number
  readonly startupSigma: number
  readonly modelError: number
}

export interface ClassResult {
  readonly id: string
  readonly name: string
  readonly kind: 'interactive' | 'tolerant'
  readonly requests: number
  /** Had not ended when the simulation did; they count as late. */
  readonly unfinished: number
  /** Shares 0..1 of the requests that arrived; absent where none did. */
  readonly attainment?: Attained
  /** Of the minutes with traffic: those in which the class's own percentiles kept their bounds. */
  readonly minutesKept?: number
  /** Seconds at the 50th, 95th and 99th percentile; absent where nothing happened. */
  readonly ttftSeconds?: Percentiles
  readonly itlSeconds?: Percentiles
  readonly tpotSeconds?: Percentiles
  readonly completionSeconds?: Percentiles
  /** Per second, of requests within their bounds. */
  readonly goodRequestsPerSecond: number
  readonly goodTokensPerSecond: number
  /** Tolerant classes: requests that were not complete in time. */
  readonly deadlineMisses?: number
}

export interface Attained {
  /** Within all bounds. */
  readonly all: number
  readonly ttft: number
  /** Mean gap of the request. */
  readonly gap: number
}

export interface Percentiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

export interface VariantResult {
  readonly id: string
  readonly name: string
  readonly acceleratorType: string
  readonly dollars: number
  readonly gpuHours: number
  readonly replicaHours: number
  /** Paid for before it could serve. */
  readonly startingReplicaMinutes: number
  readonly scaleUps: number
  readonly scaleDowns: number
}

export interface Events {
  /** Changes of spec.replicas. */
  readonly scaleUps: number
  readonly scaleDowns: number
  readonly replicasStarted: number
  readonly replicasStopped: number
}

/** Columns of equal length, one entry per minute from second 0 on, the warm-up included. Values at the minute's end. */
export interface MinuteSeries {
  readonly dollarsPerHour: readonly number[]
  readonly classes: Readonly<Record<string, ClassMinutes>>
  readonly variants: Readonly<Record<string, VariantMinutes>>
}

export interface ClassMinutes {
  /** Requests per second that arrived. */
  readonly demand: readonly number[]
  /** Requests per second as the controller foresaw them; null where it said nothing. */
  readonly forecast: readonly (number | null)[]
  /** Share of the minute's arrivals within all bounds; null where nothing arrived. */
  readonly attainment: readonly (number | null)[]
  /** Requests in the system. */
  readonly unfinished: readonly number[]
}

export interface VariantMinutes {
  readonly wanted: readonly (number | null)[]
  readonly target: readonly number[]
  readonly ready: readonly number[]
  readonly starting: readonly number[]
}
