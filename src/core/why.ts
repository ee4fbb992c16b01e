// Why a plan is as it is, as reasons: per variant what it carries and what limits it, per policy what is asked
// and what is short.
import type { VariantDecision } from './decision.ts'
import { lateRequests } from './demand/deadlines.ts'
import type { Binding, MixPlan } from './optimize/mix.ts'
import type { TrafficClass, VariantId } from './policy.ts'
import type { Reason } from './reason.ts'
import { highest } from './stabilize/hold.ts'
import type { PolicyView } from './view.ts'

export function variantReasons(
  id: VariantId,
  view: PolicyView,
  plan: MixPlan,
  capacity: VariantDecision['capacity'],
): readonly Reason[] {
  const reasons: Reason[] = []
  for (const [trafficClass, { window }] of view.demand) {
    const planned = highest(window) * (1 + view.policy.behavior.headroom)
    const carried = plan.flow[trafficClass.id]?.[id] ?? 0
    const answer = capacity[trafficClass.name]
    if (answer?.kind === 'infeasible') {
      reasons.push({ kind: 'cannotServe', class: trafficClass.name, why: answer.why })
    } else if (answer !== undefined && carried > 0 && planned > 0) {
      reasons.push({
        kind: 'carries',
        class: trafficClass.name,
        share: Math.min(1, carried / planned),
        perReplica: answer.requestsPerSecond,
        limitedBy: answer.limitedBy,
      })
    }
  }
  for (const bound of plan.binding) {
    if (bound.kind === 'min' && bound.variant === id) reasons.push({ kind: 'atMin', min: bound.replicas })
    if (bound.kind === 'max' && bound.variant === id) reasons.push({ kind: 'atMax', max: bound.replicas })
  }
  const wanted = plan.replicas[id] ?? 0
  if (wanted === 0 && reasons.length === 0) reasons.push({ kind: 'notNeeded' })
  const profile = view.policy.variants.find((variant) => variant.id === id)?.profile
  if (profile?.quality === 'guess') reasons.push({ kind: 'guessedProfile', profile: profile.name })
  return reasons
}

export function policyReasons(
  view: PolicyView,
  plan: MixPlan | undefined,
  failure: string | undefined,
): readonly Reason[] {
  const reasons: Reason[] = []
  for (const [trafficClass, { requestsPerSecond, window }] of view.demand) {
    reasons.push({ kind: 'demand', class: trafficClass.name, requestsPerSecond })
    const [peak] = window
    if (peak !== undefined && peak.requestsPerSecond > requestsPerSecond) {
      const until = peak.at + view.policy.behavior.scaleDownHoldSeconds
      reasons.push({
        kind: 'holdDemand',
        class: trafficClass.name,
        requestsPerSecond: peak.requestsPerSecond,
        untilSecond: until,
      })
    }
    if (view.shapes.get(trafficClass)?.origin === 'assumed') {
      reasons.push({ kind: 'assumedShape', class: trafficClass.name })
    }
    if (view.outOfReach.has(trafficClass)) reasons.push({ kind: 'outOfReach', class: trafficClass.name })
    const short = plan?.shortfall[trafficClass.id] ?? 0
    if (short > 0) reasons.push({ kind: 'shortfall', class: trafficClass.name, requestsPerSecond: short })
    reasons.push(...deadlineReasons(trafficClass, view, short))
  }
  for (const [trafficClass, why] of view.missingDemand) {
    reasons.push({ kind: 'holdMissing', signal: `the demand of ${trafficClass.name}`, missing: why.missing })
  }
  for (const bound of plan?.binding ?? []) reasons.push(...sharedBound(bound))
  if (failure !== undefined) reasons.push({ kind: 'holdFailure', why: failure })
  return reasons
}

/** Which deadline is past, and which one ahead will be lost by what the plan leaves uncarried. */
function deadlineReasons(trafficClass: TrafficClass, view: PolicyView, short: number): readonly Reason[] {
  const reasons: Reason[] = []
  const { ledger, needed } = view.tolerant.get(trafficClass) ?? {}
  if (ledger === undefined || needed === undefined) return reasons
  const { name } = trafficClass
  const { binding, overdue } = needed
  if (overdue !== undefined) {
    const { requests, dueAt } = overdue
    reasons.push({ kind: 'deadlineMissed', class: name, requests, overdueSeconds: ledger.at - dueAt })
  }
  const planned = highest(view.demand.get(trafficClass)?.window ?? [])
  const carried = planned - Math.max(0, short - planned * view.policy.behavior.headroom)
  if (binding !== undefined && binding.requestsPerSecond > carried) {
    reasons.push({
      kind: 'deadlineLost',
      class: name,
      dueInSeconds: binding.dueAt - ledger.at,
      lateRequests: lateRequests(binding, carried),
      moreRequestsPerSecond: binding.requestsPerSecond - carried,
    })
  }
  return reasons
}

function sharedBound(bound: Binding): readonly Reason[] {
  switch (bound.kind) {
    case 'pool':
      return [{ kind: 'poolFull', pool: bound.pool, gpus: bound.gpus }]
    case 'hold':
      return [{ kind: 'notWorthIt', savingPerHour: bound.savingPerHour }]
    case 'budget':
      return [{ kind: 'overBudget', perHour: bound.perHour }]
    default:
      return []
  }
}
