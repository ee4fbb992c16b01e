// KEDA on one metric of one Deployment: what both shipped examples for vLLM amount to. The metric is summed over the
// pods and divided by the threshold (metricType AverageValue); KEDA and the HPA do the rest.
import type { Variant } from '../../core/policy.ts'
import type { Actuation, ControllerOf } from '../controller.ts'
import { arrangementNamed } from './arrangement.ts'
import { type Fleet, fleetOf } from './fleet.ts'
import { controllerOf } from './rule.ts'

export interface KedaParameters {
  readonly arrangement: string
  /** Of the metric, per replica. */
  readonly threshold: number
  readonly minReplicas: number
  readonly pollingSeconds: number
  readonly cooldownSeconds: number
}

/** The HPA asks for external metrics anew at every sync. */
const hpaSyncSeconds = 15

export function kedaOn(
  name: string,
  metric: (fleet: Fleet) => number,
  parameters: KedaParameters,
): ControllerOf {
  return controllerOf(name, (policy) => {
    const { variants } = arrangementNamed(policy, parameters.arrangement)
    return {
      intervalSeconds: hpaSyncSeconds,
      actuations: new Map(variants.map((variant) => [variant.id, scaledObject(variant, parameters)])),
      step: (observation) =>
        Object.fromEntries(
          variants.map((variant) => {
            const value = metric(fleetOf(variant, observation))
            return [variant.id, { metric: value, target: parameters.threshold, active: value > 0 }]
          }),
        ),
    }
  })
}

/** Neither example sets `behavior`: the HPA's own defaults, 10 % tolerance and 300 s before it scales down. */
export function scaledObject(
  { replicas }: Variant,
  { minReplicas, pollingSeconds, cooldownSeconds }: Omit<KedaParameters, 'arrangement' | 'threshold'>,
): Actuation {
  return {
    kind: 'keda',
    pollingSeconds,
    cooldownSeconds,
    behavior: 'unset',
    minReplicas: Math.min(replicas.max, Math.max(replicas.min, minReplicas)),
    maxReplicas: replicas.max,
  }
}
