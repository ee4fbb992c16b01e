// What a decision's plan takes in all, so that two of them can be compared: money, GPUs by pool, and what stays short.
import type { Decision, VariantDecision } from './decision.ts'
import type { ClassId, PolicySet } from './policy.ts'
import { isMissing, type Reading } from './reading.ts'

export interface Totals {
  /** Of the plan: wanted counts, and held ones where there is no plan. */
  readonly costPerHour: Reading
  /** By pool, those that some variant uses, by name; missing where a count is not known. */
  readonly gpus: Readonly<Record<string, Reading>>
  /** Requests per second of the classes that are short, and of no others. */
  readonly shortfall: Readonly<Record<ClassId, number>>
}

/** `policies` are those that were decided on. */
export function totals({ policies }: PolicySet, decision: Decision): Totals {
  const decided = new Map(
    decision.policies.flatMap((policy) => policy.variants.map((variant) => [variant.id, variant])),
  )
  const gpus = new Map<string, Reading>()
  for (const { id, pool, accelerator } of policies.flatMap(({ variants }) => variants)) {
    const variant = decided.get(id)
    if (variant === undefined) continue
    const before = gpus.get(pool) ?? 0
    const count = plannedCount(variant)
    if (isMissing(before)) continue
    gpus.set(pool, isMissing(count) ? count : before + count * accelerator.countPerReplica)
  }
  return {
    costPerHour: decision.costPerHour.plan,
    gpus: Object.fromEntries([...gpus].sort(([x], [y]) => (x < y ? -1 : 1))),
    shortfall: Object.fromEntries(
      decision.policies
        .flatMap(({ classes }) => classes)
        .flatMap(({ id, shortfall }) =>
          isMissing(shortfall) || shortfall === 0 ? [] : [[id, shortfall] as const],
        ),
    ),
  }
}

/** What the optimizer wants, or what is held where it could not be asked. */
export function plannedCount({ wanted, target }: VariantDecision): Reading {
  return isMissing(wanted) ? target : wanted
}
