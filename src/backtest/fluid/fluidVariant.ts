// One variant of the fluid plant: its replicas, its engines, and what a scrape of them would count.
import type { Shape } from '../../core/capacity/question.ts'
import type { ReplicaCounts } from '../../core/observation.ts'
import type { GpuPools } from '../../simulation/gpuPools.ts'
import { tokenGapBounds, ttftBounds } from '../../simulation/metrics.ts'
import { Random } from '../../simulation/random.ts'
import { SignalWindow } from '../signalWindow.ts'
import type { SiteVariant } from '../site.ts'
import { Tally } from '../tally.ts'
import { Engines, type Served } from './engines.ts'
import { type Buckets, buckets, LatencyLedger } from './latencyLedger.ts'
import { shareWithin } from './latencyTable.ts'
import { LengthCounts } from './lengthCounts.ts'
import { FluidReplicas } from './replicas.ts'

export interface FluidVariantOptions {
  readonly variant: SiteVariant
  readonly classes: number
  readonly bounds: readonly number[]
  readonly pools: GpuPools
  readonly initial: number
  readonly seed: number
  readonly routingWeight: number
}

export class FluidVariant {
  readonly variant: SiteVariant
  readonly routingWeight: number
  readonly replicas: FluidReplicas
  readonly engines: Engines
  readonly signals = new SignalWindow()
  private readonly tally = new Tally()
  private readonly ttft = new LatencyLedger('ttft')
  private readonly itl = new LatencyLedger('itl')
  private readonly tpot = new LatencyLedger('tpot')
  private readonly firstTokens: Buckets
  private readonly gaps = buckets(tokenGapBounds, 0)
  private readonly lengths: LengthCounts
  /** Of the last step that did anything, by class. */
  private shapes: readonly (Shape | undefined)[] = []
  /** One of them runs so many times slower. */
  private slow = 1

  constructor(options: FluidVariantOptions) {
    const { variant, classes, bounds, pools, initial, seed, routingWeight } = options
    this.variant = variant
    this.routingWeight = routingWeight
    this.replicas = new FluidReplicas(variant, pools, initial, new Random(seed, 31))
    this.firstTokens = buckets(ttftBounds, variant.profile.h / 1000)
    this.lengths = new LengthCounts(classes, new Random(seed, 37))
    this.engines = new Engines(variant, classes, bounds)
  }

  /** Replicas' worth of work that is done. */
  get strength(): number {
    const { working } = this.replicas
    return working > 0 ? working - 1 + 1 / this.slow : 0
  }

  get weight(): number {
    return this.replicas.ready * this.routingWeight
  }

  slowDown(factor: number): void {
    this.slow = factor
  }

  scale(replicas: number, at: number): void {
    const { ready } = this.replicas.counts()
    // A replica is gone when its last answer is: the longest of many stay some five times as long as the mean.
    this.replicas.scale(replicas, at, Math.max(1, 5 * this.engines.staySeconds))
    // The slow one is as likely to go as any other; the fluid plant takes it that it goes with the first.
    if (this.replicas.ready < ready) this.slow = 1
  }

  /** Counts what a step did, as the engines' own metrics would. */
  count(served: Served, shapes: readonly (Shape | undefined)[]): void {
    const { tally } = this
    const prefill = this.variant.role === 'prefill'
    for (const [classIndex, completed] of served.completed.entries()) {
      const shape = shapes[classIndex]
      if (shape === undefined) continue
      const begun = served.begun[classIndex] ?? 0
      const prompt = begun * this.lengths.promptMean(shape)
      tally.add('completions', completed)
      tally.add('promptTokens', prompt)
      tally.add('cachedTokens', prompt * shape.prefixHitRate)
      tally.add('generationTokens', begun)
      this.ttft.add(served.arriving, begun, served.waitSeconds)
      if (!prefill) this.tpot.add(served.running, completed)
    }
    tally.add('generationTokens', served.gaps)
    this.lengths.add(served.tokensEach, served.begun, served.completed)
    this.shapes = shapes
    if (!prefill) this.itl.add(served.running, served.gaps)
  }

  scrape(at: number): void {
    const { variant, engines, replicas } = this
    this.lengths.countInto(this.tally, this.shapes, variant.role === 'prefill')
    this.ttft.spread(this.firstTokens, (bucket, events, sum) => this.tally.addTo('ttft', bucket, events, sum))
    this.itl.spread(this.gaps, (bucket, events, sum) => this.tally.addTo('itl', bucket, events, sum))
    this.tpot.spread(this.gaps, (bucket, events, sum) => this.tally.addTo('tpot', bucket, events, sum))
    const { working } = replicas
    if (working === 0) {
      this.signals.only(new Set(), at)
      return
    }
    this.signals.scraped(variant.id, {
      at,
      replicas: working,
      running: total(engines.decoding),
      waiting: total(engines.waiting),
      kvUsage: Math.min(1, engines.kvTokens / (working * variant.kvTokens)),
      counts: this.tally.counts.slice(),
    })
    this.signals.only(new Set([variant.id]), at)
  }

  /** Instants in Unix time, as the Kubernetes API tells them. */
  counts(epochSeconds: number): ReplicaCounts {
    const { startingSince, unschedulable, ...counts } = this.replicas.counts()
    return {
      ...counts,
      ...(startingSince === undefined ? {} : { startingSince: startingSince.map((at) => epochSeconds + at) }),
      ...(unschedulable === undefined
        ? {}
        : { unschedulable: { ...unschedulable, since: epochSeconds + unschedulable.since } }),
    }
  }
}

function total(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0)
}

/** Share of what arrived in the step whose first token comes in time. */
export function ttftKept(served: Served, boundSeconds: number, waitedSeconds: number): number {
  const left = boundSeconds - waitedSeconds - served.waitSeconds
  if (left === Number.POSITIVE_INFINITY) return 1
  return left > 0 ? shareWithin(served.arriving, 'ttft', left) : 0
}
