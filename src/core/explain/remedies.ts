// What would help where something is short? As much more of one thing as the plan would take if there were no end of it,
// planned again with just so much: the figures are those of a plan one can have.
import type { ScalingPolicy } from '../policy.ts'
import {
  type Alternative,
  alternative,
  type Change,
  changed,
  gpusTaken,
  inventory,
  negligible,
  type Planned,
  planned,
  planOf,
  rounded,
  type Scene,
  stillShort,
} from './alternatives.ts'

/**
 * Single changes that leave less short: as many GPUs of a pool, replicas of a variant, or money as the plan would take
 * if there were no end of it. Those that carry everything come first, the cheapest of them leading.
 */
export function remedies(
  base: Planned,
  policy: ScalingPolicy,
  relaxed: readonly Alternative[],
  scene: Scene,
): readonly Alternative[] {
  const more = [
    ...poolChanges(base, policy, scene),
    ...maxChanges(base, policy, scene),
    ...budgetChanges(base, policy, scene),
  ]
  return [...more.flatMap((change) => alternative(base, policy.id, change, scene) ?? []), ...relaxed]
    .filter((each) => stillShort(each).to < stillShort(each).from - negligible)
    .sort((x, y) => uncured(x) - uncured(y) || x.morePerHour - y.morePerHour)
}

function uncured(each: Alternative): number {
  const { to } = stillShort(each)
  return to > negligible ? to : 0
}

function poolChanges(base: Planned, policy: ScalingPolicy, scene: Scene): readonly Change[] {
  const names = [...new Set(policy.variants.map(({ pool }) => pool))].sort()
  return names.flatMap((pool) => {
    const from = inventory(base.policies, pool, scene)
    const plannable = base.gpus.get(pool)
    if (from === undefined || plannable === undefined) return []
    const most = base.policies.policies
      .flatMap(({ variants }) => variants)
      .filter((variant) => variant.pool === pool)
      .reduce((sum, { replicas, accelerator }) => sum + replicas.max * accelerator.countPerReplica, 0)
    const open = planned(changed(base.policies, `pool.${pool}=${from + most}`), scene)
    const to = from + gpusTaken(open, pool) - plannable
    return to > from ? [{ kind: 'pool', pool, from, to }] : []
  })
}

function maxChanges(base: Planned, policy: ScalingPolicy, scene: Scene): readonly Change[] {
  const plan = planOf(base, policy.id)
  const full = (plan?.binding ?? []).flatMap((bound) => (bound.kind === 'max' ? [bound.variant] : []))
  return policy.variants.flatMap(({ id, replicas: { max: from } }) => {
    if (!full.includes(id)) return []
    const open = planned(changed(base.policies, `variant.${id}.max=${10 * Math.max(1, from)}`), scene)
    const to = planOf(open, policy.id)?.replicas[id] ?? 0
    return to > from ? [{ kind: 'max', variant: id, from, to }] : []
  })
}

function budgetChanges(base: Planned, policy: ScalingPolicy, scene: Scene): readonly Change[] {
  const { budgetPerHour: fromPerHour } = policy.behavior
  const plan = planOf(base, policy.id)
  if (fromPerHour === undefined || plan?.binding.every(({ kind }) => kind !== 'budget')) return []
  const most = policy.variants.reduce((sum, { replicas, costPerHour }) => sum + replicas.max * costPerHour, 0)
  const open = planned(changed(base.policies, `budget.${policy.id}=${rounded(fromPerHour + most)}`), scene)
  const toPerHour = Math.ceil((planOf(open, policy.id)?.costPerHour ?? 0) * 100 - negligible) / 100
  return toPerHour > fromPerHour ? [{ kind: 'budget', fromPerHour, toPerHour }] : []
}
