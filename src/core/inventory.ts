// Which GPUs the plans may use, and which of them are free this moment.
import type { Observation } from './observation.ts'
import type { Pool, Variant } from './policy.ts'
import { isMissing } from './reading.ts'
import type { State } from './state.ts'
import type { PolicyView } from './view.ts'

/** GPUs by pool. Pools of unknown size are absent: nothing is known to limit them. */
export type Gpus = ReadonlyMap<string, number>

/** Inventory less what variants hold that cannot be seen: they keep theirs. */
export function plannableGpus(
  views: readonly PolicyView[],
  pools: readonly Pool[],
  state: State,
  observation: Observation,
): Gpus {
  const gpus = new Map<string, number>()
  for (const { name, gpus: stated } of pools) {
    const found = stated ?? observation.pools[name]
    if (found !== undefined && !isMissing(found)) gpus.set(name, found)
  }
  for (const { variant } of views.flatMap(({ unseen }) => unseen)) {
    const replicas = observation.variants[variant.id]?.replicas
    const running = replicas === undefined || isMissing(replicas) ? 0 : replicas.ready + replicas.starting
    take(gpus, variant, Math.max(running, state.variants[variant.id]?.target ?? 0))
  }
  return gpus
}

/** Of those, what nobody uses or has been promised. Negative where a pool holds more than it should. */
export function freeGpus(views: readonly PolicyView[], plannable: Gpus): Map<string, number> {
  const free = new Map(plannable)
  for (const { variant, coming } of views.flatMap(({ seen }) => seen)) take(free, variant, coming)
  return free
}

/** Takes the GPUs of so many replicas out of the variant's pool. */
export function take(gpus: Map<string, number>, variant: Variant, replicas: number): void {
  const left = gpus.get(variant.pool)
  if (left !== undefined) gpus.set(variant.pool, left - replicas * variant.accelerator.countPerReplica)
}
