// How a platform engineer would set up the gateway in front of a site: shares of work by what a replica carries within
// its SLO, and how much deferrable work a replica may take beside the interactive requests it serves.
import { decodeStep } from '../core/capacity/iteration.ts'
import { createCapacityMemo } from '../core/capacity/memo.ts'
import type { VariantId } from '../core/policy.ts'
import type { Site, SiteVariant } from './site.ts'
import { assumedShape, statedSizing } from './statedSizing.ts'

/** Relative; of each variant's most urgent class, at the lengths that the policy assumes. */
export function routingWeights({ policies }: Site): ReadonlyMap<VariantId, number> {
  const memo = createCapacityMemo()
  const weights = new Map<VariantId, number>()
  for (const policy of policies.policies) {
    const { capacityOf } = statedSizing(policy, assumedShape, memo)
    const urgentFirst = policy.classes.toSorted((x, y) => x.priority - y.priority)
    for (const variant of policy.variants) {
      for (const trafficClass of urgentFirst) {
        const capacity = capacityOf(trafficClass, variant, 1)
        if (capacity.kind === 'infeasible') continue
        weights.set(variant.id, capacity.requestsPerSecond)
        break
      }
    }
  }
  return weights
}

/** Of the tightest bound on gaps, what deferrable work may use up. */
const usableGap = 0.8
/** Tokens that a sequence holds, where nothing says how many. */
const assumedContext = 1024

/** Sequences that a replica runs before deferrable work waits: as many as keep the tightest bound on gaps. */
export function runBeside({ classes }: Site, variant: SiteVariant): number {
  const gaps = variant.classes.map((classIndex) => {
    const goal = classes[classIndex]?.goal
    return goal?.kind === 'interactive' ? goal.gapSeconds : Infinity
  })
  const bound = Math.min(Infinity, ...gaps) * usableGap * 1000
  let most = variant.maxNumSeqs
  while (most > 1 && decodeStep(variant.profile, most, most * assumedContext) > bound) most--
  return most
}
