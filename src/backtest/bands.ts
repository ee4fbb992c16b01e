// What dead band and hold band add to the cost of a plan: the same instant planned again without them. Counts that the HPA
// would ignore are not planned, and a change that saves little is not made; neither says in the decision what it costs.
import type { Decision, PolicyDecision } from '../core/decision.ts'
import { planned, type Scene } from '../core/explain/alternatives.ts'
import type { PolicySet, ScalingPolicy } from '../core/policy.ts'
import { isMissing, missing, type Reading } from '../core/reading.ts'

/** Dollars per hour; starts weigh in the choice of both plans and are not counted. `scene` is what was decided on. */
export function bandsPerHour(policies: PolicySet, decision: Decision, scene: Scene): Reading {
  const mayMatter = decision.policies.some((decided) =>
    policies.policies.some((policy) => policy.id === decided.id && bandsMayMatter(policy, decided)),
  )
  if (!mayMatter) return 0
  const { plans } = planned({ ...policies, policies: policies.policies.map(withoutBands) }, scene)
  let sum = 0
  for (const { id, variants } of decision.policies) {
    const outcome = plans.get(id)?.outcome
    if (outcome === undefined || outcome.status === 'failed')
      return missing('noSeries', `a plan of ${id} without dead band`)
    for (const variant of variants)
      if (!isMissing(variant.wanted))
        sum += (variant.wanted - (outcome.replicas[variant.id] ?? 0)) * variant.costPerReplicaHour
  }
  return sum
}

/** Planning again is half of a decision: where all counts can be reached and none was kept, the plan would be the same. */
function bandsMayMatter({ behavior }: ScalingPolicy, { reasons, variants }: PolicyDecision): boolean {
  return (
    reasons.some(({ kind }) => kind === 'notWorthIt') ||
    variants.some(
      ({ replicas }) =>
        !isMissing(replicas) && (replicas.ready + replicas.starting) * behavior.hpaTolerance > 1 - 1e-6,
    )
  )
}

function withoutBands(policy: ScalingPolicy): ScalingPolicy {
  return { ...policy, behavior: { ...policy.behavior, hpaTolerance: 0, holdBand: 0 } }
}
