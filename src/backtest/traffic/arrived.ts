// What arrived of each class, as Prometheus tells it for one instant of the past: the same reading of the same signals as a
// tick's, without what a tick adds to it for sizing. Requests that wait are not new ones, and a deadline is no arrival.
import { arrivingNow } from '../../core/demand/burst.ts'
import type { ClassShape } from '../../core/demand/shape.ts'
import type { Observation, ReplicaCounts, ShortRate, VariantSignals } from '../../core/observation.ts'
import {
  type ClassId,
  type PolicySet,
  type ScalingPolicy,
  serves,
  type TrafficClass,
  type VariantId,
} from '../../core/policy.ts'
import { readDemand } from '../../core/readDemand.ts'
import { isMissing, missing, type Reading } from '../../core/reading.ts'
import { emptyState } from '../../core/state.ts'

export interface Arrived {
  readonly requestsPerSecond: Reading
  readonly lengths: ClassShape
  /** Over seconds, for burstiness. */
  readonly now: Reading<ShortRate>
}

/** Classes whose arrivals no query tells: a backlog says what waits. */
export function untold({ policies }: PolicySet): readonly TrafficClass[] {
  return policies.flatMap(({ classes }) =>
    classes.filter(({ demand }) => demand.kind === 'query' && demand.requestsPerSecond === undefined),
  )
}

/** The policies with classes that are told by what arrives alone: no deadline, no backlog. */
export function asArriving(stated: PolicySet): PolicySet {
  return {
    ...stated,
    policies: stated.policies.map((policy) => ({ ...policy, classes: policy.classes.map(arrivingClass) })),
  }
}

function arrivingClass(trafficClass: TrafficClass): TrafficClass {
  const { demand, serviceLevel } = trafficClass
  return {
    ...trafficClass,
    serviceLevel: serviceLevel.kind === 'interactive' ? serviceLevel : { kind: 'interactive' },
    demand:
      demand.kind === 'query' && demand.requestsPerSecond !== undefined
        ? { kind: 'query', requestsPerSecond: demand.requestsPerSecond }
        : demand,
  }
}

/** Of policies as `asArriving` makes them. A class is known where all engines that it enters through are. */
export function arrivedAt(
  { policies }: PolicySet,
  observation: Observation,
): Readonly<Record<ClassId, Arrived>> {
  const arrived: Record<ClassId, Arrived> = {}
  for (const policy of policies) {
    const seen = withoutQueues(policy, observation)
    const { variants, unseen, shapes, demand } = readDemand(policy, emptyState, seen)
    for (const trafficClass of policy.classes) {
      const lost = unseen.find(({ variant }) => variant.role !== 'decode' && serves(variant, trafficClass))
      const known = demand[trafficClass.id]
      arrived[trafficClass.id] = {
        requestsPerSecond:
          known?.readAt === 'source' || lost === undefined
            ? (known?.requestsPerSecond ?? missing('noSeries', trafficClass.name))
            : lost.why,
        lengths: shapes.get(trafficClass) as ClassShape,
        now: arrivingNow(trafficClass, variants, seen),
      }
    }
  }
  return arrived
}

function withoutQueues(policy: ScalingPolicy, observation: Observation): Observation {
  const someSeen = policy.variants.some(({ id }) => !unseen(observation.variants[id]))
  const variants = policy.variants.flatMap(({ id }): [VariantId, VariantSignals][] => {
    const signals = observation.variants[id]
    if (signals === undefined) return []
    const { waiting, replicas } = signals
    return [
      [
        id,
        {
          ...signals,
          waiting: isMissing(waiting) ? waiting : 0,
          replicas: someSeen && neverThere(replicas) ? nothing : replicas,
        },
      ],
    ]
  })
  const classes = policy.classes.map(({ id }) => {
    const { gateway, ...asked } = observation.classes[id] ?? {}
    if (gateway === undefined || isMissing(gateway)) return [id, { ...observation.classes[id] }] as const
    return [id, { ...asked, gateway: { ...gateway, queued: 0 } }] as const
  })
  return { ...observation, variants: Object.fromEntries(variants), classes: Object.fromEntries(classes) }
}

const nothing: ReplicaCounts = { desired: 0, ready: 0, starting: 0, terminating: 0 }

/** No series and no target that fails, while others of the policy are seen: nothing of it ran. */
function neverThere(replicas: Reading<ReplicaCounts>): boolean {
  return isMissing(replicas) && replicas.missing === 'noSeries'
}

function unseen(signals: VariantSignals | undefined): boolean {
  return signals === undefined || isMissing(signals.replicas)
}
