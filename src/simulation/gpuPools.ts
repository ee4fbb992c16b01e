// The GPUs that fleets share: a replica is scheduled when its pool has room for it, first come, first served.

export interface GpuClaim {
  readonly pool: string
  readonly gpus: number
}

export class GpuPools {
  private readonly free: Map<string, number>
  private readonly foreign = new Map<string, number>()

  /** GPUs by pool; pools that are absent have no end. */
  constructor(gpus: Readonly<Record<string, number>>) {
    this.free = new Map(Object.entries(gpus))
  }

  /** Whether it found room. */
  take({ pool, gpus }: GpuClaim): boolean {
    const free = this.free.get(pool)
    if (free === undefined) return true
    if (free < gpus) return false
    this.free.set(pool, free - gpus)
    return true
  }

  give({ pool, gpus }: GpuClaim): void {
    const free = this.free.get(pool)
    if (free !== undefined) this.free.set(pool, free + gpus)
  }

  /** Pods of somebody else take so many, or what is free. */
  lend({ pool, gpus }: GpuClaim): void {
    const lent = Math.min(gpus, this.free.get(pool) ?? 0)
    this.take({ pool, gpus: lent })
    this.foreign.set(pool, (this.foreign.get(pool) ?? 0) + lent)
  }

  /** All of those pods go. */
  takeBack(pool: string): void {
    this.give({ pool, gpus: this.foreign.get(pool) ?? 0 })
    this.foreign.delete(pool)
  }
}
