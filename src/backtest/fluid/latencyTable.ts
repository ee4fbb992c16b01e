// Latency distributions of one replica over its load, from the analytic capacity model: worked out once for a shape,
// at the loads that are met, and read by linear interpolation. What the fluid plant knows about what lies inside a step.
import { dispersionOf, replicaModel } from '../../core/capacity/capacity.ts'
import { type Workload, workload } from '../../core/capacity/lengths.ts'
import { cdf, type Mixture, mean, totalWeight } from '../../core/capacity/mixture.ts'
import type { CapacityQuestion, Shape } from '../../core/capacity/question.ts'
import type { Latencies, Metric, ReplicaModel } from '../../core/capacity/replica.ts'
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

/** One replica at one load, by whether a request finds a slot: a load of seconds makes no slots run out, a load that lasts does. */
interface Found {
  readonly slot: LoadPoint
  readonly noSlot: LoadPoint
  /** Share of the requests that find none. */
  readonly without: number
}

/** A weight on each of up to eight load points. */
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
  private readonly alone: (Found | undefined)[] = []
  private readonly pooled: (Found | undefined)[] = []

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

  /** Of what runs on one of `replicas` that get so many requests per second each; above the last load: at it. */
  running(requestsPerSecond: number, replicas: number): Mix {
    const at = this.at(requestsPerSecond, replicas)
    return { points: at.map(({ found }) => found.slot), weights: at.map(({ weight }) => weight) }
  }

  /** Of what arrives at this rate, where slots are taken as if it were `lasting`. */
  arriving(requestsPerSecond: number, lasting: number, replicas: number): Mix {
    const occupied = this.at(lasting, replicas).filter(({ found }) => found.without > 0)
    const without = occupied.map(({ found, weight }) => weight * found.without)
    const withSlot = 1 - without.reduce((total, weight) => total + weight, 0)
    const now = this.at(requestsPerSecond, replicas)
    return {
      points: [...now.map(({ found }) => found.slot), ...occupied.map(({ found }) => found.noSlot)],
      weights: [...now.map(({ weight }) => withSlot * weight), ...without],
    }
  }

  private at(
    requestsPerSecond: number,
    replicas: number,
  ): readonly { readonly found: Found; readonly weight: number }[] {
    const load = Math.max(loads[0] as number, requestsPerSecond / this.saturation)
    let high = 1
    while (high < loads.length - 1 && load > (loads[high] ?? 1)) high++
    const [from, to] = [loads[high - 1] ?? 0, loads[high] ?? 1]
    const upper = Math.min(1, (load - from) / (to - from))
    const share = (1 - 1 / Math.min(pooledReplicas, Math.max(1, replicas))) / (1 - 1 / pooledReplicas)
    const weights = [
      { kind: 'alone', index: high - 1, weight: (1 - share) * (1 - upper) },
      { kind: 'alone', index: high, weight: (1 - share) * upper },
      { kind: 'pooled', index: high - 1, weight: share * (1 - upper) },
      { kind: 'pooled', index: high, weight: share * upper },
    ] as const
    return weights
      .filter(({ weight }) => weight > 0)
      .map(({ kind, index, weight }) => ({ found: this.found(kind, index), weight }))
  }

  private found(kind: 'alone' | 'pooled', index: number): Found {
    const known = this[kind][index]
    if (known !== undefined) return known
    const latencies = this.model.at(
      (loads[index] ?? 1) * this.model.lmax,
      dispersionOf(1, kind === 'alone' ? 1 : pooledReplicas),
    )
    // Where the model has no answer: as at the highest load at which it has one.
    const made = latencies === undefined && index > 0 ? this.found(kind, index - 1) : this.foundIn(latencies)
    this[kind][index] = made
    return made
  }

  private foundIn(latencies: Latencies | undefined): Found {
    const of = (metric: Metric, mixture: Mixture): Distribution => {
      const points = this.edges[metric]
      // What has no such latency (an answer of one token has no gap) keeps every bound.
      const below = Float64Array.from(points, (seconds) =>
        mixture.length === 0 ? 1 : cdf(mixture, seconds * 1000),
      )
      return { points, below, mean: mean(mixture) / 1000 }
    }
    const [ttft, waits] = [latencies?.mixture('ttft') ?? [], latencies?.waits() ?? []]
    const gaps = {
      itl: of('itl', latencies?.mixture('itl') ?? []),
      tpot: of('tpot', latencies?.mixture('tpot') ?? []),
    }
    const without = waits.length === 0 ? 0 : totalWeight(waits) / totalWeight(ttft)
    const noSlot = of('ttft', waits)
    return {
      slot: { ttft: except(of('ttft', ttft), noSlot, without), ...gaps },
      noSlot: { ttft: noSlot, ...gaps },
      without,
    }
  }
}

/** What is left of a distribution without this part of it. */
function except(all: Distribution, part: Distribution, share: number): Distribution {
  if (share <= 0 || share >= 1) return all
  return {
    points: all.points,
    below: all.below.map((below, i) => (below - share * (part.below[i] ?? 0)) / (1 - share)),
    mean: (all.mean - share * part.mean) / (1 - share),
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
