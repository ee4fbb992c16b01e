// How fast a latency-tolerant class is being served: what the last plan let each variant carry of it, on the replicas
// that are there by now. A rate above that has to wait for replicas to start.

import type { Observation, ReplicaCounts } from '../observation.ts'
import type { MixPlan } from '../optimize/mix.ts'
import type { ClassId, Variant, VariantId } from '../policy.ts'
import { isMissing } from '../reading.ts'
import type { Supply } from './deadlines.ts'

/** Of one class, by variant. */
export type Carried = Readonly<Record<VariantId, CarriedByVariant>>

interface CarriedByVariant {
  /** Requests per second without headroom, by all replicas that were planned. */
  readonly perSecond: number
  readonly replicas: number
}

export function carriedBy(plan: MixPlan, classId: ClassId, headroom: number): Carried {
  const carried: Record<VariantId, CarriedByVariant> = {}
  for (const [id, perSecond] of Object.entries(plan.flow[classId] ?? {})) {
    const replicas = plan.replicas[id] ?? 0
    if (perSecond > 0 && replicas > 0) carried[id] = { perSecond: perSecond / (1 + headroom), replicas }
  }
  return carried
}

/** `serving`: the variants that can be seen and may serve the class. */
export function supplyOf(serving: readonly Variant[], observation: Observation, carried: Carried): Supply {
  const served = (count: (replicas: ReplicaCounts) => number): number => {
    let entering = 0
    let leaving = 0
    for (const { id, role } of serving) {
      const replicas = observation.variants[id]?.replicas
      const part = carried[id]
      if (replicas === undefined || isMissing(replicas) || part === undefined) continue
      const perSecond = part.perSecond * Math.min(1, count(replicas) / part.replicas)
      if (role !== 'decode') entering += perSecond
      if (role !== 'prefill') leaving += perSecond
    }
    return Math.min(entering, leaving)
  }
  return {
    ready: served(({ ready }) => ready),
    coming: served(({ ready, starting }) => ready + starting),
    comingInSeconds: Math.max(0, ...serving.map((variant) => startsIn(variant, observation))),
    startupSeconds: Math.max(0, ...serving.map(({ startupSeconds }) => startupSeconds)),
  }
}

/** Until the replicas that start now are ready: as long as a new start where that is not known or overdue. */
function startsIn({ id, startupSeconds }: Variant, { at, variants }: Observation): number {
  const replicas = variants[id]?.replicas
  if (replicas === undefined || isMissing(replicas) || replicas.starting === 0) return 0
  const elapsed = Math.max(0, at - (replicas.startingSince?.[0] ?? at))
  return elapsed < startupSeconds ? startupSeconds - elapsed : startupSeconds
}
