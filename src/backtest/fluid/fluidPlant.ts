// The fluid plant: amounts of requests instead of requests, per class and variant, in steps of seconds; latencies
// inside a step by the analytic capacity model. For weeks of traffic. Formulas, sources and measured error:
// docs/MODEL.md, "The fluid plant".
import type { Observation, ReplicaCounts } from '../../core/observation.ts'
import type { VariantId } from '../../core/policy.ts'
import { GpuPools } from '../../simulation/gpuPools.ts'
import type { TransferTime } from '../../simulation/transfers.ts'
import { classSignals, GatewayWindow } from '../gatewayWindow.ts'
import type { Failure, Plant, PlantTiming, Spent } from '../plant.ts'
import { routingWeights, runBeside } from '../routing.ts'
import type { ServiceBook } from '../serviceBook.ts'
import type { Site } from '../site.ts'
import { meanOf } from '../traffic/lengthPoints.ts'
import type { Arriving } from '../traffic/steps.ts'
import { type ClassFlow, classFlow, spreadOver } from './classFlow.ts'
import type { Cohort } from './cohorts.ts'
import { type Served, sum } from './engines.ts'
import { FluidVariant } from './fluidVariant.ts'
import { Settlement } from './settlement.ts'
import { fill, waysFor } from './split.ts'

export interface FluidPlantOptions {
  readonly site: Site
  /** What arrives in each step, and of which class each entry is. */
  readonly steps: Iterator<readonly Arriving[]>
  readonly sourceClasses: readonly number[]
  readonly stepSeconds: number
  readonly service: ServiceBook
  readonly timing: PlantTiming
  readonly transfer: TransferTime
  readonly failures: readonly Failure[]
  readonly initial: Readonly<Record<VariantId, number>>
  readonly seed: number
}

export class FluidPlant implements Plant {
  readonly service: ServiceBook
  private readonly options: FluidPlantOptions
  private readonly variants: readonly FluidVariant[]
  private readonly byId: ReadonlyMap<VariantId, FluidVariant>
  private readonly flows: readonly ClassFlow[]
  private readonly gateway: GatewayWindow
  private readonly settlement: Settlement
  private readonly deferrable: readonly number[]
  private readonly failures: Failure[]
  private readonly pools: GpuPools
  /** Prompts on their way to decode replicas, by class. */
  private readonly pendingDecode = new Map<FluidVariant, Float64Array>()
  private now = 0
  private stepped = 0
  private nextScrape: number

  constructor(options: FluidPlantOptions) {
    const { site, timing, service, initial, seed } = options
    this.options = options
    this.service = service
    this.failures = [...options.failures]
    this.nextScrape = timing.scrapeSeconds / 2
    this.gateway = new GatewayWindow(site.classes.length)
    this.pools = new GpuPools(site.pools)
    const weights = routingWeights(site)
    const bounds = site.classes.flatMap(({ goal }) =>
      goal.kind === 'interactive' ? [goal.ttftSeconds, goal.gapSeconds] : [],
    )
    this.variants = site.variants.map(
      (variant, index) =>
        new FluidVariant({
          variant,
          classes: site.classes.length,
          bounds,
          pools: this.pools,
          initial: initial[variant.id] ?? variant.bounds.min,
          seed: seed * 1000 + index,
          routingWeight: weights.get(variant.id) ?? 1,
        }),
    )
    this.byId = new Map(this.variants.map((variant) => [variant.variant.id, variant]))
    this.deferrable = this.variants.map(({ variant }) => runBeside(site, variant))
    this.flows = site.classes.map(classFlow)
    this.settlement = new Settlement(options, this.variants, this.gateway)
  }

  get nowSeconds(): number {
    return this.now
  }

  /** Steps lie on their own grid; what is asked for between two of them is answered as of the last one. */
  advance(untilSeconds: number): void {
    const { stepSeconds, steps } = this.options
    while (this.stepped + stepSeconds <= untilSeconds + 1e-9) {
      this.now = this.stepped
      this.step(steps.next().value as readonly Arriving[])
      this.stepped += stepSeconds
      this.now = this.stepped
      if (this.now >= this.nextScrape) this.scrape()
    }
    this.now = untilSeconds
    for (const { replicas } of this.variants) {
      replicas.advance(untilSeconds)
      replicas.schedulePending(untilSeconds)
    }
  }

  observe(): Observation {
    for (const flow of this.flows) spreadOver(flow, this.service.classOf(flow.index))
    const { epochSeconds } = this.options.timing
    return {
      format: 'mixscaler-observation/1',
      at: epochSeconds + this.now,
      variants: Object.fromEntries(
        this.variants.map((place) => [
          place.variant.id,
          place.signals.signals(this.now, place.counts(epochSeconds), place.variant.kvTokens),
        ]),
      ),
      classes: classSignals(this.options.site, this.gateway, this.now),
      pools: {},
      warnings: [],
    }
  }

  scale(variant: VariantId, replicas: number): void {
    this.placeOf(variant).scale(replicas, this.now)
  }

  counts(variant: VariantId): ReplicaCounts {
    return this.placeOf(variant).replicas.counts()
  }

  spent(): Readonly<Record<VariantId, Spent>> {
    for (const flow of this.flows) spreadOver(flow, this.service.classOf(flow.index))
    return Object.fromEntries(
      this.variants.map(({ variant, replicas }) => [variant.id, replicas.spent(this.now)]),
    )
  }

  private step(arriving: readonly Arriving[]): void {
    for (const { replicas } of this.variants) {
      replicas.advance(this.now)
      replicas.schedulePending(this.now)
    }
    this.failDue()
    this.arrive(arriving)
    const inflow = this.variants.map(() => new Float64Array(this.flows.length))
    const entering = this.flows.map((flow) => this.enter(flow, inflow))
    const served = this.variants.map((variant, i) =>
      variant.variant.role === 'decode' ? undefined : this.serve(variant, inflow[i] as Float64Array),
    )
    this.handOver(served)
    for (const [i, flow] of this.flows.entries())
      this.settlement.settle(flow, { at: this.now, entering: entering[i] ?? [], inflow, served })
  }

  private arrive(arriving: readonly Arriving[]): void {
    for (const [source, { requests, shape }] of arriving.entries()) {
      const flow = this.flows[this.options.sourceClasses[source] ?? -1]
      if (flow === undefined || requests <= 0) continue
      if (flow.shape !== shape) {
        flow.shape = shape
        flow.outputTokens = meanOf(shape.outputTokens)
      }
      flow.held.push({ arrivedAt: this.now, requests, ttftKept: 0 })
      this.service.arrived(flow.index, this.now, requests)
      this.gateway.arrived(flow.index, requests, requests * flow.outputTokens)
    }
  }

  /** Hands what waits at the gateway to engines; what stays is held. Returns who entered. */
  private enter(flow: ClassFlow, inflow: readonly Float64Array[]): readonly Cohort[] {
    if (flow.held.requests <= 0) return []
    const ways = waysFor(this.variants, flow.index)
    if (ways.length === 0) return []
    const most = flow.site.goal.kind === 'tolerant' ? this.roomFor(flow) : flow.held.requests
    const entering = flow.held.take(Math.min(most, flow.held.requests))
    const requests = entering.reduce((total, cohort) => total + cohort.requests, 0)
    fill(ways, requests, this.options.stepSeconds, (variant, part) => {
      const own = inflow[this.variants.indexOf(variant)]
      if (own !== undefined) own[flow.index] = (own[flow.index] ?? 0) + part
    })
    return entering
  }

  /** Slots to spare for deferrable work, where nothing waits. */
  private roomFor(flow: ClassFlow): number {
    let room = 0
    for (const [i, { variant, engines, replicas }] of this.variants.entries()) {
      if (variant.role === 'decode' || !variant.classes.includes(flow.index)) continue
      if (sum(engines.waiting) > 0.5 * replicas.ready) continue
      room += Math.max(0, replicas.ready * (this.deferrable[i] ?? 0) - engines.inSystem)
    }
    return room
  }

  private serve(variant: FluidVariant, arriving: Float64Array): Served | undefined {
    const { engines, strength } = variant
    const busy = sum(arriving) > 0 || engines.inSystem > 1e-9
    if (strength <= 0 || !busy) return undefined
    const shares = this.flows.flatMap(({ index, shape }) => {
      const weight =
        (arriving[index] ?? 0) + (engines.waiting[index] ?? 0) + 0.1 * (engines.decoding[index] ?? 0)
      return shape === undefined || weight <= 0 ? [] : [{ shape, weight }]
    })
    const served = engines.step(
      arriving,
      shares,
      strength,
      this.pooledWith(variant),
      this.options.stepSeconds,
    )
    variant.count(
      served,
      this.flows.map(({ shape }) => shape),
    )
    return served
  }

  /** Replicas among which the router chooses when it chooses one of these. */
  private pooledWith({ variant }: FluidVariant): number {
    return this.variants.reduce(
      (count, other) =>
        other.variant.policyId === variant.policyId &&
        other.variant.role === variant.role &&
        other.variant.transferGroup === variant.transferGroup
          ? count + other.replicas.ready
          : count,
      0,
    )
  }

  /** What prefill replicas finished goes to the decode replicas of their group, within the step. */
  private handOver(served: (Served | undefined)[]): void {
    for (const [i, { variant }] of this.variants.entries()) {
      const prompts = served[i]
      if (variant.role !== 'prefill' || prompts === undefined) continue
      const decoders = this.variants.filter(
        (other) => other.variant.role === 'decode' && other.variant.transferGroup === variant.transferGroup,
      )
      const weight = decoders.reduce((total, decoder) => total + decoder.weight, 0)
      for (const decoder of decoders) {
        const share = weight > 0 ? decoder.weight / weight : 1 / decoders.length
        const own = this.pendingDecode.get(decoder) ?? new Float64Array(this.flows.length)
        for (let c = 0; c < own.length; c++) own[c] = (own[c] ?? 0) + share * (prompts.completed[c] ?? 0)
        this.pendingDecode.set(decoder, own)
      }
    }
    for (const [i, decoder] of this.variants.entries()) {
      if (decoder.variant.role !== 'decode' || decoder.strength <= 0) continue
      const arriving = this.pendingDecode.get(decoder) ?? new Float64Array(this.flows.length)
      this.pendingDecode.delete(decoder)
      served[i] = this.serve(decoder, arriving)
    }
  }

  private scrape(): void {
    this.nextScrape += this.options.timing.scrapeSeconds
    for (const variant of this.variants) variant.scrape(this.now)
    this.gateway.scraped(this.now)
  }

  private failDue(): void {
    for (;;) {
      const failure = this.failures[0]
      if (failure === undefined || failure.atSeconds > this.now) return
      this.failures.shift()
      this.fail(failure)
    }
  }

  private fail(failure: Failure): void {
    switch (failure.kind) {
      case 'podLoss':
        this.lose(this.placeOf(failure.variant), failure.replicas)
        return
      case 'slowPod':
        this.placeOf(failure.variant).slowDown(failure.factor)
        return
      case 'foreignPods':
        this.pools.lend(failure)
        return
      case 'foreignPodsGone':
        this.pools.takeBack(failure.pool)
        return
    }
  }

  private lose(variant: FluidVariant, replicas: number): void {
    const { working } = variant.replicas
    const lost = variant.replicas.restart(replicas, this.now)
    if (working <= 0) return
    // What they ran is retried elsewhere, as new arrivals that have waited.
    for (const [c, requests] of variant.engines.lose(lost / working).entries()) {
      const flow = this.flows[c]
      for (const cohort of flow?.inside.take(requests) ?? []) flow?.held.push(cohort)
    }
  }

  private placeOf(id: VariantId): FluidVariant {
    const place = this.byId.get(id)
    if (place === undefined) throw new RangeError(`no variant is called "${id}"`)
    return place
  }
}
