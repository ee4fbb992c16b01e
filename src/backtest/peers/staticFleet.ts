// A fleet that never changes, sized for one rate: what a spreadsheet orders. At the peak it is the baseline that every
// autoscaler is sold against; a lower share of the peak is what hindsight would have ordered.

import type { ClassId, ScalingPolicy, VariantId } from '../../core/policy.ts'
import { rateOf } from '../../core/sizing.ts'
import { staticController } from '../ours.ts'
import { arrangementNamed, assumedCapacity } from './arrangement.ts'
import type { Configuration, Peer } from './peer.ts'

export interface StaticParameters {
  readonly arrangement: string
  /** Requests per second of each class, by class id, that the fleet is to carry. */
  readonly requestsPerSecond: Readonly<Record<ClassId, number>>
  /** Of that rate. */
  readonly share: number
}

export function staticFleet(parameters: StaticParameters): Configuration {
  return {
    label: `${parameters.arrangement} at ${Math.round(100 * parameters.share)} %`,
    controllerOf: ({ policies: { policies } }) => {
      const counts = policies.map((policy) => ({
        ...Object.fromEntries(policy.variants.map(({ id, replicas }) => [id, replicas.min])),
        ...countsFor(policy, parameters),
      }))
      return staticController(Object.assign({}, ...counts))
    },
  }
}

/** n = ceil(share sum over classes of rate / capacity), each with the pooling of the count it leads to. */
export function countsFor(
  policy: ScalingPolicy,
  { arrangement, requestsPerSecond, share }: StaticParameters,
): Readonly<Record<VariantId, number>> {
  const capacityOf = assumedCapacity(policy)
  return Object.fromEntries(
    arrangementNamed(policy, arrangement).variants.map((variant) => {
      const needed = (replicas: number): number =>
        policy.classes.reduce((sum, each) => {
          const rate = share * (requestsPerSecond[each.id] ?? 0)
          return rate > 0 ? sum + rate / rateOf(capacityOf(each, variant, replicas)) : sum
        }, 0)
      let count = 1
      while (count < variant.replicas.max && needed(count) > count) count++
      return [variant.id, count]
    }),
  )
}

/** Whatever happens, these counts; variants without one have none. */
export function fixedCounts(counts: Readonly<Record<VariantId, number>>): Configuration {
  return {
    label: Object.entries(counts)
      .map(([id, count]) => `${count} x ${id}`)
      .join(', '),
    controllerOf: () => staticController(counts),
  }
}

const shares = Array.from({ length: 21 }, (_, i) => (50 + 5 * i) / 100)

/** `peak`: requests per second of each class by class id. */
export function staticPeer(names: readonly string[], peak: Readonly<Record<ClassId, number>>): Peer {
  const at = (arrangement: string, share: number): Configuration =>
    staticFleet({ arrangement, requestsPerSecond: peak, share })
  return {
    name: 'static',
    source: 'the busiest minute of the traffic over the capacity within the SLO, rounded up',
    shipped: at(names[0] ?? '', 1),
    grid: names.flatMap((name) => shares.map((share) => at(name, share))),
  }
}
