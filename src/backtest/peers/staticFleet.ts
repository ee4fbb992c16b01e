// A fleet that never changes, sized for one rate: what a spreadsheet orders. At the peak it is the baseline that every
// autoscaler is sold against; a lower share of the peak is what hindsight would have ordered.

import type { ClassId, ScalingPolicy, VariantId } from '../../core/policy.ts'
import { rateOf } from '../../core/sizing.ts'
import type { Signal } from '../controller.ts'
import { arrangementNamed, assumedCapacity } from './arrangement.ts'
import type { Configuration, Peer } from './peer.ts'
import { controllerOf, type Rule, wants } from './rule.ts'

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
    controllerOf: controllerOf('static', (policy) => ruleOf(policy, parameters)),
  }
}

function ruleOf(policy: ScalingPolicy, parameters: StaticParameters): Rule {
  return fixed(policy, countsFor(policy, parameters))
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

/** Whatever happens, these counts. */
export function fixedCounts(counts: Readonly<Record<VariantId, number>>): Configuration {
  return {
    label: Object.entries(counts)
      .map(([id, count]) => `${count} x ${id}`)
      .join(', '),
    controllerOf: controllerOf('static', (policy) => fixed(policy, counts)),
  }
}

function fixed(policy: ScalingPolicy, counts: Readonly<Record<VariantId, number>>): Rule {
  const driven = policy.variants.filter(({ id }) => counts[id] !== undefined)
  const signals: Readonly<Record<VariantId, Signal>> = Object.fromEntries(
    driven.map((variant) => [variant.id, wants(variant, counts[variant.id] ?? 0)]),
  )
  return {
    intervalSeconds: 60,
    actuations: new Map(driven.map(({ id }) => [id, { kind: 'direct' }])),
    step: () => signals,
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
