// What one vLLM engine counts from its start on, under vLLM's names and with vLLM's buckets (docs/METRICS.md).
import type { ReplicaObserver } from './replica.ts'
import { type Completion, type FinishedReason, timePerOutputToken } from './request.ts'

/** A Prometheus histogram: events per bucket (not cumulative), the last bucket being +Inf. */
export class BucketCounts {
  readonly upperBounds: readonly number[]
  readonly counts: Float64Array
  sum = 0
  private last = 0

  constructor(upperBounds: readonly number[]) {
    this.upperBounds = upperBounds
    this.counts = new Float64Array(upperBounds.length + 1)
  }

  observe(value: number, times = 1): void {
    // Latencies move little from one observation to the next: start where the last one went.
    const bounds = this.upperBounds
    let slot = this.last
    while (slot > 0 && value <= (bounds[slot - 1] ?? 0)) slot--
    while (slot < bounds.length && value > (bounds[slot] ?? Infinity)) slot++
    this.last = slot
    this.counts[slot] = (this.counts[slot] ?? 0) + times
    this.sum += value * times
  }
}

export const ttftBounds: readonly number[] = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640,
  2560,
]
export const tokenGapBounds: readonly number[] = [
  0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
]
const requestTimeBounds = [
  0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
]
const iterationTokenBounds = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384]

/** The counters and histograms of one engine process; times in virtual seconds. */
export class EngineMetrics implements ReplicaObserver {
  readonly startedAtSeconds: number
  readonly finishedBy: Record<FinishedReason, number> = { stop: 0, length: 0, error: 0 }
  promptTokens = 0
  cachedPromptTokens = 0
  generationTokens = 0
  preemptions = 0
  readonly timeToFirstToken = new BucketCounts(ttftBounds)
  readonly interTokenLatency = new BucketCounts(tokenGapBounds)
  readonly timePerOutputToken = new BucketCounts(tokenGapBounds)
  readonly endToEnd = new BucketCounts(requestTimeBounds)
  readonly queueTime = new BucketCounts(requestTimeBounds)
  readonly inferenceTime = new BucketCounts(requestTimeBounds)
  readonly prefillTime = new BucketCounts(requestTimeBounds)
  readonly decodeTime = new BucketCounts(requestTimeBounds)
  readonly iterationTokens = new BucketCounts(iterationTokenBounds)
  readonly requestPromptTokens: BucketCounts
  readonly requestGenerationTokens: BucketCounts
  readonly requestPrefillComputedTokens: BucketCounts

  constructor(startedAtSeconds: number, maxModelLength: number) {
    this.startedAtSeconds = startedAtSeconds
    const lengthBounds = oneTwoFive(maxModelLength)
    this.requestPromptTokens = new BucketCounts(lengthBounds)
    this.requestGenerationTokens = new BucketCounts(lengthBounds)
    this.requestPrefillComputedTokens = new BucketCounts(lengthBounds)
  }

  iteration(decodes: number, promptTokens: number, gapSeconds: number): void {
    this.generationTokens += decodes
    this.iterationTokens.observe(decodes + promptTokens)
    if (decodes > 0) this.interTokenLatency.observe(gapSeconds, decodes)
  }

  firstToken(sequence: Completion): void {
    this.generationTokens++
    this.promptTokens += sequence.request.promptTokens
    this.cachedPromptTokens += sequence.request.cachedTokens
    this.timeToFirstToken.observe(sequence.firstTokenAtSeconds - sequence.submittedAtSeconds)
  }

  preempted(): void {
    this.preemptions++
  }

  resumed(gapSeconds: number): void {
    this.generationTokens++
    this.interTokenLatency.observe(gapSeconds)
  }

  finished(completion: Completion): void {
    this.finishedBy[completion.reason]++
    if (completion.reason === 'error') return
    const { request, submittedAtSeconds, scheduledAtSeconds, firstTokenAtSeconds, finishedAtSeconds } =
      completion
    this.endToEnd.observe(finishedAtSeconds - submittedAtSeconds)
    this.queueTime.observe(scheduledAtSeconds - submittedAtSeconds)
    this.inferenceTime.observe(finishedAtSeconds - scheduledAtSeconds)
    this.prefillTime.observe(firstTokenAtSeconds - scheduledAtSeconds)
    this.decodeTime.observe(finishedAtSeconds - firstTokenAtSeconds)
    this.timePerOutputToken.observe(timePerOutputToken(completion))
    this.requestPromptTokens.observe(request.promptTokens)
    this.requestGenerationTokens.observe(completion.outputTokens)
    this.requestPrefillComputedTokens.observe(request.promptTokens - request.cachedTokens)
  }
}

/** 1, 2, 5, 10, 20, 50, ... up to a maximum. */
export function oneTwoFive(maximum: number): number[] {
  const bounds: number[] = []
  for (let decade = 1; ; decade *= 10) {
    for (const mantissa of [1, 2, 5]) {
      if (mantissa * decade > maximum) return bounds
      bounds.push(mantissa * decade)
    }
  }
}
