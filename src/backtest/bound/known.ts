// The future as a clairvoyant knows it: true rates step by step, and what one replica carries of them within the SLO.
import type { CapacityMemo } from '../../core/capacity/memo.ts'
import type { Shape } from '../../core/capacity/question.ts'
import type { ScalingPolicy, TrafficClass, Variant } from '../../core/policy.ts'
import { rateOf } from '../../core/sizing.ts'
import { statedSizing } from '../statedSizing.ts'

export interface Known {
  readonly stepSeconds: number
  /** Steps; every class has as many. */
  readonly steps: number
  /** Interactive classes of one policy; others are left out of the bound. */
  readonly classes: readonly KnownClass[]
}

export interface KnownClass {
  readonly trafficClass: TrafficClass
  readonly requestsPerSecond: Float64Array
  readonly shapes: readonly Shape[]
  /** Which of the shapes rules in a step. */
  readonly shapeAt: Uint16Array
}

/** Requests per second of one replica, by class, variant and step; 0 where it cannot serve the class. */
export type KnownCapacity = (known: KnownClass, variant: Variant, step: number) => number

/** The most that pooling gives (docs/MODEL.md, "Pooling"). */
const pooled = 16

/** What the model says a replica carries at the SLO's percentile: without margins on the SLO and on the load. */
export function knownCapacity(policy: ScalingPolicy, memo: CapacityMemo): KnownCapacity {
  const bare: ScalingPolicy = { ...policy, behavior: { ...policy.behavior, sloMargin: 1, maxLoad: 1 } }
  const answers = new Map<Shape, Map<Variant, number>>()
  return ({ trafficClass, shapes, shapeAt }, variant, step) => {
    const shape = shapes[shapeAt[step] ?? 0]
    if (shape === undefined) return 0
    const known = answers.get(shape) ?? new Map<Variant, number>()
    answers.set(shape, known)
    const found = known.get(variant)
    if (found !== undefined) return found
    const { capacityOf } = statedSizing(bare, () => shape, memo)
    const rate = rateOf(capacityOf(trafficClass, variant, pooled))
    known.set(variant, rate)
    return rate
  }
}
