// Who decides: our own `decide`, a static fleet, a peer's rule. A controller sees what it could see in a cluster,
// and its answer passes through KEDA and the HPA, or straight to the scale target, as it would there.
import type { Observation } from '../core/observation.ts'
import type { ClassId, PolicyId, VariantId } from '../core/policy.ts'
import type { Reading } from '../core/reading.ts'
import type { HpaBehavior } from '../simulation/hpa.ts'
import type { Site, SiteVariant } from './site.ts'
import type { TargetLayers } from './targetLayers.ts'

export interface Controller {
  /** For tables: `mixscaler`, `static`, ... */
  readonly name: string
  /** Between two steps. */
  readonly intervalSeconds: number
  readonly actuation: (variant: SiteVariant) => Actuation
  /** Steps come in order of time. A controller keeps what it remembers to itself. */
  readonly step: (observation: Observation) => Told
}

export type Actuation =
  /** A ScaledObject: KEDA polls, the HPA divides the metric by its target and limits the change. */
  | {
      readonly kind: 'keda'
      readonly pollingSeconds: number
      readonly cooldownSeconds: number
      readonly behavior: HpaBehavior | 'unset'
      readonly minReplicas: number
      readonly maxReplicas: number
    }
  /** The controller writes spec.replicas itself. */
  | { readonly kind: 'direct' }

export interface Told {
  /** Variants that are absent get no answer: KEDA and the HPA hold. */
  readonly signals: Readonly<Record<VariantId, Signal>>
  /** For the report. What was planned, before anything limited it. */
  readonly wanted: Readonly<Record<VariantId, number>>
  /** Requests per second. */
  readonly forecast: Readonly<Record<ClassId, number>>
  /** Why, by policy, as sentences; made when they are asked for. Absent: the rule gives none. */
  readonly why?: () => Readonly<Record<PolicyId, readonly string[]>>
  /** What the targets cost, in layers; worked out when it is asked for. Absent: the rule sizes by no demand. */
  readonly layers?: () => Reading<TargetLayers>
}

export interface Signal {
  /** Sum over the variant; the HPA wants `metric / target` replicas. Actuated directly: rounded up. */
  readonly metric: number
  readonly target: number
  /** KEDA's IsActive: from zero, and back to it. */
  readonly active: boolean
}

/** Made anew for every run. */
export type ControllerOf = (site: Site) => Controller
