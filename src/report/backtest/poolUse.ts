// Which GPU type is the bottleneck: how many GPUs of each pool the replicas held, on a usual minute, a busy one and the
// busiest, against how many there are.
import type { MinuteSeries } from '../../backtest/result.ts'
import type { PolicySet } from '../../core/policy.ts'
import { missing, type Reading } from '../../core/reading.ts'

export interface PoolUse {
  readonly pool: string
  /** GPUs held by ready and starting replicas, at these quantiles of the minutes. */
  readonly p50: number
  readonly p95: number
  readonly peak: number
  /** As the policies state it. */
  readonly gpus: Reading
  /** Peak over inventory. */
  readonly peakShare: Reading
}

export function poolUses(
  { variants }: MinuteSeries,
  { policies, pools }: PolicySet,
  fromMinute: number,
): readonly PoolUse[] {
  const held = gpusHeld(
    variants,
    policies.flatMap((policy) => policy.variants),
  )
  return [...held]
    .sort(([x], [y]) => (x < y ? -1 : 1))
    .map(([pool, minutes]) => {
      const sorted = minutes.slice(fromMinute).sort((x, y) => x - y)
      const peak = sorted.at(-1) ?? 0
      const gpus = pools.find(({ name }) => name === pool)?.gpus
      return {
        pool,
        p50: quantile(sorted, 0.5),
        p95: quantile(sorted, 0.95),
        peak,
        gpus: gpus ?? missing('notReported', 'no policy states the size of this pool'),
        peakShare:
          gpus === undefined || gpus === 0
            ? missing('notReported', 'the size of this pool is not known')
            : peak / gpus,
      }
    })
}

type PooledVariant = PolicySet['policies'][number]['variants'][number]

/** By pool, minute by minute. */
export function gpusHeld(
  series: MinuteSeries['variants'],
  variants: readonly PooledVariant[],
): ReadonlyMap<string, readonly number[]> {
  const held = new Map<string, number[]>()
  for (const { id, pool, accelerator } of variants) {
    const counts = series[id]
    if (counts === undefined) continue
    const minutes = held.get(pool) ?? counts.ready.map(() => 0)
    held.set(
      pool,
      minutes.map(
        (gpus, minute) =>
          gpus + accelerator.countPerReplica * ((counts.ready[minute] ?? 0) + (counts.starting[minute] ?? 0)),
      ),
    )
  }
  return held
}

/** The smallest value that so many of the minutes do not exceed. */
function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0
}
