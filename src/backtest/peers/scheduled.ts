// A controller that replays counts written down beforehand: how a schedule that knows the future is held against the
// plant. It orders each replica early by its start-up time, and lets it go when the schedule does.
import type { VariantId } from '../../core/policy.ts'
import type { Configuration } from './peer.ts'
import { controllerOf, wants } from './rule.ts'

/** Ready replicas, step by step from `fromSeconds` (Unix time) on; before it as in the first step, after it as in the last. */
export interface Schedule {
  readonly fromSeconds: number
  readonly stepSeconds: number
  readonly counts: Readonly<Record<VariantId, readonly number[]>>
}

/** `leadSeconds`: by how much a replica is ordered before it is wanted. */
export function scheduled(
  label: string,
  schedule: Schedule,
  leadSeconds: Readonly<Record<VariantId, number>>,
): Configuration {
  return {
    label,
    controllerOf: controllerOf('clairvoyant', (policy) => {
      const driven = policy.variants.filter(({ id }) => schedule.counts[id] !== undefined)
      const orders = new Map(
        driven.map(({ id }) => [
          id,
          early(schedule.counts[id] ?? [], Math.ceil((leadSeconds[id] ?? 0) / schedule.stepSeconds)),
        ]),
      )
      return {
        intervalSeconds: schedule.stepSeconds,
        actuations: new Map(driven.map(({ id }) => [id, { kind: 'direct' }])),
        step: ({ at }) => {
          const step = Math.floor((at - schedule.fromSeconds) / schedule.stepSeconds)
          return Object.fromEntries(
            driven.map((variant) => {
              const counts = orders.get(variant.id) ?? []
              const index = Math.min(counts.length - 1, Math.max(0, step))
              return [variant.id, wants(variant, counts[index] ?? 0)]
            }),
          )
        },
      }
    }),
  }
}

/** max of counts[t .. t + lead]. */
export function early(counts: readonly number[], lead: number): readonly number[] {
  return counts.map((_, t) => counts.slice(t, t + lead + 1).reduce((most, count) => Math.max(most, count), 0))
}
