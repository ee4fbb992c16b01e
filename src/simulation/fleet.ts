// A model's simulated fleet: variants with replicas that start, serve, drain and cost money, behind a gateway that
// holds requests while nobody can take them. It does what it is told (`scale`) and knows no policy.
import type { ReplicaCounts } from '../core/observation.ts'
import { Deployments, type PodSeconds } from './deployments.ts'
import { GpuPools } from './gpuPools.ts'
import type { FleetObserver, FleetVariant, Pod } from './pod.ts'
import { PriorityQueue } from './priorityQueue.ts'
import { Random } from './random.ts'
import type { Completion, Request } from './request.ts'
import { Router, type Routing } from './router.ts'
import { Transfers, type TransferTime } from './transfers.ts'

/** A traffic class as its SLO sees it; Infinity where a bound is not set. */
export interface FleetClass {
  readonly name: string
  readonly ttftSeconds: number
  readonly itlSeconds: number
  /** 0 is served first, at the gateway and in the engines' queues; absent: 0. */
  readonly priority?: number
  /** `deferrable` work waits at the gateway until a replica has slots to spare. */
  readonly urgency?: 'immediate' | 'deferrable'
}

export interface FleetSettings {
  readonly namespace: string
  /** What the engines report as `model_name`. */
  readonly model: string
  readonly variants: readonly FleetVariant[]
  readonly classes: readonly FleetClass[]
  readonly routing: Routing
  /** What the gateway does with a request while nobody is ready; absent: it waits. */
  readonly noneReady?: 'queue' | 'turnAway'
  readonly seed: number
  /** Absent: KV is handed over in no time. */
  readonly transfer?: TransferTime
  /** Shared with other fleets; absent: there is always room. */
  readonly pools?: GpuPools
}

export class Fleet {
  readonly settings: FleetSettings
  private readonly observer: FleetObserver
  private readonly deployments: Deployments
  private readonly router: Router
  private readonly transfers: Transfers
  private readonly queue = new PriorityQueue<Request>()
  private readonly deferred = new PriorityQueue<Request>()
  /** Prompts whose KV waits for a decode replica to be ready. */
  private stranded: { readonly request: Request; readonly group: string }[] = []
  private ready: readonly Pod[] = []
  private readonly hasGroups: boolean
  private now = 0
  private arrived = 0
  private rejected = 0

  constructor(settings: FleetSettings, observer: FleetObserver) {
    this.settings = settings
    this.observer = observer
    this.hasGroups = settings.variants.some(({ role }) => role !== 'unified')
    this.transfers = new Transfers(settings.transfer ?? { baseSeconds: 0, secondsPerToken: 0 })
    this.router = new Router(settings.routing, new Random(settings.seed, 11))
    this.deployments = new Deployments({
      variants: settings.variants,
      slowGapSeconds: settings.classes.map(({ itlSeconds }) => itlSeconds),
      priorities: settings.classes.map(({ priority = 0 }) => priority),
      pools: settings.pools ?? new GpuPools({}),
      seed: settings.seed,
      observer: {
        gap: (seconds, times, variant) => observer.gap(seconds, times, variant),
        completed: (completion, variant) => this.completed(completion, variant),
      },
    })
    this.listReady()
  }

  get nowSeconds(): number {
    return this.now
  }

  /** Requests that wait at the gateway because no replica takes them now. */
  get gatewayQueued(): number {
    return this.queue.length + this.deferred.length
  }

  /** Requests that reached the gateway so far. */
  get gatewayArrived(): number {
    return this.arrived
  }

  /** Of those, turned away because no replica was ready. */
  get gatewayRejected(): number {
    return this.rejected
  }

  get inSystem(): number {
    const outside = this.gatewayQueued + this.transfers.length + this.stranded.length
    return this.pods().reduce((sum, pod) => sum + pod.inSystem, outside)
  }

  pods(): Pod[] {
    return this.deployments.pods()
  }

  counts(variant: string): ReplicaCounts {
    return this.deployments.counts(variant)
  }

  /** Since the beginning: of pods that are there, and of those that are gone. */
  podSeconds(variant: string): PodSeconds {
    return this.deployments.secondsOf(variant, this.now)
  }

  /** Dollars from the node of each pod to its removal, by variant name. */
  cost(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      this.settings.variants.map(({ name, costPerHour }) => [
        name,
        (this.podSeconds(name).replicaSeconds / 3600) * costPerHour,
      ]),
    )
  }

  /** Takes a request at its arrival; requests must come in order of time. */
  submit(request: Request): void {
    this.advance(request.arrivedAtSeconds)
    this.arrived++
    this.route(request)
  }

  advance(untilSeconds: number): void {
    for (;;) {
      const next = this.deployments.nextToBeReady(untilSeconds)
      if (next === undefined) break
      this.advancePods(next.readyAtSeconds)
      next.becomeReady()
      this.listReady()
      this.routeHeld()
    }
    this.advancePods(untilSeconds)
    if (this.deferred.length > 0) this.release()
  }

  /** Sets a Deployment's spec.replicas. */
  scale(variant: string, replicas: number): void {
    this.deployments.scale(variant, replicas, this.now)
    this.listReady()
  }

  /** Looks for room again: another fleet may have left some in a shared pool. */
  schedulePending(): void {
    this.deployments.schedulePending(this.now)
  }

  /** A pod's container crashes: it starts again, and the router retries what it was doing elsewhere. */
  crash(podName: string): void {
    const pod = this.readyPod(podName)
    const lost = this.deployments.restart(pod, this.now)
    this.listReady()
    for (const request of lost) this.route(request)
  }

  /** A pod runs so many times slower from now on, until it is gone. */
  slowDown(podName: string, factor: number): void {
    this.readyPod(podName).engine?.replica.slowDown(factor)
  }

  private readyPod(podName: string): Pod {
    const pod = this.ready.find(({ name }) => name === podName)
    if (pod === undefined) throw new RangeError(`no ready pod is named "${podName}"`)
    return pod
  }

  /** Prefill replicas depend on no others: once they are there, what they hand over is known, and when. */
  private advancePods(untilSeconds: number): void {
    let drained = this.hasGroups && this.advanceGroups(untilSeconds)
    for (const { variant, pods } of this.deployments.all) {
      if (variant.role === 'prefill') continue
      drained = advanceAll(pods, untilSeconds) || drained
    }
    this.now = Math.max(this.now, untilSeconds)
    if (drained) this.deployments.removeDrained(this.now)
  }

  private advanceGroups(untilSeconds: number): boolean {
    let drained = false
    for (const { variant, pods } of this.deployments.all) {
      if (variant.role === 'prefill') drained = advanceAll(pods, untilSeconds) || drained
    }
    for (;;) {
      const transfer = this.transfers.take(untilSeconds)
      if (transfer === undefined) return drained
      const { dueAtSeconds, request, group } = transfer
      for (const { variant, pods } of this.deployments.all) {
        if (variant.role === 'decode') drained = advanceAll(pods, dueAtSeconds) || drained
      }
      this.decode(request, group, dueAtSeconds)
    }
  }

  private decode(request: Request, group: string, atSeconds: number): void {
    const engine = this.router.exit(request.classIndex, group)?.engine
    if (engine === undefined) this.stranded.push({ request, group })
    else engine.replica.submit(request, atSeconds)
  }

  private completed(completion: Completion, variant: FleetVariant): void {
    const { request, reason, finishedAtSeconds } = completion
    if (variant.role === 'prefill' && variant.transferGroup !== undefined && reason !== 'error')
      this.transfers.begin(request, variant.transferGroup, finishedAtSeconds)
    else this.observer.completed(completion, variant)
  }

  private route(request: Request): void {
    if (this.settings.classes[request.classIndex]?.urgency === 'deferrable') {
      this.deferred.push(request, this.priorityOf(request))
      this.release()
      return
    }
    const engine = this.router.enter(request.classIndex)?.engine
    if (engine !== undefined) engine.replica.submit(request, this.now)
    else if (this.settings.noneReady === 'turnAway') this.rejected++
    else this.queue.push(request, this.priorityOf(request))
  }

  private routeHeld(): void {
    for (const request of this.queue.takeAll()) this.route(request)
    const stranded = this.stranded
    this.stranded = []
    for (const { request, group } of stranded) this.decode(request, group, this.now)
    this.release()
  }

  /** Hands deferred work to replicas where nothing waits and slots are to spare, the idlest first. */
  private release(): void {
    for (;;) {
      const request = this.deferred.peek()
      if (request === undefined) return
      let idlest: Pod | undefined
      let least = 1
      for (const pod of this.router.entrances(request.classIndex)) {
        const { deferrableBelow, maxNumSeqs } = pod.variant
        const filled = pod.inSystem / (deferrableBelow ?? maxNumSeqs)
        if (filled >= least || (pod.engine?.replica.waiting ?? 1) > 0) continue
        least = filled
        idlest = pod
      }
      if (idlest?.engine === undefined) return
      this.deferred.shift()
      idlest.engine.replica.submit(request, this.now)
    }
  }

  private priorityOf({ classIndex }: Request): number {
    return this.settings.classes[classIndex]?.priority ?? 0
  }

  private listReady(): void {
    this.ready = this.pods().filter((pod) => pod.phase === 'ready')
    this.router.setReady(this.ready, this.settings.classes.length)
  }
}

/** Whether one of them has drained. */
function advanceAll(pods: readonly Pod[], untilSeconds: number): boolean {
  let drained = false
  for (const pod of pods) {
    pod.advance(untilSeconds)
    if (pod.phase === 'terminating' && pod.inSystem === 0) drained = true
  }
  return drained
}
