// One variant of the fluid plant: its replicas, its engines, and what a scrape of them would count.
import type { LengthBin, Shape } from '../../core/capacity/question.ts'
import type { ReplicaCounts } from '../../core/observation.ts'
import type { GpuPools } from '../../simulation/gpuPools.ts'
import { tokenGapBounds, ttftBounds } from '../../simulation/metrics.ts'
import { Random } from '../../simulation/random.ts'
import { lengthBounds, SignalWindow, Tally } from '../signalWindow.ts'
import type { SiteVariant } from '../site.ts'
import { Engines, type Served } from './engines.ts'
import { LatencyLedger } from './latencyLedger.ts'
import { shareWithin } from './latencyTable.ts'
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
  private readonly lengths = new WeakMap<Shape, LengthCounts>()
  /** One of them runs so many times slower. */
  private slow = 1

  constructor(options: FluidVariantOptions) {
    const { variant, classes, bounds, pools, initial, seed, routingWeight } = options
    this.variant = variant
    this.routingWeight = routingWeight
    this.replicas = new FluidReplicas(variant, pools, initial, new Random(seed, 31))
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
      const { prompt, output } = this.lengthsOf(shape)
      const begun = served.begun[classIndex] ?? 0
      tally.add('completions', completed)
      tally.add('promptTokens', begun * prompt.mean)
      tally.add('cachedTokens', begun * prompt.mean * shape.prefixHitRate)
      tally.add('generationTokens', begun)
      spread(tally, 'promptTokens', prompt, completed)
      spread(tally, 'outputTokens', prefill ? oneToken : output, completed)
      this.ttft.add(served.arriving, begun, served.waitSeconds)
      if (!prefill) this.tpot.add(served.running, completed)
    }
    tally.add('generationTokens', served.gaps)
    if (!prefill) this.itl.add(served.running, served.gaps)
  }

  scrape(at: number): void {
    const { variant, engines, replicas } = this
    const offset = variant.profile.h / 1000
    this.ttft.spread(ttftBounds, offset, (bucket, events, sum) =>
      this.tally.addTo('ttft', bucket, events, sum),
    )
    this.itl.spread(tokenGapBounds, 0, (bucket, events, sum) => this.tally.addTo('itl', bucket, events, sum))
    this.tpot.spread(tokenGapBounds, 0, (bucket, events, sum) =>
      this.tally.addTo('tpot', bucket, events, sum),
    )
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

  private lengthsOf(shape: Shape): LengthCounts {
    const known = this.lengths.get(shape)
    if (known !== undefined) return known
    const counted = { prompt: countsOf(shape.promptTokens), output: countsOf(shape.outputTokens) }
    this.lengths.set(shape, counted)
    return counted
  }
}

interface Lengths {
  readonly mean: number
  /** Shares by bucket of the engines' histogram. */
  readonly shares: Float64Array
}

interface LengthCounts {
  readonly prompt: Lengths
  readonly output: Lengths
}

/** Engines count whole tokens; a point is the mean of many lengths. */
function countsOf(bins: readonly LengthBin[]): Lengths {
  const shares = new Float64Array(lengthBounds.length + 1)
  let mean = 0
  for (const { tokens, weight } of bins) {
    const counted = Math.round(tokens)
    const found = lengthBounds.findIndex((bound) => counted <= bound)
    const bucket = found < 0 ? lengthBounds.length : found
    shares[bucket] = (shares[bucket] ?? 0) + weight
    mean += tokens * weight
  }
  return { mean, shares }
}

/** A prefill engine's answers. */
const oneToken = countsOf([{ tokens: 1, weight: 1 }])

function spread(
  tally: Tally,
  name: 'promptTokens' | 'outputTokens',
  { shares, mean }: Lengths,
  requests: number,
): void {
  for (let bucket = 0; bucket < shares.length; bucket++) {
    const share = shares[bucket] ?? 0
    if (share > 0) tally.addTo(name, bucket, requests * share, 0)
  }
  tally.addTo(name, 0, 0, requests * mean)
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
