// A peer's rule knows one policy at a time. Here rules become a controller of the whole site, side by side as they
// would run in a cluster: none knows of the others.
import type { Observation } from '../../core/observation.ts'
import type { ScalingPolicy, Variant, VariantId } from '../../core/policy.ts'
import type { Actuation, Controller, ControllerOf, Signal } from '../controller.ts'

export interface Rule {
  readonly intervalSeconds: number
  /** Variants without an entry stay at their minimum. */
  readonly actuations: ReadonlyMap<VariantId, Actuation>
  /** Signals of variants with an entry above; absent: no answer. */
  readonly step: (observation: Observation) => Readonly<Record<VariantId, Signal>>
}

export type RuleOf = (policy: ScalingPolicy) => Rule

/** All rules of a site must step together. */
export function controllerOf(name: string, ruleOf: RuleOf): ControllerOf {
  return ({ policies: { policies } }): Controller => {
    const rules = policies.map((policy) => ({ policy, rule: ruleOf(policy) }))
    const idle = rules.flatMap(({ policy, rule }) =>
      policy.variants.filter(({ id }) => !rule.actuations.has(id)),
    )
    const atRest = Object.fromEntries(idle.map((variant) => [variant.id, wants(variant, 0)]))
    return {
      name,
      intervalSeconds: Math.min(...rules.map(({ rule }) => rule.intervalSeconds)),
      actuation: ({ id }) =>
        rules.flatMap(({ rule }) => rule.actuations.get(id) ?? [])[0] ?? { kind: 'direct' },
      step: (observation) => {
        const signals = Object.assign({}, atRest, ...rules.map(({ rule }) => rule.step(observation)))
        return { signals, wanted: wantedBy(signals), forecast: {} }
      },
    }
  }
}

/** So many replicas, within the variant's bounds. */
export function wants({ replicas: { min, max } }: Variant, replicas: number): Signal {
  const count = Math.min(max, Math.max(min, replicas))
  return { metric: count, target: 1, active: count > 0 }
}

function wantedBy(signals: Readonly<Record<VariantId, Signal>>): Readonly<Record<VariantId, number>> {
  return Object.fromEntries(
    Object.entries(signals).map(([id, { metric, target }]) => [id, Math.ceil(metric / target - 1e-9)]),
  )
}
