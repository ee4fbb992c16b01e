// A model's simulated fleet: variants with replicas that start, serve, drain and cost money, behind a router
// that holds requests while nobody is ready. It does what it is told (`scale`) and knows no policy.
import type { ReplicaCounts } from '../core/observation.ts'
import { Fifo } from './fifo.ts'
import { type FleetObserver, type FleetVariant, Pod } from './pod.ts'
import { Random } from './random.ts'
import type { Request } from './request.ts'

/** A traffic class as its SLO sees it; Infinity where a bound is not set. */
export interface FleetClass {
  readonly name: string
  readonly ttftSeconds: number
  readonly itlSeconds: number
}

export type Routing = 'joinShortestQueue' | 'roundRobin' | 'random'

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
}

interface Deployment {
  readonly variant: FleetVariant
  readonly hash: string
  desired: number
  pods: Pod[]
  /** Dollars spent on pods that are gone. */
  spent: number
}

export class Fleet {
  readonly settings: FleetSettings
  private readonly observer: FleetObserver
  private readonly slowGapSeconds: readonly number[]
  private readonly routingRandom: Random
  private readonly startupRandom: Random
  private readonly nameRandom: Random
  private readonly deployments: readonly Deployment[]
  private readonly queue = new Fifo<Request>()
  private ready: Pod[] = []
  private turn = 0
  private now = 0
  private arrived = 0
  private rejected = 0

  constructor(settings: FleetSettings, observer: FleetObserver) {
    this.settings = settings
    this.observer = observer
    this.slowGapSeconds = settings.classes.map(({ itlSeconds }) => itlSeconds)
    this.routingRandom = new Random(settings.seed, 11)
    this.startupRandom = new Random(settings.seed, 12)
    this.nameRandom = new Random(settings.seed, 13)
    this.deployments = settings.variants.map((variant) => ({
      variant,
      hash: this.suffix(10),
      desired: variant.initialReplicas,
      pods: [],
      spent: 0,
    }))
    for (const deployment of this.deployments) {
      for (let i = 0; i < deployment.desired; i++) this.create(deployment).becomeReady()
    }
    this.listReady()
  }

  get nowSeconds(): number {
    return this.now
  }

  /** Requests that wait at the gateway because no replica is ready. */
  get gatewayQueued(): number {
    return this.queue.length
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
    return this.pods().reduce((sum, pod) => sum + pod.inSystem, this.queue.length)
  }

  pods(): Pod[] {
    return this.deployments.flatMap(({ pods }) => pods)
  }

  counts(variant: string): ReplicaCounts {
    const { desired, pods } = this.deployment(variant)
    const inPhase = (phase: Pod['phase']): number => pods.filter((pod) => pod.phase === phase).length
    return {
      desired,
      ready: inPhase('ready'),
      starting: inPhase('starting'),
      terminating: inPhase('terminating'),
    }
  }

  /** Dollars from the request of each pod to its removal, by variant name. */
  cost(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      this.deployments.map(({ variant, pods, spent }) => [
        variant.name,
        pods.reduce((sum, pod) => sum + dollars(pod, this.now), spent),
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
      const next = this.nextToBeReady(untilSeconds)
      if (next === undefined) break
      this.advancePods(next.readyAtSeconds)
      next.becomeReady()
      this.listReady()
      for (const request of this.queue.takeAll()) this.route(request)
    }
    this.advancePods(untilSeconds)
  }

  /** Sets a Deployment's spec.replicas. Surplus pods go as Kubernetes picks them: not ready first, then the youngest. */
  scale(variant: string, replicas: number): void {
    const deployment = this.deployment(variant)
    deployment.desired = replicas
    const alive = deployment.pods.filter((pod) => pod.phase !== 'terminating')
    for (let i = alive.length; i < replicas; i++) this.create(deployment).start(this.now, this.startupRandom)
    const victims = alive.toSorted(
      (a, b) =>
        Number(a.phase === 'ready') - Number(b.phase === 'ready') || b.readyAtSeconds - a.readyAtSeconds,
    )
    for (const victim of victims.slice(0, Math.max(0, alive.length - replicas))) victim.phase = 'terminating'
    this.listReady()
    this.removeDrained()
  }

  /** A pod's container crashes: it starts again, and the router retries what it was doing elsewhere. */
  crash(podName: string): void {
    const pod = this.ready.find(({ name }) => name === podName)
    if (pod === undefined) throw new RangeError(`no ready pod is named "${podName}"`)
    const lost = pod.restart(this.now, this.startupRandom)
    this.listReady()
    for (const request of lost) this.route(request)
  }

  private advancePods(untilSeconds: number): void {
    let drained = false
    for (const { pods } of this.deployments) {
      for (const pod of pods) {
        pod.advance(untilSeconds)
        drained ||= pod.phase === 'terminating' && pod.inSystem === 0
      }
    }
    this.now = Math.max(this.now, untilSeconds)
    if (drained) this.removeDrained()
  }

  private nextToBeReady(untilSeconds: number): Pod | undefined {
    let next: Pod | undefined
    for (const { pods } of this.deployments) {
      for (const pod of pods) {
        const earlier = pod.readyAtSeconds < (next?.readyAtSeconds ?? Infinity)
        if (pod.phase === 'starting' && earlier && pod.readyAtSeconds <= untilSeconds) next = pod
      }
    }
    return next
  }

  private route(request: Request): void {
    const engine = this.choose()?.engine
    if (engine !== undefined) engine.replica.submit(request, this.now)
    else if (this.settings.noneReady === 'turnAway') this.rejected++
    else this.queue.push(request)
  }

  private choose(): Pod | undefined {
    const { ready } = this
    switch (this.settings.routing) {
      case 'roundRobin':
        return ready[this.turn++ % ready.length]
      case 'random':
        return ready[this.routingRandom.integer(ready.length)]
      case 'joinShortestQueue': {
        // Ties go round, so that an idle fleet does not send everything to its first replica.
        const offset = this.turn++
        let best: Pod | undefined
        let least = Infinity
        for (let i = 0; i < ready.length; i++) {
          const pod = ready[(i + offset) % ready.length]
          const load = pod === undefined ? Infinity : (pod.inSystem + 1) / pod.variant.routingWeight
          if (load < least) {
            least = load
            best = pod
          }
        }
        return best
      }
    }
  }

  private listReady(): void {
    this.ready = this.pods().filter((pod) => pod.phase === 'ready')
  }

  private removeDrained(): void {
    for (const deployment of this.deployments) {
      const gone = deployment.pods.filter((pod) => pod.phase === 'terminating' && pod.inSystem === 0)
      for (const pod of gone) deployment.spent += dollars(pod, this.now)
      if (gone.length > 0) deployment.pods = deployment.pods.filter((pod) => !gone.includes(pod))
    }
  }

  private create(deployment: Deployment): Pod {
    const { variant, hash } = deployment
    const name = `${variant.name}-${hash}-${this.suffix(5)}`
    const pod = new Pod(variant, name, this.now, this.slowGapSeconds, this.observer)
    deployment.pods.push(pod)
    return pod
  }

  /** Letters as Kubernetes picks them for generated names: no vowels, no 0, 1, 3. */
  private suffix(length: number): string {
    const letters = 'bcdfghjklmnpqrstvwxz2456789'
    return Array.from({ length }, () => letters[this.nameRandom.integer(letters.length)]).join('')
  }

  private deployment(variant: string): Deployment {
    const found = this.deployments.find((deployment) => deployment.variant.name === variant)
    if (found === undefined) throw new RangeError(`no variant is named "${variant}"`)
    return found
  }
}

function dollars(pod: Pod, untilSeconds: number): number {
  return ((untilSeconds - pod.createdAtSeconds) / 3600) * pod.variant.costPerHour
}
