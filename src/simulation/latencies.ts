// Exact-enough percentiles of many latencies in constant space: counts in buckets 1 % apart, from 10 us up.

const smallest = 1e-5
const logRatio = Math.log(1.01)
const buckets = 2200

export class Latencies {
  private readonly counts = new Float64Array(buckets)
  private total = 0
  private sum = 0

  add(seconds: number, times = 1): void {
    const index = seconds <= smallest ? 0 : Math.ceil(Math.log(seconds / smallest) / logRatio)
    const slot = Math.min(index, buckets - 1)
    this.counts[slot] = (this.counts[slot] ?? 0) + times
    this.total += times
    this.sum += seconds * times
  }

  get count(): number {
    return this.total
  }

  /** Seconds, or undefined where nothing was added. */
  get mean(): number | undefined {
    return this.total > 0 ? this.sum / this.total : undefined
  }

  /** The q-quantile (0..1) in seconds, within half a per cent; undefined where nothing was added. */
  quantile(q: number): number | undefined {
    if (this.total === 0) return undefined
    let left = q * this.total
    let slot = 0
    while (slot < buckets - 1 && left > (this.counts[slot] ?? 0)) left -= this.counts[slot++] ?? 0
    return smallest * Math.exp(logRatio * (slot - 0.5))
  }

  clear(): void {
    this.counts.fill(0)
    this.total = 0
    this.sum = 0
  }
}
