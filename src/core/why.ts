// Why a plan is as it is, as reasons: per variant what it carries and what limits it, per policy what is asked
// and what is short.
import type { VariantDecision } from './decision.ts'
import { lostDeadline, overdueWork } from './demand/deadlines.ts'
import { frontEndReason } from './frontEnd.ts'
import { headroomShown } from './learning.ts'
import type { Binding, MixPlan } from './optimize/mix.ts'
import { type ClassId, serves, type TrafficClass, type VariantId } from './policy.ts'
import { isMissing } from './reading.ts'
import type { Reason } from './reason.ts'
import { peakOf, type SeenDemand } from './seenDemand.ts'
import type { PolicyView } from './view.ts'

export function variantReasons(
  id: VariantId,
  view: PolicyView,
  plan: MixPlan,
  capacity: VariantDecision['capacity'],
): readonly Reason[] {
  const reasons: Reason[] = []
  for (const [trafficClass, seen] of view.demand) {
    const planned = peakOf(seen, view.policy).requestsPerSecond * (1 + view.headroomOf(trafficClass))
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
  const variant = view.policy.variants.find((each) => each.id === id)
  for (const bound of plan.binding) {
    // Where a pause or the cluster bounds it more tightly, they have reasons of their own.
    if (bound.kind === 'min' && bound.variant === id && bound.replicas === variant?.replicas.min)
      reasons.push({ kind: 'atMin', min: bound.replicas })
    if (bound.kind === 'max' && bound.variant === id && bound.replicas === variant?.replicas.max)
      reasons.push({ kind: 'atMax', max: bound.replicas })
    if (bound.kind === 'redundancy' && bound.variant === id)
      reasons.push({ kind: 'lossNotCovered', requestsPerSecond: bound.requestsPerSecond })
    if (bound.kind === 'minShare' && bound.variant === id)
      reasons.push({ kind: 'shareNotReached', class: nameOf(bound.class, view) })
  }
  const bounds = view.inForce.bounds[id]
  if (bounds !== undefined) {
    const { titles: schedules, min, max } = bounds
    reasons.push({ kind: 'scheduledBounds', schedules, min, max })
  }
  if (variant !== undefined) reasons.push(...frontEndReason(variant, view, plan))
  const wanted = plan.replicas[id] ?? 0
  if (wanted === 0 && reasons.length === 0) reasons.push({ kind: 'notNeeded' })
  const profile = variant?.profile
  if (profile?.quality === 'guess') reasons.push({ kind: 'guessedProfile', profile: profile.name })
  const speed = variant === undefined ? undefined : view.speeds.get(variant)?.learnt
  if (profile !== undefined && speed?.offSince !== undefined) {
    const { ratio, offSince } = speed
    reasons.push({ kind: 'offProfile', ratio, profile: profile.name, sinceSecond: offSince })
  }
  return reasons
}

function nameOf(id: ClassId, { policy }: PolicyView): string {
  return policy.classes.find((trafficClass) => trafficClass.id === id)?.name ?? id
}

export function policyReasons(
  view: PolicyView,
  plan: MixPlan | undefined,
  failure: string | undefined,
): readonly Reason[] {
  const reasons: Reason[] = []
  if (view.inForce.hold !== undefined) reasons.push({ kind: 'scheduleHold', schedule: view.inForce.hold })
  for (const [trafficClass, seen] of view.demand) {
    const { requestsPerSecond, ahead, window } = seen
    if (!view.missingDemand.has(trafficClass))
      reasons.push({ kind: 'demand', class: trafficClass.name, requestsPerSecond })
    if (!isMissing(ahead) && requestsPerSecond > 0 && ahead.forecast.atQuantile > requestsPerSecond) {
      const { atQuantile, quantile, horizonSeconds } = ahead.forecast
      reasons.push({
        kind: 'forecast',
        class: trafficClass.name,
        requestsPerSecond: atQuantile,
        quantile,
        horizonSeconds,
      })
    }
    const factor = view.workAheadOf(trafficClass)
    if (factor >= notableWork) reasons.push({ kind: 'heavier', class: trafficClass.name, factor })
    reasons.push(...demandReasons(trafficClass, seen, view))
    const peak = peakOf(seen, view.policy)
    if (peak.requestsPerSecond > (window.at(-1)?.requestsPerSecond ?? 0)) {
      reasons.push({
        kind: peak.heldAs === 'noise' ? 'holdNoise' : 'holdDemand',
        class: trafficClass.name,
        requestsPerSecond: peak.requestsPerSecond,
        untilSecond: peak.untilSecond,
      })
    }
    if (view.shapes.get(trafficClass)?.origin === 'assumed') {
      reasons.push({ kind: 'assumedShape', class: trafficClass.name })
    }
    if (view.outOfReach.has(trafficClass)) reasons.push({ kind: 'outOfReach', class: trafficClass.name })
    reasons.push(...headroomReasons(trafficClass, view))
    const short = plan?.shortfall[trafficClass.id] ?? 0
    if (short > 0) reasons.push({ kind: 'shortfall', class: trafficClass.name, requestsPerSecond: short })
    if (plan !== undefined)
      reasons.push(...deadlineReasons(trafficClass, view, peak.requestsPerSecond, short))
  }
  for (const [trafficClass, why] of view.missingDemand) {
    reasons.push({ kind: 'holdMissing', signal: `the demand of ${trafficClass.name}`, missing: why.missing })
  }
  for (const bound of plan?.binding ?? []) reasons.push(...sharedBound(bound))
  if (failure !== undefined) reasons.push({ kind: 'holdFailure', why: failure })
  return reasons
}

/** Less is not worth a sentence. */
const notableHeadroom = 0.02
const notableWork = 1.02

/** What broken SLOs taught, and why those of the last minute did not. */
function headroomReasons(trafficClass: TrafficClass, { policy, headrooms }: PolicyView): readonly Reason[] {
  const { planned, learnt, broken, verdict } = headroomShown(trafficClass, policy, headrooms)
  const { name } = trafficClass
  const reasons: Reason[] = []
  if (Math.abs(learnt) >= notableHeadroom)
    reasons.push({ kind: 'learntHeadroom', class: name, planned, learnt })
  if (isMissing(broken)) return reasons
  if (verdict === 'notReady') reasons.push({ kind: 'lateAwaiting', class: name, broken })
  if (verdict === 'belowCapacity') reasons.push({ kind: 'lateBelowCapacity', class: name, broken })
  return reasons
}

/** What, besides arrivals and their forecast, says how much is planned for a class. */
function demandReasons(trafficClass: TrafficClass, seen: SeenDemand, view: PolicyView): readonly Reason[] {
  const { requestsPerSecond, scheduled, keepsOne, insteadOfGateway } = seen
  const { name } = trafficClass
  const reasons: Reason[] = []
  if (scheduled?.by !== undefined) {
    const { title, opensInSeconds } = scheduled.by
    reasons.push({
      kind: 'schedule',
      schedule: title,
      class: name,
      requestsPerSecond: scheduled.requestsPerSecond,
      opensInSeconds,
    })
  }
  if (insteadOfGateway !== undefined)
    reasons.push({ kind: 'gatewayUnseen', class: name, missing: insteadOfGateway.missing })
  const serving = view.seen.filter(({ variant }) => serves(variant, trafficClass))
  const mayBeEmpty = serving.every(({ variant }) => variant.replicas.min === 0)
  if (keepsOne !== undefined && mayBeEmpty && peakOf(seen, view.policy).requestsPerSecond === 0) {
    const { afterSeconds } = view.policy.behavior.zero
    reasons.push({ kind: 'keepsOne', class: name, why: keepsOne, afterSeconds })
  }
  const fromZero = requestsPerSecond > 0 && serving.every(({ ready }) => ready === 0)
  if (fromZero) reasons.push({ kind: 'fromZero', class: name })
  const untrusted = view.bursts.get(trafficClass)?.untrusted
  if (untrusted !== undefined) reasons.push({ kind: 'bursty', class: name, ...untrusted })
  return reasons
}

/** What is past its deadline, and which deadline ahead will be lost by what the plan carries. */
function deadlineReasons(
  trafficClass: TrafficClass,
  view: PolicyView,
  plannedPerSecond: number,
  short: number,
): readonly Reason[] {
  const tolerant = view.tolerant.get(trafficClass)
  if (tolerant === undefined) return []
  const { queue, supply, requestsPerSecond } = tolerant
  const reasons: Reason[] = []
  const overdue = overdueWork(queue)
  if (overdue !== undefined) {
    reasons.push({
      kind: 'deadlineMissed',
      class: trafficClass.name,
      requests: overdue.requests,
      overdueSeconds: queue.at - overdue.dueAt,
    })
  }
  // Headroom goes short first.
  const carried = Math.min(plannedPerSecond, plannedPerSecond * (1 + view.headroomOf(trafficClass)) - short)
  const lost = lostDeadline(queue, supply, carried)
  if (lost !== undefined) {
    reasons.push({
      kind: 'deadlineLost',
      class: trafficClass.name,
      requests: lost.requests,
      dueInSeconds: lost.dueAt - queue.at,
      morePerSecond: Math.max(0, requestsPerSecond - carried),
    })
  }
  return reasons
}

function sharedBound(bound: Binding): readonly Reason[] {
  switch (bound.kind) {
    case 'pool':
      return [{ kind: 'poolFull', pool: bound.pool, gpus: bound.gpus }]
    case 'hold':
      return [
        {
          kind: 'notWorthIt',
          savingPerHour: bound.savingPerHour,
          ...(bound.spareUntil === undefined ? {} : { untilSecond: bound.spareUntil }),
        },
      ]
    case 'budget':
      return [{ kind: 'overBudget', perHour: bound.perHour }]
    default:
      return []
  }
}
