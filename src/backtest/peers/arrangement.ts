// Which Deployments a rule for one engine type drives: a unified variant, or a prefill and a decode variant of one
// transfer group. The choice is its user's, who is given the best there is: cheapest per request within the SLO
// first, by our own capacity model at the lengths that the policy assumes; tuning tries each.
import { createCapacityMemo } from '../../core/capacity/memo.ts'
import { type ScalingPolicy, serves, type Variant } from '../../core/policy.ts'
import { type CapacityOf, rateOf } from '../../core/sizing.ts'
import { assumedShape, statedSizing } from '../statedSizing.ts'

/** One variant, or prefill then decode. */
export interface Arrangement {
  /** For labels: names joined by `+`. */
  readonly name: string
  readonly variants: readonly Variant[]
}

/** Only arrangements that serve every class of the policy; cheapest per request first. */
export function arrangements(policy: ScalingPolicy): readonly Arrangement[] {
  const able = policy.variants.filter((variant) => policy.classes.every((each) => serves(variant, each)))
  const alone = able.filter(({ role }) => role === 'unified').map((variant) => [variant])
  const pairs = able
    .filter(({ role }) => role === 'prefill')
    .flatMap((prefill) =>
      able
        .filter(({ role, transferGroup }) => role === 'decode' && transferGroup === prefill.transferGroup)
        .map((decode) => [prefill, decode]),
    )
  const capacityOf = assumedCapacity(policy)
  const cost = (variants: readonly Variant[]): number =>
    variants.reduce(
      (sum, variant) =>
        sum +
        policy.classes.reduce(
          (each, trafficClass) =>
            each + variant.costPerHour / rateOf(capacityOf(trafficClass, variant, pooled)),
          0,
        ),
      0,
    )
  return [...alone, ...pairs]
    .toSorted((x, y) => cost(x) - cost(y))
    .map((variants) => ({ name: variants.map(({ name }) => name).join('+'), variants }))
}

/** Enough replicas for the whole gain of a shared queue. */
const pooled = 16

/** Within the SLO, at the lengths that the policy assumes. */
export function assumedCapacity(policy: ScalingPolicy): CapacityOf {
  return statedSizing(policy, assumedShape, createCapacityMemo()).capacityOf
}

/** The arrangement of this name; every policy of a site that has none drives its cheapest. */
export function arrangementNamed(policy: ScalingPolicy, name: string): Arrangement {
  const all = arrangements(policy)
  const found = all.find((arrangement) => arrangement.name === name) ?? all[0]
  if (found === undefined) {
    throw new RangeError(`${policy.id} has no variant, and no pair of variants, that serves all its classes`)
  }
  return found
}
