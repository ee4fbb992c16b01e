// What a scrape tells of one target: its gauges, and its counters and histograms laid out in one array, which a plant fills.
import { oneTwoFive, tokenGapBounds, ttftBounds } from '../simulation/metrics.ts'

/** Lengths in tokens, on vLLM's edges for the longest model that is simulated. */
export const lengthBounds: readonly number[] = oneTwoFive(32_768)

/** One target's cumulative numbers at a scrape: a pod's, or a whole variant's of a fluid plant. */
export interface Scrape {
  readonly at: number
  /** Replicas that this target stands for. */
  readonly replicas: number
  readonly running: number
  readonly waiting: number
  /** 0..1, mean over them. */
  readonly kvUsage: number
  /** As `Tally` lays them out. */
  readonly counts: Float64Array
}

const plainCounters = 5
export type Distribution = 'promptTokens' | 'outputTokens' | 'ttft' | 'itl' | 'tpot'
export const boundsOf: Readonly<Record<Distribution, readonly number[]>> = {
  promptTokens: lengthBounds,
  outputTokens: lengthBounds,
  ttft: ttftBounds,
  itl: tokenGapBounds,
  tpot: tokenGapBounds,
}
const distributions: readonly Distribution[] = ['promptTokens', 'outputTokens', 'ttft', 'itl', 'tpot']
/** A sum, and one count for each bucket with +Inf. */
const widthOf = (name: Distribution): number => boundsOf[name].length + 2
const offsets = distributions.map((_, index) =>
  distributions.slice(0, index).reduce((sum, name) => sum + widthOf(name), plainCounters),
)
/** Where its sum is; its buckets follow. */
export const offsetOf: Readonly<Record<Distribution, number>> = {
  promptTokens: offsets[0] as number,
  outputTokens: offsets[1] as number,
  ttft: offsets[2] as number,
  itl: offsets[3] as number,
  tpot: offsets[4] as number,
}
const width = distributions.reduce((sum, name) => sum + widthOf(name), plainCounters)
export const [completions, generationTokens, preemptions, promptTokens, cachedTokens] = [0, 1, 2, 3, 4]

/** Cumulative counters of one target, to be filled by a plant. Buckets are not cumulative. */
export class Tally {
  readonly counts = new Float64Array(width)

  add(
    counter: 'completions' | 'generationTokens' | 'preemptions' | 'promptTokens' | 'cachedTokens',
    by: number,
  ): void {
    const index = { completions, generationTokens, preemptions, promptTokens, cachedTokens }[counter]
    this.counts[index] = (this.counts[index] ?? 0) + by
  }

  /** So many events in a bucket (the last is +Inf), of values that add up to `sum`. */
  addTo(name: Distribution, bucket: number, events: number, sum: number): void {
    const at = offsetOf[name]
    this.counts[at] = (this.counts[at] ?? 0) + sum
    this.counts[at + 1 + bucket] = (this.counts[at + 1 + bucket] ?? 0) + events
  }

  /** A histogram as it stands, in place of what was there. */
  set(name: Distribution, counts: Float64Array, sum: number): void {
    this.counts[offsetOf[name]] = sum
    this.counts.set(counts, offsetOf[name] + 1)
  }
}

/** Events of a distribution so far. */
export function eventsOf(name: Distribution): (scrape: Scrape) => number {
  const from = offsetOf[name] + 1
  const until = from + boundsOf[name].length
  return ({ counts }) => {
    let total = 0
    for (let bucket = from; bucket <= until; bucket++) total += counts[bucket] ?? 0
    return total
  }
}

/** Their values, added up. */
export function sumOf(name: Distribution): (scrape: Scrape) => number {
  const at = offsetOf[name]
  return ({ counts }) => counts[at] ?? 0
}
