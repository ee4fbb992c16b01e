// The plant at request level: every request, token gap and pod of src/simulation, one fleet for each policy, the pools
// shared. For hours of traffic, and as the truth that the fluid plant is held against.
import type { Observation, ReplicaCounts } from '../core/observation.ts'
import type { VariantId } from '../core/policy.ts'
import { Fleet } from '../simulation/fleet.ts'
import { GpuPools } from '../simulation/gpuPools.ts'
import type { FleetVariant, Pod } from '../simulation/pod.ts'
import { type Completion, type Request, timePerOutputToken } from '../simulation/request.ts'
import type { Routing } from '../simulation/router.ts'
import type { TransferTime } from '../simulation/transfers.ts'
import { classSignals, GatewayWindow } from './gatewayWindow.ts'
import type { Failure, Plant, PlantTiming, Spent } from './plant.ts'
import { scrapeOf } from './podScrape.ts'
import { routingWeights, runBeside } from './routing.ts'
import type { ServiceBook } from './serviceBook.ts'
import { SignalWindow } from './signalWindow.ts'
import type { Site, SiteVariant } from './site.ts'

export interface RequestPlantOptions {
  readonly site: Site
  /** In order of time. */
  readonly requests: Iterator<Request>
  readonly service: ServiceBook
  readonly timing: PlantTiming
  readonly routing: Routing
  readonly transfer: TransferTime
  /** In order of time. */
  readonly failures: readonly Failure[]
  /** Ready at second 0, by variant. */
  readonly initial: Readonly<Record<VariantId, number>>
  readonly seed: number
}

/** Deferred work looks for free slots so often. */
const releaseSeconds = 1

export class RequestPlant implements Plant {
  readonly service: ServiceBook
  private readonly site: Site
  private readonly timing: PlantTiming
  private readonly requests: Iterator<Request>
  private next: IteratorResult<Request>
  private readonly fleets: ReadonlyMap<string, Fleet>
  private readonly fleetOfClass: readonly Fleet[]
  private readonly byId: ReadonlyMap<VariantId, { readonly variant: SiteVariant; readonly fleet: Fleet }>
  private readonly windows: ReadonlyMap<VariantId, SignalWindow>
  private readonly gateway: GatewayWindow
  private readonly failures: Failure[]
  private readonly pools: GpuPools
  private readonly deferring: boolean
  private now = 0
  private nextScrape: number

  constructor(options: RequestPlantOptions) {
    const { site, requests, service, timing } = options
    this.site = site
    this.service = service
    this.timing = timing
    this.requests = requests
    this.next = requests.next()
    this.failures = [...options.failures]
    this.deferring = site.classes.some(({ goal }) => goal.kind === 'tolerant')
    this.pools = new GpuPools(site.pools)
    this.fleets = new Map(
      site.policies.policies.map(({ id }, index) => [id, this.fleetOf(id, options, this.pools, index)]),
    )
    this.fleetOfClass = site.classes.map(({ policyId }) => this.fleets.get(policyId) as Fleet)
    this.byId = new Map(
      site.variants.map((variant) => [
        variant.id,
        { variant, fleet: this.fleets.get(variant.policyId) as Fleet },
      ]),
    )
    this.windows = new Map(site.variants.map(({ id }) => [id, new SignalWindow()]))
    this.gateway = new GatewayWindow(site.classes.length)
    this.nextScrape = timing.scrapeSeconds / 2
  }

  get nowSeconds(): number {
    return this.now
  }

  advance(untilSeconds: number): void {
    while (this.now < untilSeconds) {
      const failure = this.failures[0]
      const step = Math.min(
        untilSeconds,
        this.nextScrape,
        failure?.atSeconds ?? Infinity,
        this.deferring ? this.now + releaseSeconds : Infinity,
      )
      this.arrive(step)
      for (const fleet of this.fleets.values()) {
        fleet.advance(step)
        fleet.schedulePending()
      }
      this.now = step
      if (step === this.nextScrape) this.scrape()
      if (failure !== undefined && failure.atSeconds <= step) {
        this.failures.shift()
        this.fail(failure)
      }
    }
  }

  observe(): Observation {
    const { epochSeconds } = this.timing
    const at = epochSeconds + this.now
    return {
      format: 'mixscaler-observation/1',
      at,
      variants: Object.fromEntries(
        this.site.variants.map(({ id, kvTokens }) => {
          const window = this.windows.get(id) as SignalWindow
          return [id, window.signals(this.now, this.known(id), kvTokens)]
        }),
      ),
      classes: classSignals(this.site, this.gateway, this.now),
      pools: {},
      warnings: [],
    }
  }

  scale(variant: VariantId, replicas: number): void {
    const { fleet, variant: stated } = this.placeOf(variant)
    fleet.scale(stated.scaleTarget, replicas)
  }

  counts(variant: VariantId): ReplicaCounts {
    const { fleet, variant: stated } = this.placeOf(variant)
    return fleet.counts(stated.scaleTarget)
  }

  /** What runs of a variant, as monitoring would find it. */
  pods(id: VariantId): readonly Pod[] {
    const { fleet, variant } = this.placeOf(id)
    return fleet.pods().filter((pod) => pod.variant.name === variant.scaleTarget)
  }

  spent(): Readonly<Record<VariantId, Spent>> {
    return Object.fromEntries(
      this.site.variants.map(({ id, scaleTarget, costPerHour, policyId }) => {
        const seconds = (this.fleets.get(policyId) as Fleet).podSeconds(scaleTarget)
        return [id, { ...seconds, dollars: (seconds.replicaSeconds / 3600) * costPerHour }]
      }),
    )
  }

  private arrive(untilSeconds: number): void {
    while (this.next.done !== true && this.next.value.arrivedAtSeconds <= untilSeconds) {
      const request = this.next.value
      const { classIndex, arrivedAtSeconds, outputTokens } = request
      this.service.arrived(classIndex, arrivedAtSeconds, 1)
      this.gateway.arrived(classIndex, 1, outputTokens)
      this.fleetOfClass[classIndex]?.submit(request)
      this.next = this.requests.next()
    }
  }

  /** Replicas as the Kubernetes API tells them: instants in Unix time. */
  known(id: VariantId): ReplicaCounts {
    const { epochSeconds } = this.timing
    const { fleet, variant } = this.placeOf(id)
    const { unschedulable, ...counts } = fleet.counts(variant.scaleTarget)
    const starting = this.pods(id)
      .filter(({ phase }) => phase === 'starting' || phase === 'pending')
      .map(({ createdAtSeconds }) => epochSeconds + createdAtSeconds)
    return {
      ...counts,
      ...(starting.length === 0 ? {} : { startingSince: starting.sort((x, y) => x - y) }),
      ...(unschedulable === undefined
        ? {}
        : { unschedulable: { ...unschedulable, since: epochSeconds + unschedulable.since } }),
    }
  }

  private scrape(): void {
    this.nextScrape += this.timing.scrapeSeconds
    for (const { id, scaleTarget, policyId } of this.site.variants) {
      const window = this.windows.get(id) as SignalWindow
      const alive = new Set<string>()
      for (const pod of (this.fleets.get(policyId) as Fleet).pods()) {
        if (pod.variant.name !== scaleTarget || pod.engine === undefined) continue
        // A restarted engine counts from 0 again: a target of its own.
        const target = `${pod.name} ${pod.readyAtSeconds}`
        alive.add(target)
        window.scraped(target, scrapeOf(pod, this.now))
      }
      window.only(alive, this.now)
    }
    this.gateway.scraped(this.now)
  }

  private fail(failure: Failure): void {
    switch (failure.kind) {
      case 'podLoss':
        for (const { name } of this.ready(failure.variant).slice(0, failure.replicas))
          this.placeOf(failure.variant).fleet.crash(name)
        return
      case 'slowPod':
        for (const { name } of this.ready(failure.variant).slice(0, 1))
          this.placeOf(failure.variant).fleet.slowDown(name, failure.factor)
        return
      case 'foreignPods':
        this.pools.lend(failure)
        return
      case 'foreignPodsGone':
        this.pools.takeBack(failure.pool)
        return
    }
  }

  private ready(id: VariantId): readonly Pod[] {
    return this.pods(id).filter(({ phase }) => phase === 'ready')
  }

  private placeOf(id: VariantId): { readonly variant: SiteVariant; readonly fleet: Fleet } {
    const place = this.byId.get(id)
    if (place === undefined) throw new RangeError(`no variant is called "${id}"`)
    return place
  }

  private fleetOf(policyId: string, options: RequestPlantOptions, pools: GpuPools, index: number): Fleet {
    const { site, initial, routing, transfer, seed, service } = options
    const weights = routingWeights(site)
    const ranks = [...new Set(site.classes.map(({ priority }) => priority))].sort((x, y) => x - y)
    const own = site.variants.filter((variant) => variant.policyId === policyId)
    const interactive = new Map(
      own.map(({ scaleTarget, classes }) => [
        scaleTarget,
        classes.filter((classIndex) => site.classes[classIndex]?.goal.kind === 'interactive'),
      ]),
    )
    return new Fleet(
      {
        namespace: own[0]?.namespace ?? '',
        model: policyId,
        variants: own.map((variant) =>
          fleetVariant(
            site,
            variant,
            initial[variant.id] ?? variant.bounds.min,
            weights.get(variant.id) ?? 1,
          ),
        ),
        classes: site.classes.map(({ name, goal, priority }) => ({
          name,
          ttftSeconds: goal.kind === 'interactive' ? goal.ttftSeconds : Infinity,
          itlSeconds: goal.kind === 'interactive' ? goal.gapSeconds : Infinity,
          priority: ranks.indexOf(priority),
          urgency: goal.kind === 'interactive' ? 'immediate' : 'deferrable',
        })),
        routing,
        transfer,
        pools,
        seed: seed * 1000 + index,
      },
      {
        gap: (seconds, times, { name }) => {
          for (const classIndex of interactive.get(name) ?? [])
            service.gap(classIndex, this.now, seconds, times)
        },
        completed: (completion, { profile }) => this.completed(completion, profile.h / 1000),
      },
    )
  }

  private completed(completion: Completion, networkSeconds: number): void {
    const { request, reason, outputTokens, firstTokenAtSeconds, finishedAtSeconds } = completion
    const { classIndex, arrivedAtSeconds } = request
    this.gateway.finished(classIndex, request.outputTokens)
    const ended = { classIndex, arrivedAtSeconds, requests: 1, outputTokens }
    if (reason === 'error') this.service.count({ ...ended, outputTokens: 0 }, { ttft: 0, gap: 0, both: 0 })
    else {
      this.service.ended(ended, {
        ttftSeconds: firstTokenAtSeconds - arrivedAtSeconds + networkSeconds,
        tpotSeconds: timePerOutputToken(completion),
        completionSeconds: finishedAtSeconds - arrivedAtSeconds + networkSeconds,
      })
    }
  }
}

function fleetVariant(
  site: Site,
  variant: SiteVariant,
  initialReplicas: number,
  routingWeight: number,
): FleetVariant {
  const { scaleTarget, role, profile, maxNumSeqs, maxNumBatchedTokens, kvTokens, costPerHour } = variant
  return {
    ...{ name: scaleTarget, role, profile, maxNumSeqs, maxNumBatchedTokens, kvTokens, costPerHour },
    startup: variant.startup,
    routingWeight,
    initialReplicas,
    ...(variant.transferGroup === undefined ? {} : { transferGroup: variant.transferGroup }),
    classes: variant.classes,
    gpus: { pool: variant.pool, gpus: variant.gpusPerReplica },
    deferrableBelow: runBeside(site, variant),
  }
}
