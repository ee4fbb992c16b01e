// How much of what was served fell on which latency distribution: amounts are added up per load point and spread over
// buckets only when somebody reads them, which makes a step of the fluid plant cheap.
import type { Metric } from '../../core/capacity/replica.ts'
import type { Latencies } from '../../simulation/latencies.ts'
import { type Distribution, type LoadPoint, type Mix, within } from './latencyTable.ts'

/** What a histogram makes of distributions, each worked out once. */
export interface Buckets {
  readonly upperBounds: readonly number[]
  /** Seconds that the histogram does not see. */
  readonly offset: number
  readonly sharesOf: (distribution: Distribution) => Float64Array
}

export function buckets(upperBounds: readonly number[], offset: number): Buckets {
  const known = new WeakMap<Distribution, Float64Array>()
  const sharesOf = (distribution: Distribution): Float64Array => {
    let before = 0
    return Float64Array.from({ length: upperBounds.length + 1 }, (_, bucket) => {
      const bound = upperBounds[bucket]
      const below = bound === undefined ? 1 : within(distribution, bound + offset)
      const share = Math.max(0, below - before)
      before = Math.max(before, below)
      return share
    })
  }
  return {
    ...{ upperBounds, offset },
    sharesOf: (distribution) => {
      const shares = known.get(distribution) ?? sharesOf(distribution)
      known.set(distribution, shares)
      return shares
    },
  }
}

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

  /** Spreads it over a histogram's buckets, and forgets it. */
  spread(
    { upperBounds, offset, sharesOf }: Buckets,
    into: (bucket: number, events: number, sum: number) => void,
  ): void {
    for (const [point, amount] of this.amounts) {
      const distribution = point[this.metric]
      const shares = sharesOf(distribution)
      for (let bucket = 0; bucket < shares.length; bucket++) {
        const share = shares[bucket] as number
        const sum = bucket === 0 ? amount * Math.max(0, distribution.mean - offset) : 0
        if (share > 0 || sum > 0) into(bucket, amount * share, sum)
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
