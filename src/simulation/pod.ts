// One pod of a simulated variant: it is asked for, starts, serves, drains and goes, and is paid for all the way.
import type { Role } from '../core/policy.ts'
import type { Profile } from '../core/profile.ts'
import type { GpuClaim } from './gpuPools.ts'
import { EngineMetrics } from './metrics.ts'
import type { Random } from './random.ts'
import { Replica } from './replica.ts'
import type { Completion, Request } from './request.ts'

/** From asking for a pod to its first request: lognormal; a sigma of 0 is always the median. */
export interface StartupTime {
  readonly medianSeconds: number
  readonly sigma: number
}

export interface FleetVariant {
  /** The Deployment's name. */
  readonly name: string
  readonly role: Role
  readonly profile: Profile
  readonly maxNumSeqs: number
  readonly maxNumBatchedTokens: number
  readonly kvTokens: number
  readonly costPerHour: number
  readonly startup: StartupTime
  /** The router's share of work for one replica, relative to the others: a weighted least-request balancer. */
  readonly routingWeight: number
  readonly initialReplicas: number
  /** Which prefill variants hand KV to which decode variants; unified ones have none. */
  readonly transferGroup?: string
  /** Indices of the classes it may serve; absent: all. */
  readonly classes?: readonly number[]
  /** What one replica takes of a shared pool; absent: there is always room. */
  readonly gpus?: GpuClaim
  /** Deferrable work is handed to a replica only while it runs fewer than this; absent: maxNumSeqs. */
  readonly deferrableBelow?: number
}

/** `pending`: no node has room for it. */
type PodPhase = 'pending' | 'starting' | 'ready' | 'terminating'

/** What is of interest beyond the pod's own counters, as it happens. */
export interface FleetObserver {
  gap(seconds: number, times: number, variant: FleetVariant): void
  completed(completion: Completion, variant: FleetVariant): void
}

interface Engine {
  readonly replica: Replica
  readonly metrics: EngineMetrics
}

export class Pod {
  readonly name: string
  readonly variant: FleetVariant
  readonly createdAtSeconds: number
  /** From when on it is paid for: when a node took it. */
  scheduledAtSeconds: number
  phase: PodPhase = 'pending'
  /** When its container began to start, last. */
  startedAtSeconds: number
  /** Spent starting, up to the last time that it became ready or was told to go. */
  startingSeconds = 0
  readyAtSeconds: number
  /** There from the moment it is ready. A restart replaces it: counters begin at 0 again. */
  engine: Engine | undefined = undefined
  private readonly slowGapSeconds: readonly number[]
  private readonly priorities: readonly number[]
  private readonly observer: FleetObserver

  constructor(
    variant: FleetVariant,
    name: string,
    atSeconds: number,
    slowGapSeconds: readonly number[],
    priorities: readonly number[],
    observer: FleetObserver,
  ) {
    this.variant = variant
    this.name = name
    this.createdAtSeconds = atSeconds
    this.scheduledAtSeconds = atSeconds
    this.startedAtSeconds = atSeconds
    this.readyAtSeconds = atSeconds
    this.slowGapSeconds = slowGapSeconds
    this.priorities = priorities
    this.observer = observer
  }

  start(atSeconds: number, random: Random): void {
    const { medianSeconds, sigma } = this.variant.startup
    this.phase = 'starting'
    this.engine = undefined
    this.startedAtSeconds = atSeconds
    this.readyAtSeconds = atSeconds + random.lognormal(medianSeconds, sigma)
  }

  becomeReady(): void {
    const observer = this.observer
    const variant = this.variant
    const metrics = new EngineMetrics(this.readyAtSeconds, Math.min(variant.kvTokens, 32_768))
    const replica = new Replica(
      { ...variant, slowGapSeconds: this.slowGapSeconds, priorities: this.priorities },
      {
        iteration(decodes, promptTokens, gapSeconds) {
          metrics.iteration(decodes, promptTokens, gapSeconds)
          if (decodes > 0) observer.gap(gapSeconds, decodes, variant)
        },
        firstToken: (sequence) => metrics.firstToken(sequence),
        preempted: () => metrics.preempted(),
        resumed(gapSeconds) {
          metrics.resumed(gapSeconds)
          observer.gap(gapSeconds, 1, variant)
        },
        finished(completion) {
          metrics.finished(completion)
          observer.completed(completion, variant)
        },
      },
      this.readyAtSeconds,
    )
    this.startingSeconds += this.readyAtSeconds - this.startedAtSeconds
    this.phase = 'ready'
    this.engine = { replica, metrics }
  }

  get inSystem(): number {
    return this.engine?.replica.inSystem ?? 0
  }

  advance(untilSeconds: number): void {
    this.engine?.replica.advance(untilSeconds)
  }

  /** Takes nothing new and goes when it is done. */
  terminate(atSeconds: number): void {
    if (this.phase === 'starting') this.startingSeconds += atSeconds - this.startedAtSeconds
    this.phase = 'terminating'
  }

  /** The container dies and starts again under the same name; what it was doing is lost to it. */
  restart(atSeconds: number, random: Random): Request[] {
    const lost = this.engine?.replica.abandon() ?? []
    this.start(atSeconds, random)
    return lost
  }
}
