// An explanation in sentences, one per fact, without their full stops. Every number in them is the decision's or comes
// from planning again; nothing is computed here.
import {
  type Alternative,
  type Change,
  type Move,
  negligible,
  stillShort,
} from '../core/explain/alternatives.ts'
import type {
  Carries,
  CheapestPlan,
  ClassExplanation,
  LimitUse,
  VariantExplanation,
} from '../core/explain/explain.ts'
import type { ReplicaLimit } from '../core/explain/limit.ts'
import type { Explanation, RestrictionCost, ShadowPrices } from '../core/optimize/explain.ts'
import type { LatencyBound, ServiceLevel } from '../core/policy.ts'
import { isMissing } from '../core/reading.ts'
import { limitName, missingName } from '../core/sentence.ts'
import { money, percent, rate, shown } from './figures.ts'

/** Less than this is not worth a word: half a cent per hour. */
const cent = 0.005

/** Ids are `namespace/policy/name`: inside one policy the last part says it all. */
function nameOf(id: string): string {
  return id.slice(id.lastIndexOf('/') + 1)
}

export function classSentence(each: ClassExplanation): string {
  const title = `${each.class} (${levelText(each.serviceLevel)})`
  if (isMissing(each.demand)) return `${title}: demand unknown: ${missingName(each.demand.missing)}`
  const { requests, waiting } = each
  const asked =
    waiting === undefined
      ? `${rate(each.demand)} req/s arrive`
      : `${Math.ceil(waiting.requests)} requests wait, the first due in ${duration(waiting.firstDueInSeconds)}; ${rate(each.demand)} req/s meets every deadline`
  const lengths =
    requests === undefined
      ? ''
      : `, ${Math.round(requests.promptTokens)} prompt and ${Math.round(requests.outputTokens)} output tokens each (${requests.origin}${requests.prefixHitRate > 0 ? `, ${whole(requests.prefixHitRate)} of prompts cached` : ''})`
  const planned = `planned for ${shown(each.plannedFor, rate)} req/s with ${whole(each.headroom)} headroom`
  const short =
    isMissing(each.shortfall) || each.shortfall <= negligible
      ? ''
      : `; ${rate(each.shortfall)} req/s of that are short`
  return `${title}: ${asked}${lengths}; ${planned}${short}`
}

function levelText(level: ServiceLevel): string {
  if (level.kind === 'latencyTolerant') return `complete within ${duration(level.completeWithinSeconds)}`
  const bound = (name: string, { percentile, seconds }: LatencyBound): string =>
    `${name} ${p(percentile)} ${duration(seconds)}`
  return [
    ...(level.ttft === undefined ? [] : [bound('TTFT', level.ttft)]),
    ...(level.itl === undefined ? [] : [bound('ITL', level.itl)]),
    ...(level.tpot === undefined ? [] : [bound('TPOT', level.tpot)]),
  ].join(', ')
}

export function variantTitle({ decision, min, max }: VariantExplanation): string {
  const { name, role, replicas, wanted, target, costPerReplicaHour } = decision
  const called = role === 'unified' ? name : `${name} (${role})`
  const now = shown(replicas, ({ ready, starting }) =>
    starting > 0 ? `${ready} and ${starting} starting` : `${ready}`,
  )
  return `${called}: ${now} now, ${shown(wanted, String)} planned (${min} to ${max} allowed), target ${shown(target, String)}; ${money(costPerReplicaHour)} each`
}

export function carriesSentence({ class: name, requestsPerSecond, share }: Carries): string {
  return `carries ${rate(requestsPerSecond)} req/s of ${name}, ${whole(share)} of it`
}

export function loadSentence(load: number): string {
  return `uses ${whole(load)} of what its planned replicas can carry`
}

export function replicaSentence(each: Carries): string {
  return `one replica carries up to ${rate(each.perReplica)} req/s of ${each.class} (${money(each.costPerRequestPerSecond)} for each req/s), limited by ${limitText(each.limit)}`
}

function limitText(limit: ReplicaLimit): string {
  switch (limit.kind) {
    case 'latency':
      return latencyText(limit)
    case 'kvCache':
      return `the KV cache: ${limit.sequences} sequences of ${Math.round(limit.tokensPerSequence)} tokens fill it (${Math.round(limit.kvTokens)} tokens, a reserve for preemption kept)`
    case 'maxNumSeqs':
      return `max-num-seqs: all ${limit.sequences} slots are taken`
    case 'throughput':
      return `throughput: the engine saturates at ${rate(limit.saturationRequestsPerSecond)} req/s, ${whole(limit.maxLoad)} of which are planned`
  }
}

function latencyText(limit: ReplicaLimit & { readonly kind: 'latency' }): string {
  const { metric, percentile, boundSeconds, plannedSeconds, lateShare, overload } = limit
  const late = `${percent(lateShare)} of the ${metric === 'itl' ? 'tokens' : 'requests'} take longer than ${duration(plannedSeconds)} then`
  const beyond =
    overload.seconds === undefined
      ? 'it cannot be sustained'
      : `${p(percentile)} is ${duration(overload.seconds)}`
  return `${limitName(metric)} ${p(percentile)} of ${duration(boundSeconds)}: ${late}; at ${rate(overload.requestsPerSecond)} req/s ${beyond}`
}

/** Empty where nothing is held. */
export function heldSentences({ replicas, costPerHour, heldForPerHour }: CheapestPlan): readonly string[] {
  if (heldForPerHour === undefined) return []
  return [
    `the counts of now stay: the cheapest mix (${counts(replicas)}, ${money(costPerHour)}) would save ${money(heldForPerHour)}, less than the hold band asks for`,
  ]
}

export function limitSentence(use: LimitUse): string {
  switch (use.kind) {
    case 'pool':
      return use.gpus === undefined
        ? `pool ${use.pool} is of unknown size: ${use.planned} GPUs planned`
        : `pool ${use.pool} ${binds(use)}: ${use.planned} of ${use.gpus} GPUs planned, ${use.gpus - use.planned} left`
    case 'budget':
      return `the budget ${binds(use)}: ${money(use.plannedPerHour)} of ${money(use.perHour)} planned, ${money(use.perHour - use.plannedPerHour)} left`
  }
}

/** Whether something that would help has no room in it. */
function binds(use: LimitUse): string {
  return use.binds ? 'binds' : 'does not bind'
}

export function priceSentences(prices: ShadowPrices): readonly string[] {
  const requests = Object.entries(prices.requestPerSecond).map(
    ([id, perHour]) =>
      `one more request per second of ${nameOf(id)} costs ${perHour < cent ? 'nothing' : money(perHour)}`,
  )
  const gpus = Object.entries(prices.gpu)
    .filter(([, perHour]) => perHour >= cent)
    .map(([pool, perHour]) => `one more GPU in pool ${pool} saves ${money(perHour)}`)
  const { budgetDollar = 0 } = prices
  const budget = budgetDollar < cent ? [] : [`one more dollar of budget saves ${money(budgetDollar)}`]
  return [...requests, ...gpus, ...budget]
}

export function restrictionSentence({ restriction, costPerHour, shortfall }: RestrictionCost): string {
  const costs =
    shortfall > negligible ? `leaves ${rate(shortfall)} req/s short` : `costs ${money(costPerHour)}`
  switch (restriction.kind) {
    case 'min':
    case 'max':
      return `${restriction.kind} ${restriction.replicas} on ${nameOf(restriction.variant)} ${costs}`
    case 'minShare':
      return `at least ${whole(restriction.share)} on ${nameOf(restriction.variant)} ${costs}`
    case 'maxShare':
      return `at most ${whole(restriction.share)} on ${nameOf(restriction.variant)} ${costs}`
    case 'pool':
      return `pool ${restriction.pool}, of which others leave ${restriction.gpus} GPUs, ${costs}`
    case 'budget':
      return `the budget of ${money(restriction.perHour)} ${costs}`
    case 'surviveReplicas':
      return `surviving the loss of ${restriction.replicas} ${costs}`
    case 'hpaTolerance':
      return `the HPA's dead band of ${whole(restriction.tolerance)} ${costs}`
    case 'holdBand':
      return `the hold band of ${whole(restriction.share)} ${costs}`
  }
}

export function runnerUpSentence({ replicas, morePerHour }: NonNullable<Explanation['runnerUp']>): string {
  return `${counts(replicas)}: ${morePerHour < cent ? 'no dearer' : `${money(morePerHour)} dearer, starts weighed in`}`
}

export const noRemedy =
  'no single change of a pool, a maximum, the budget or, by a fifth, an SLO leaves less short'

export function alternativeSentence(each: Alternative): string {
  const { text, givesUp } = effects(each)
  const besides = [...(givesUp ? [] : startsText(each)), ...movedText(each)]
  const more = besides.length === 0 ? '' : ` (${besides.join('; ')})`
  return `${changeText(each.change)} ${text.join(' and ')}${more}`
}

function startsText({ moreForStarts }: Alternative): readonly string[] {
  if (Math.abs(moreForStarts) < cent) return []
  return [`its starts weigh ${money(Math.abs(moreForStarts))} ${moreForStarts > 0 ? 'more' : 'less'}`]
}

/** What the change itself says is not said again. */
function movedText({ change, moved }: Alternative): readonly string[] {
  const stated = change.kind === 'max' || change.kind === 'min' ? change : undefined
  const others = Object.entries(moved).filter(([id, { to }]) => id !== stated?.variant || to !== stated.to)
  if (others.length === 0) return []
  return [others.map(([id, { from, to }]) => `${nameOf(id)} ${from} -> ${to}`).join(', ')]
}

function changeText(change: Change): string {
  switch (change.kind) {
    case 'slo':
      return `relaxing ${limitName(change.metric)} ${p(change.percentile)} of ${nameOf(change.class)} from ${duration(change.fromSeconds)} to ${duration(change.toSeconds)}`
    case 'pool':
      return `a pool ${change.pool} of ${change.to} GPUs instead of ${change.from}`
    case 'max':
      return change.to > change.from
        ? `a maximum of ${change.to} instead of ${change.from} on ${nameOf(change.variant)}`
        : `holding ${nameOf(change.variant)} to ${change.to}`
    case 'min':
      return `running ${change.to} of ${nameOf(change.variant)}`
    case 'budget':
      return `a budget of ${money(change.toPerHour)} instead of ${money(change.fromPerHour)}`
  }
}

function effects(each: Alternative): { readonly text: readonly string[]; readonly givesUp: boolean } {
  const { morePerHour, shortfall, shortElsewhere, notCovered, sharesMissed } = each
  const short = stillShort(each)
  const cured = short.from > negligible && short.to <= negligible
  // What serves less, or gives up a promise, costs less: no saving.
  const givesUp =
    short.to > short.from + negligible ||
    notCovered.to > notCovered.from + negligible ||
    sharesMissed.to > sharesMissed.from
  const found = [
    ...(cured ? ['carries everything'] : Object.entries(shortfall).flatMap(shortText)),
    ...shortText(['other policies', shortElsewhere]),
    ...(rate(notCovered.from) === rate(notCovered.to)
      ? []
      : [`leaves ${rate(notCovered.to)} req/s uncovered after a loss${instead(notCovered.from)}`]),
    ...(sharesMissed.from === sharesMissed.to
      ? []
      : [`misses ${sharesMissed.to} minimum shares instead of ${sharesMissed.from}`]),
    ...(morePerHour >= cent ? [`costs ${money(morePerHour)} more`] : []),
    ...(morePerHour <= -cent && !givesUp ? [`saves ${money(-morePerHour)}`] : []),
  ]
  return { text: found.length === 0 ? ['changes no cost'] : found, givesUp }
}

function shortText([id, { from, to }]: readonly [string, Move]): readonly string[] {
  if (rate(from) === rate(to)) return []
  if (to <= negligible) return [`carries all of ${nameOf(id)}`]
  return [`leaves ${rate(to)} req/s of ${nameOf(id)} short${instead(from)}`]
}

function instead(before: number): string {
  return before > negligible ? ` instead of ${rate(before)}` : ''
}

function counts(replicas: Readonly<Record<string, number>>): string {
  return Object.entries(replicas)
    .map(([id, count]) => `${nameOf(id)} ${count}`)
    .join(', ')
}

function p(percentile: number): string {
  return `p${Number((percentile * 100).toPrecision(4))}`
}

function whole(share: number): string {
  return `${Math.round(share * 100)} %`
}

/** `47.4 ms`, `1.2 s`, `45 min`, `2 h 5 min`. */
function duration(seconds: number): string {
  if (seconds < 1) return `${Number((seconds * 1000).toPrecision(3))} ms`
  if (seconds < 60) return `${Number(seconds.toPrecision(3))} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
