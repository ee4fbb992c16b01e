// Latency distributions of one replica over its load, from the analytic capacity model: worked out once for a shape,
// at the loads that are met, and read by linear interpolation. What the fluid plant knows about what lies inside a step.
import { dispersionOf, replicaModel } from '../../core/capacity/capacity.ts'
import { type Workload, workload } from '../../core/capacity/lengths.ts'
import { cdf, mean } from '../../core/capacity/mixture.ts'
import type { CapacityQuestion, Shape } from '../../core/capacity/question.ts'
import type { Metric, ReplicaModel } from '../../core/capacity/replica.ts'
import { tokenGapBounds, ttftBounds } from '../../simulation/metrics.ts'
import type { SiteVariant } from '../site.ts'

/** Shares within each of the metric's points, and how much lies at or below each. */
export interface Distribution {
  readonly points: readonly number[]
  readonly below: Float64Array
  readonly mean: number
}

/** One replica at one load, among few or many. TTFT as the client sees it. */
export interface LoadPoint {
  readonly ttft: Distribution
  readonly itl: Distribution
  readonly tpot: Distribution
}

/** As shares of the saturation rate, closer where latencies rise. */
const loads = [0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.78, 0.84, 0.89, 0.93, 0.96, 0.98]
/** Load-aware routing over more replicas is credited as this many (src/core/capacity/capacity.ts). */
const pooledReplicas = 16

/** A weight on each of up to four load points. */
export interface Mix {
  readonly points: readonly LoadPoint[]
  readonly weights: readonly number[]
}

export class LatencyTable {
  readonly work: Workload
  /** Requests per second at which one replica is saturated. */
  readonly saturation: number
  private readonly model: ReplicaModel
  private readonly edges: Readonly<Record<Metric, readonly number[]>>
  private readonly alone: (LoadPoint | undefined)[] = []
  private readonly pooled: (LoadPoint | undefined)[] = []

  /** `bounds`: seconds that will be asked for; they become points of the distributions. */
  constructor(variant: SiteVariant, shape: Shape, bounds: readonly number[]) {
    const { role, profile } = variant
    const question: CapacityQuestion = {
      role,
      profile,
      limits: variant,
      shape,
      goal: { kind: 'throughput' },
      ...{ replicas: 1, dispersion: 1, sloMargin: 1, maxLoad: 1 },
    }
    this.work = workload(profile, variant, shape)
    this.model = replicaModel(question, this.work)
    this.saturation = this.model.lmax * 1000
    this.edges = {
      ttft: finer([...ttftBounds, ...bounds]),
      itl: finer([...tokenGapBounds, ...bounds]),
      tpot: finer([...tokenGapBounds, ...bounds]),
    }
  }

  /** Of one of `replicas` that get so many requests per second each; above the last load: at it. */
  at(requestsPerSecond: number, replicas: number): Mix {
    const load = Math.max(loads[0] as number, requestsPerSecond / this.saturation)
    let high = 1
    while (high < loads.length - 1 && load > (loads[high] ?? 1)) high++
    const [from, to] = [loads[high - 1] ?? 0, loads[high] ?? 1]
    const upper = Math.min(1, (load - from) / (to - from))
    const share = (1 - 1 / Math.min(pooledReplicas, Math.max(1, replicas))) / (1 - 1 / pooledReplicas)
    const points: LoadPoint[] = []
    const weights: number[] = []
    const add = (point: () => LoadPoint, weight: number): void => {
      if (weight <= 0) return
      points.push(point())
      weights.push(weight)
    }
    add(() => this.point('alone', high - 1), (1 - share) * (1 - upper))
    add(() => this.point('alone', high), (1 - share) * upper)
    add(() => this.point('pooled', high - 1), share * (1 - upper))
    add(() => this.point('pooled', high), share * upper)
    return { points, weights }
  }

  private point(kind: 'alone' | 'pooled', index: number): LoadPoint {
    const known = this[kind][index]
    if (known !== undefined) return known
    const made = this.pointAt((loads[index] ?? 1) * this.model.lmax, kind === 'alone' ? 1 : pooledReplicas)
    this[kind][index] = made
    return made
  }

  private pointAt(lambda: number, replicas: number): LoadPoint {
    const latencies = this.model.at(lambda, dispersionOf(1, replicas))
    const distribution = (metric: Metric): Distribution => {
      const points = this.edges[metric]
      const mixture = latencies?.mixture(metric) ?? []
      // What has no such latency (an answer of one token has no gap) keeps every bound.
      const below = Float64Array.from(points, (seconds) =>
        mixture.length === 0 ? 1 : cdf(mixture, seconds * 1000),
      )
      return { points, below, mean: mean(mixture) / 1000 }
    }
    return { ttft: distribution('ttft'), itl: distribution('itl'), tpot: distribution('tpot') }
  }
}

/** Share within so many seconds, straight between points. */
export function shareWithin({ points, weights }: Mix, metric: Metric, seconds: number): number {
  let share = 0
  for (const [i, point] of points.entries()) share += (weights[i] ?? 0) * within(point[metric], seconds)
  return share
}

export function meanSeconds({ points, weights }: Mix, metric: Metric): number {
  return points.reduce((sum, point, i) => sum + (weights[i] ?? 0) * point[metric].mean, 0)
}

export function within({ points, below }: Distribution, seconds: number): number {
  if (!(seconds < (points.at(-1) ?? 0))) return 1
  let low = -1
  let high = points.length - 1
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((points[middle] ?? 0) <= seconds) low = middle
    else high = middle
  }
  const [from, to] = [low < 0 ? 0 : (points[low] ?? 0), points[high] ?? 0]
  const [least, most] = [low < 0 ? 0 : (below[low] ?? 0), below[high] ?? 1]
  return least + ((most - least) * (seconds - from)) / (to - from)
}

/** Sorted, and with points between that are no more than a third apart. */
function finer(edges: readonly number[]): readonly number[] {
  const sorted = [...new Set(edges.filter((edge) => edge > 0 && edge < 1e6))].sort((x, y) => x - y)
  return sorted.flatMap((edge, i) => {
    const next = sorted[i + 1]
    if (next === undefined) return [edge]
    const parts = Math.max(1, Math.ceil(Math.log(next / edge) / Math.log(1.33)))
    return Array.from({ length: parts }, (_, part) => edge * (next / edge) ** (part / parts))
  })
}
