// What users got: requests by minute of their arrival, within their bounds or not, and latencies as clients saw them.
// A plant writes it as requests end; fractions of requests are as good as whole ones.
import { Latencies } from '../simulation/latencies.ts'
import type { SiteClass } from './site.ts'

/** By minute of arrival. */
export interface MinuteCounts {
  readonly arrived: Float64Array
  /** Ended, whatever their latency. */
  readonly finished: Float64Array
  /** Within all bounds of their class, and within each. */
  readonly good: Float64Array
  readonly ttftGood: Float64Array
  readonly gapGood: Float64Array
}

export class ClassService {
  readonly minutes: MinuteCounts
  /** Of requests that arrived after the warm-up. Tolerant classes: from arrival to completion. */
  readonly ttft = new Latencies()
  /** Mean gap of each request. */
  readonly tpot = new Latencies()
  readonly completion = new Latencies()
  /** Every gap between two tokens. */
  readonly itl = new Latencies()
  outputTokens = 0
  /** Of requests that were good. */
  goodOutputTokens = 0

  constructor(minutes: number) {
    const counts = (): Float64Array => new Float64Array(minutes)
    this.minutes = {
      arrived: counts(),
      finished: counts(),
      good: counts(),
      ttftGood: counts(),
      gapGood: counts(),
    }
  }
}

/** A request, or a share of many, that has ended. */
export interface Ended {
  readonly classIndex: number
  readonly arrivedAtSeconds: number
  readonly requests: number
  readonly outputTokens: number
}

export class ServiceBook {
  readonly classes: readonly ClassService[]
  readonly warmupSeconds: number
  private readonly site: readonly SiteClass[]
  private readonly lastMinute: number
  private readonly inside: Float64Array

  constructor(classes: readonly SiteClass[], untilSeconds: number, warmupSeconds: number) {
    const minutes = Math.max(1, Math.ceil(untilSeconds / 60))
    this.site = classes
    this.warmupSeconds = warmupSeconds
    this.lastMinute = minutes - 1
    this.inside = new Float64Array(classes.length)
    this.classes = classes.map(() => new ClassService(minutes))
  }

  arrived(classIndex: number, atSeconds: number, requests: number): void {
    const { minutes } = this.classOf(classIndex)
    add(minutes.arrived, this.minuteOf(atSeconds), requests)
    add(this.inside, classIndex, requests)
  }

  /** A gap between tokens of that class, `times` times. */
  gap(classIndex: number, atSeconds: number, seconds: number, times: number): void {
    if (atSeconds >= this.warmupSeconds) this.classOf(classIndex).itl.add(seconds, times)
  }

  /** One request whose latencies are known. `tpotSeconds` is 0 where there is no gap. */
  ended(
    { classIndex, arrivedAtSeconds, requests, outputTokens }: Ended,
    latency: {
      readonly ttftSeconds: number
      readonly tpotSeconds: number
      readonly completionSeconds: number
    },
  ): void {
    const service = this.classOf(classIndex)
    const { ttftSeconds, tpotSeconds, completionSeconds } = latency
    if (arrivedAtSeconds >= this.warmupSeconds) {
      service.ttft.add(ttftSeconds, requests)
      service.completion.add(completionSeconds, requests)
      if (outputTokens > requests) service.tpot.add(tpotSeconds, requests)
    }
    const { goal } = this.site[classIndex] as SiteClass
    const kept =
      goal.kind === 'tolerant'
        ? { ttft: 1, gap: 1, both: Number(completionSeconds <= goal.completeWithinSeconds) }
        : both(Number(ttftSeconds <= goal.ttftSeconds), Number(tpotSeconds <= goal.gapSeconds))
    this.count({ classIndex, arrivedAtSeconds, requests, outputTokens }, kept)
  }

  /** Many requests of which shares kept their bounds. */
  count(
    { classIndex, arrivedAtSeconds, requests, outputTokens }: Ended,
    kept: { readonly ttft: number; readonly gap: number; readonly both: number },
  ): void {
    const service = this.classOf(classIndex)
    const minute = this.minuteOf(arrivedAtSeconds)
    add(this.inside, classIndex, -requests)
    add(service.minutes.finished, minute, requests)
    add(service.minutes.good, minute, requests * kept.both)
    add(service.minutes.ttftGood, minute, requests * kept.ttft)
    add(service.minutes.gapGood, minute, requests * kept.gap)
    if (arrivedAtSeconds < this.warmupSeconds) return
    service.outputTokens += outputTokens
    service.goodOutputTokens += outputTokens * kept.both
  }

  /** In the system, or on their way into it. */
  unfinished(classIndex: number): number {
    return this.inside[classIndex] ?? 0
  }

  classOf(classIndex: number): ClassService {
    return this.classes[classIndex] as ClassService
  }

  private minuteOf(atSeconds: number): number {
    return Math.min(this.lastMinute, Math.max(0, Math.floor(atSeconds / 60)))
  }
}

function both(
  ttft: number,
  gap: number,
): { readonly ttft: number; readonly gap: number; readonly both: number } {
  return { ttft, gap, both: ttft * gap }
}

function add(counts: Float64Array, index: number, requests: number): void {
  counts[index] = (counts[index] ?? 0) + requests
}
