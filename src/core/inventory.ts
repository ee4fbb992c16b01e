// Which GPUs the plans may use, and which of them are free this moment.
import type { Observation } from './observation.ts'
import type { Pool, Variant } from './policy.ts'
import { isMissing } from './reading.ts'
import { isPendingTooLong } from './stabilize/bounds.ts'
import { type State, targetBefore } from './state.ts'
import type { PolicyView } from './view.ts'

/** GPUs by pool. Pools of unknown size are absent: nothing is known to limit them. */
export type Gpus = ReadonlyMap<string, number>

/** What there is, by the policies or the nodes, less what variants hold that cannot be seen: they keep theirs. */
export function existingGpus(
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
    take(gpus, variant, Math.max(running, targetBefore(state.variants[variant.id], observation.at) ?? 0))
  }
  return gpus
}

/**
 * Of those, what can be planned with: a pool is full, whatever its inventory says, while the scheduler finds no node
 * for a replica. Only where that replica is among the smallest: a larger one says nothing about the room for smaller.
 */
export function plannableGpus(gpus: Gpus, views: readonly PolicyView[], observation: Observation): Gpus {
  const plannable = new Map(gpus)
  const variants = views.flatMap(({ policy }) => policy.variants)
  for (const pool of fullPools(variants, observation)) {
    const scheduled = variants
      .filter((variant) => variant.pool === pool)
      .reduce((sum, variant) => sum + scheduledGpus(variant, observation), 0)
    plannable.set(pool, Math.min(gpus.get(pool) ?? Number.POSITIVE_INFINITY, scheduled))
  }
  return plannable
}

function fullPools(
  variants: readonly Variant[],
  { at, variants: observed }: Observation,
): ReadonlySet<string> {
  const pending = variants.filter((variant) => {
    const replicas = observed[variant.id]?.replicas
    return replicas !== undefined && !isMissing(replicas) && isPendingTooLong(variant, replicas, at)
  })
  const isSmallest = ({ pool, accelerator }: Variant): boolean =>
    variants.every(
      (other) => other.pool !== pool || other.accelerator.countPerReplica >= accelerator.countPerReplica,
    )
  return new Set(pending.filter(isSmallest).map(({ pool }) => pool))
}

function scheduledGpus({ id, accelerator }: Variant, { variants }: Observation): number {
  const replicas = variants[id]?.replicas
  if (replicas === undefined || isMissing(replicas)) return 0
  const { ready, starting, unschedulable } = replicas
  return (ready + starting - (unschedulable?.replicas ?? 0)) * accelerator.countPerReplica
}

/** Of what there is, what nobody uses or has been promised. Negative where a pool holds more than it should. */
export function freeGpus(views: readonly PolicyView[], gpus: Gpus): Map<string, number> {
  const free = new Map(gpus)
  for (const { variant, held } of views.flatMap(({ seen }) => seen)) take(free, variant, held)
  return free
}

/** Takes the GPUs of so many replicas out of the variant's pool. */
export function take(gpus: Map<string, number>, variant: Variant, replicas: number): void {
  const left = gpus.get(variant.pool)
  if (left !== undefined) gpus.set(variant.pool, left - replicas * variant.accelerator.countPerReplica)
}
