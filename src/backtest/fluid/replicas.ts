// The replicas of one variant of the fluid plant: asked for, pending, starting, ready, draining, and what they cost.
// The same life as a simulated pod's, without the pod.
import type { ReplicaCounts } from '../../core/observation.ts'
import type { GpuPools } from '../../simulation/gpuPools.ts'
import type { Random } from '../../simulation/random.ts'
import type { Spent } from '../plant.ts'
import type { SiteVariant } from '../site.ts'

interface Starting {
  readonly createdAt: number
  readonly readyAt: number
}

export class FluidReplicas {
  private readonly variant: SiteVariant
  private readonly pools: GpuPools
  private readonly random: Random
  private desired: number
  private readyCount = 0
  private starting: Starting[] = []
  /** Creation times of those without a node. */
  private pending: number[] = []
  /** When those that drain will be gone. */
  private draining: number[] = []
  private replicaSeconds = 0
  private startingSeconds = 0
  private accountedUntil = 0

  constructor(variant: SiteVariant, pools: GpuPools, initial: number, random: Random) {
    this.variant = variant
    this.pools = pools
    this.random = random
    this.desired = initial
    for (let i = 0; i < initial; i++) {
      if (this.takeNode()) this.readyCount++
      else this.pending.push(0)
    }
  }

  get ready(): number {
    return this.readyCount
  }

  /** Ready ones and those that drain: both still work. */
  get working(): number {
    return this.readyCount + this.draining.length
  }

  counts(): ReplicaCounts {
    const { pending } = this
    return {
      desired: this.desired,
      ready: this.readyCount,
      starting: this.starting.length + pending.length,
      terminating: this.draining.length,
      ...(this.starting.length + pending.length === 0
        ? {}
        : {
            startingSince: [...pending, ...this.starting.map(({ createdAt }) => createdAt)].sort(
              (x, y) => x - y,
            ),
          }),
      ...(pending.length === 0
        ? {}
        : {
            unschedulable: {
              replicas: pending.length,
              since: Math.min(...pending),
              why: `pool ${this.variant.pool} has no GPU free`,
            },
          }),
    }
  }

  /** Lets time pass: what has started is ready, what has drained is gone. */
  advance(at: number): void {
    this.account(at)
    const { starting, draining } = this
    if (starting.some(({ readyAt }) => readyAt <= at)) {
      this.starting = starting.filter(({ readyAt }) => readyAt > at)
      this.readyCount += starting.length - this.starting.length
    }
    if (draining.some((goneAt) => goneAt <= at)) {
      this.draining = draining.filter((goneAt) => goneAt > at)
      for (let i = this.draining.length; i < draining.length; i++) this.giveNode()
    }
  }

  /** Pending first, then starting, then ready ones, which take `drainSeconds` to finish what they run. */
  scale(replicas: number, at: number, drainSeconds: number): void {
    this.account(at)
    this.desired = replicas
    let surplus = this.readyCount + this.starting.length + this.pending.length - replicas
    for (; surplus < 0; surplus++) this.pending.push(at)
    for (; surplus > 0 && this.pending.length > 0; surplus--) this.pending.pop()
    for (; surplus > 0 && this.starting.length > 0; surplus--) {
      this.starting.pop()
      this.giveNode()
    }
    for (; surplus > 0; surplus--) {
      this.readyCount--
      this.draining.push(at + drainSeconds)
    }
    this.schedulePending(at)
  }

  schedulePending(at: number): void {
    this.account(at)
    while (this.pending.length > 0 && this.takeNode()) {
      const createdAt = this.pending.shift() as number
      this.starting.push({ createdAt, readyAt: at + this.startupSeconds() })
    }
  }

  /** So many ready ones start again. */
  restart(replicas: number, at: number): number {
    this.account(at)
    const lost = Math.min(replicas, this.readyCount)
    this.readyCount -= lost
    for (let i = 0; i < lost; i++) this.starting.push({ createdAt: at, readyAt: at + this.startupSeconds() })
    return lost
  }

  spent(at: number): Spent {
    this.account(at)
    return {
      replicaSeconds: this.replicaSeconds,
      startingSeconds: this.startingSeconds,
      dollars: (this.replicaSeconds / 3600) * this.variant.costPerHour,
    }
  }

  private startupSeconds(): number {
    const { medianSeconds, sigma } = this.variant.startup
    return this.random.lognormal(medianSeconds, sigma)
  }

  private account(at: number): void {
    const seconds = at - this.accountedUntil
    if (seconds <= 0) return
    this.replicaSeconds += seconds * (this.readyCount + this.starting.length + this.draining.length)
    this.startingSeconds += seconds * this.starting.length
    this.accountedUntil = at
  }

  private takeNode(): boolean {
    return this.pools.take({ pool: this.variant.pool, gpus: this.variant.gpusPerReplica })
  }

  private giveNode(): void {
    this.pools.give({ pool: this.variant.pool, gpus: this.variant.gpusPerReplica })
  }
}
