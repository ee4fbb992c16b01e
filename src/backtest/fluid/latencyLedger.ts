// How much of what was served fell on which latency distribution: amounts are added up per load point and spread over
// buckets only when somebody reads them, which makes a step of the fluid plant cheap.
import type { Metric } from '../../core/capacity/replica.ts'
import type { Latencies } from '../../simulation/latencies.ts'
import { type LoadPoint, type Mix, within } from './latencyTable.ts'

export class LatencyLedger {
  private readonly amounts = new Map<LoadPoint, number>()
  private readonly metric: Metric
  /** What waited for its turn on top: seconds and amount. */
  private late: { readonly seconds: number; readonly amount: number }[] = []

  constructor(metric: Metric) {
    this.metric = metric
  }

  /** `waitSeconds` comes on top of the latencies of the mix. */
  add({ points, weights }: Mix, amount: number, waitSeconds = 0): void {
    if (amount <= 0) return
    if (waitSeconds > 0) {
      const mean = points.reduce((sum, point, i) => sum + (weights[i] ?? 0) * point[this.metric].mean, 0)
      this.late.push({ seconds: waitSeconds + mean, amount })
      return
    }
    for (let i = 0; i < points.length; i++) {
      const point = points[i] as LoadPoint
      this.amounts.set(point, (this.amounts.get(point) ?? 0) + amount * (weights[i] ?? 0))
    }
  }

  /** Spreads it over a histogram with these upper bounds, and forgets it. `offset`: seconds that the reader does not see. */
  spread(
    upperBounds: readonly number[],
    offset: number,
    into: (bucket: number, events: number, sum: number) => void,
  ): void {
    for (const [point, amount] of this.amounts) {
      const distribution = point[this.metric]
      let before = 0
      for (let bucket = 0; bucket <= upperBounds.length; bucket++) {
        const bound = upperBounds[bucket]
        const below = bound === undefined ? 1 : within(distribution, bound + offset)
        const sum = bucket === 0 ? amount * Math.max(0, distribution.mean - offset) : 0
        if (below > before || sum > 0) into(bucket, amount * (below - before), sum)
        before = Math.max(before, below)
      }
    }
    for (const { seconds, amount } of this.late) {
      const seen = seconds - offset
      const bucket = upperBounds.findIndex((bound) => seen <= bound)
      into(bucket < 0 ? upperBounds.length : bucket, amount, amount * seen)
    }
    this.clear()
  }

  /** Spreads it over exact-enough percentiles, and forgets it. */
  spreadOver(latencies: Latencies): void {
    for (const [point, amount] of this.amounts) {
      const { points, below } = point[this.metric]
      let before = 0
      let lower = 0
      for (let i = 0; i < points.length; i++) {
        const upper = points[i] as number
        const share = (below[i] ?? 1) - before
        // In four parts, straight between the points.
        for (let part = 0; share > 0 && part < 4; part++)
          latencies.add(lower + ((upper - lower) * (part + 0.5)) / 4, (amount * share) / 4)
        before = Math.max(before, below[i] ?? 1)
        lower = upper
      }
      if (before < 1) latencies.add(lower, amount * (1 - before))
    }
    for (const { seconds, amount } of this.late) latencies.add(seconds, amount)
    this.clear()
  }

  private clear(): void {
    this.amounts.clear()
    this.late = []
  }
}
