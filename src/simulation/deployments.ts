// The pods of a fleet's Deployments: asked for, given a node or left pending, started, drained, removed and paid for.
// Knows no requests; the fleet tells it when time has passed.
import type { ReplicaCounts } from '../core/observation.ts'
import type { GpuPools } from './gpuPools.ts'
import { type FleetObserver, type FleetVariant, Pod } from './pod.ts'
import { Random } from './random.ts'

export interface Deployment {
  readonly variant: FleetVariant
  readonly hash: string
  desired: number
  pods: Pod[]
  /** Of pods that are gone. */
  readonly past: { replicaSeconds: number; startingSeconds: number }
}

export interface PodSeconds {
  /** From the node that took it to its end. */
  readonly replicaSeconds: number
  /** Of these, before it was ready. */
  readonly startingSeconds: number
}

interface DeploymentsOptions {
  readonly variants: readonly FleetVariant[]
  readonly slowGapSeconds: readonly number[]
  readonly priorities: readonly number[]
  readonly pools: GpuPools
  readonly seed: number
  readonly observer: FleetObserver
}

export class Deployments {
  readonly all: readonly Deployment[]
  private readonly options: DeploymentsOptions
  private readonly startupRandom: Random
  private readonly nameRandom: Random

  constructor(options: DeploymentsOptions) {
    this.options = options
    this.startupRandom = new Random(options.seed, 12)
    this.nameRandom = new Random(options.seed, 13)
    this.all = options.variants.map((variant) => ({
      variant,
      hash: this.suffix(10),
      desired: variant.initialReplicas,
      pods: [],
      past: { replicaSeconds: 0, startingSeconds: 0 },
    }))
    for (const deployment of this.all) {
      for (let i = 0; i < deployment.desired; i++) {
        const pod = this.create(deployment, 0)
        if (this.schedule(pod, 0)) pod.becomeReady()
      }
    }
  }

  of(variant: string): Deployment {
    const found = this.all.find((deployment) => deployment.variant.name === variant)
    if (found === undefined) throw new RangeError(`no variant is named "${variant}"`)
    return found
  }

  pods(): Pod[] {
    return this.all.flatMap(({ pods }) => pods)
  }

  counts(variant: string): ReplicaCounts {
    const { desired, pods } = this.of(variant)
    const inPhase = (phase: Pod['phase']): number => pods.filter((pod) => pod.phase === phase).length
    const pending = pods.filter((pod) => pod.phase === 'pending')
    return {
      desired,
      ready: inPhase('ready'),
      starting: inPhase('starting') + pending.length,
      terminating: inPhase('terminating'),
      ...(pending.length === 0
        ? {}
        : {
            unschedulable: {
              replicas: pending.length,
              since: Math.min(...pending.map(({ createdAtSeconds }) => createdAtSeconds)),
              why: `pool ${pending[0]?.variant.gpus?.pool ?? ''} has no GPU free`,
            },
          }),
    }
  }

  secondsOf(variant: string, now: number): PodSeconds {
    const { pods, past } = this.of(variant)
    const all = { ...past }
    for (const pod of pods) add(all, pod, now)
    return all
  }

  /** Sets spec.replicas. Surplus pods go as Kubernetes picks them: not ready first, then the youngest. */
  scale(variant: string, replicas: number, now: number): void {
    const deployment = this.of(variant)
    deployment.desired = replicas
    const alive = deployment.pods.filter((pod) => pod.phase !== 'terminating')
    for (let i = alive.length; i < replicas; i++) this.create(deployment, now)
    const victims = alive.toSorted(
      (a, b) => readiness(a) - readiness(b) || b.readyAtSeconds - a.readyAtSeconds,
    )
    for (const victim of victims.slice(0, Math.max(0, alive.length - replicas))) {
      if (victim.phase === 'pending') deployment.pods = deployment.pods.filter((pod) => pod !== victim)
      else victim.terminate(now)
    }
    this.removeDrained(now)
    this.schedulePending(now)
  }

  restart(pod: Pod, now: number): ReturnType<Pod['restart']> {
    return pod.restart(now, this.startupRandom)
  }

  nextToBeReady(untilSeconds: number): Pod | undefined {
    let next: Pod | undefined
    for (const { pods } of this.all) {
      for (const pod of pods) {
        const earlier = pod.readyAtSeconds < (next?.readyAtSeconds ?? Infinity)
        if (pod.phase === 'starting' && earlier && pod.readyAtSeconds <= untilSeconds) next = pod
      }
    }
    return next
  }

  removeDrained(now: number): void {
    let freed = false
    for (const deployment of this.all) {
      const gone = deployment.pods.filter((pod) => pod.phase === 'terminating' && pod.inSystem === 0)
      if (gone.length === 0) continue
      for (const pod of gone) {
        add(deployment.past, pod, now)
        if (pod.variant.gpus !== undefined) this.options.pools.give(pod.variant.gpus)
      }
      deployment.pods = deployment.pods.filter((pod) => !gone.includes(pod))
      freed = true
    }
    if (freed) this.schedulePending(now)
  }

  /** Pending pods get nodes in the order in which they were asked for. */
  schedulePending(now: number): void {
    const pending = this.pods().filter((pod) => pod.phase === 'pending')
    for (const pod of pending.toSorted((a, b) => a.createdAtSeconds - b.createdAtSeconds)) {
      if (this.schedule(pod, now)) pod.start(now, this.startupRandom)
    }
  }

  private schedule(pod: Pod, now: number): boolean {
    const { gpus } = pod.variant
    if (gpus !== undefined && !this.options.pools.take(gpus)) return false
    pod.scheduledAtSeconds = now
    return true
  }

  private create(deployment: Deployment, now: number): Pod {
    const { variant, hash } = deployment
    const { slowGapSeconds, priorities, observer } = this.options
    const name = `${variant.name}-${hash}-${this.suffix(5)}`
    const pod = new Pod(variant, name, now, slowGapSeconds, priorities, observer)
    deployment.pods.push(pod)
    return pod
  }

  /** Letters as Kubernetes picks them for generated names: no vowels, no 0, 1, 3. */
  private suffix(length: number): string {
    const letters = 'bcdfghjklmnpqrstvwxz2456789'
    return Array.from({ length }, () => letters[this.nameRandom.integer(letters.length)]).join('')
  }
}

function readiness({ phase }: Pod): number {
  return phase === 'ready' ? 2 : phase === 'starting' ? 1 : 0
}

function add(sum: { replicaSeconds: number; startingSeconds: number }, pod: Pod, now: number): void {
  if (pod.phase === 'pending') return
  const from = pod.scheduledAtSeconds
  sum.replicaSeconds += now - from
  sum.startingSeconds += pod.startingSeconds + (pod.phase === 'starting' ? now - pod.startedAtSeconds : 0)
}
