// How much headroom a class needs, learnt from the requests that broke their SLO: more after a bad minute, a little less
// after each good one, so that in the long run as many break it as the goal allows (docs/MODEL.md, "Headroom feedback"). A goal is a
// share of requests: a minute counts by how many came in it.
import { isMissing, type Reading } from '../reading.ts'
import type { Kept } from './broken.ts'

export interface HeadroomMemory {
  readonly at: number
  /** Added to the policy's headroom. */
  readonly learnt: number
  /** What was learnt before this instant: what its own sizing rests on, so that a tick that is repeated is sized alike. */
  readonly before: number
  /** Mean of about the last six hours that taught: broken over allowed to be broken. 1 spends all that the goal leaves. */
  readonly spent: number
  /** Mean of about the last day: what broke beyond any headroom's reach over allowed to be broken. */
  readonly lost: number
  /** Kept back for what jumps to come may take, as a share of what may break. */
  readonly reserve: number
  /** Requests per second, mean of about the last day; absent before any were read. */
  readonly usual?: number
  readonly verdict: Verdict
}

/** What the last minute was taken for. Only `kept` and `tooFew` teach anything. */
export type Verdict =
  /** No more requests broke their SLO than may, on busy engines. */
  | 'kept'
  /** No more did, on engines with little to do: any number of them would have kept it. */
  | 'quiet'
  /** More did, although the plan's replicas were ready: a plan needs more than the model says. */
  | 'tooFew'
  /** More did, while what the plan asks for was still starting: demand came sooner than was forecast, which no headroom mends. */
  | 'orderedLate'
  /** More did, and what the plan asks for does not come: it waits for GPUs, or may not be had. */
  | 'notReady'
  /** More did on engines with little to do: more of them would not help. */
  | 'belowCapacity'
  /** No number of replicas meets the SLO. */
  | 'outOfReach'
  /** The histograms say nothing: no traffic, no data, or a bound that they do not know. */
  | 'unknown'

export interface HeadroomInput {
  /** The policy's own headroom. */
  readonly base: number
  readonly requestsPerSecond: Reading
  /** Within the last minute. */
  readonly kept: Reading<Kept>
  /** What arrives over what the ready replicas carry by the model, without headroom. */
  readonly load: Reading
  /** Replicas that start and are not known to be stuck. */
  readonly coming: 'some' | 'none'
  readonly reach: 'withinReach' | 'outOfReach'
}

/** Of headroom per minute, for a minute in which all requests broke their SLO, where `usualLate` may; more where fewer may. */
const gain = 0.04
const usualLate = 0.01
const mostTimes = 10

/** A minute counts by its requests over the usual, at most so many times. */
const mostWeight = 4
const usualSeconds = 86_400

/** Aims at this part of the requests that may break their SLO, less what jumps took of it within a day, less what those to come may take. */
const aim = 0.95
const leastAim = 0.15
const lostSeconds = 86_400

/** What jumps take varies from day to day: three times what they took lately is kept back, and so much until that is known, and at most. */
const reserveTimes = 3
const mostReserve = 0.3
const reserveSeconds = 86_400

const lowestHeadroom = -0.3
const highestHeadroom = 0.6

/**
 * Where six hours that taught have spent less than so much of what may break, headroom is given back faster: so much per
 * minute. A shorter memory would call the hours between two bad spells ample, and bring the next one on.
 */
const giveBack = 0.001
const littleSpent = 0.3
const recentSeconds = 21_600

/** What was learnt fades: after a week without a word a third of it is left. */
const leakSeconds = 604_800

/** Of what the ready replicas carry. Below the first it is not too few of them that makes requests late; below the second it is no merit of the plan that none are. */
const lightLoad = 0.5
const busyLoad = 0.7

/** After a gap no more is learnt than from the minute that is seen. */
const longestStepSeconds = 60

export function advance(
  memory: HeadroomMemory | undefined,
  at: number,
  input: HeadroomInput,
): HeadroomMemory {
  if (memory !== undefined && at <= memory.at) return memory
  const known = memory ?? begun(at)
  const before = known.learnt
  const asked = askedOf(input, before)
  const aimed = Math.max(leastAim, aim - known.lost - known.reserve)
  const verdict = judge(input, asked, aimed)
  const seconds = at - known.at
  const counted = Math.min(longestStepSeconds, seconds)
  const faded = before * Math.exp(-seconds / leakSeconds)
  const volume = volumeOf(known.usual, input.requestsPerSecond, counted)
  const rested = { ...known, ...volume.memory, at, before, learnt: bounded(faded, input.base), verdict }
  if (isMissing(input.kept)) return rested
  const { broken, allowed } = input.kept
  const missed = verdict === 'orderedLate' ? broken / allowed : 0
  const weighed = volume.weight * counted
  const lost = meanOf(known.lost, missed, weighed / lostSeconds)
  const reserve = meanOf(known.reserve, Math.min(mostReserve, reserveTimes * lost), counted / reserveSeconds)
  if (!teaches(verdict)) return { ...rested, lost, reserve }
  const spent = meanOf(known.spent, broken / allowed, weighed / recentSeconds)
  const times = Math.min(mostTimes, Math.max(1, usualLate / allowed))
  const taught = (weighed / 60) * times * gain * (broken - aimed * allowed)
  const givenBack = spent < littleSpent ? (counted / 60) * giveBack : 0
  return { ...rested, learnt: bounded(faded + taught - givenBack, input.base), spent, lost, reserve }
}

function begun(at: number): HeadroomMemory {
  return {
    ...{ at, learnt: 0, before: 0, spent: aim - mostReserve, lost: 0, reserve: mostReserve },
    verdict: 'unknown',
  }
}

interface Volume {
  readonly memory: Pick<HeadroomMemory, 'usual'>
  /** Of what is seen at this instant. */
  readonly weight: number
}

/** What is usual with one more instant, and how many times that comes now. */
function volumeOf(known: number | undefined, now: Reading, seconds: number): Volume {
  if (isMissing(now)) return { memory: {}, weight: 1 }
  const usual = meanOf(known ?? now, now, seconds / usualSeconds)
  return { memory: { usual }, weight: usual > 0 ? Math.min(mostWeight, now / usual) : 1 }
}

/** Where the model was too strict by a tenth of the demand, e times as many requests may be late by it. */
const lenienceRate = 10
const mostLenient = 6
/** Capacities are worked out anew only for each so large a step. */
const lenienceStep = 0.01

/**
 * How many times as many requests as a bound allows may be late by the model, in sizing at `at`: 1 and up. Headroom that was given back
 * says that the model is too strict, and where a few more late requests carry many more, it is given back there first.
 */
export function lenience(memory: HeadroomMemory | undefined, at: number): number {
  if (memory === undefined) return 1
  const learnt = memory.at < at ? memory.learnt : memory.before
  const givenBack = Math.max(0, -Math.round(learnt / lenienceStep) * lenienceStep)
  return Math.min(mostLenient, Math.exp(lenienceRate * givenBack))
}

/** Whole half per cents: a plan does not change with every tick of the memory. */
export function learntHeadroom({ learnt }: HeadroomMemory): number {
  return Math.round(200 * learnt) / 200
}

/** What the plan asks for over what is ready: above 1, more than is ready. */
function askedOf({ load, base }: HeadroomInput, learnt: number): Reading {
  return isMissing(load) ? load : load * (1 + base + learnt)
}

function teaches(verdict: Verdict): boolean {
  return verdict === 'kept' || verdict === 'tooFew'
}

/** A decaying mean with one more value, over `step` of its time constant. */
function meanOf(mean: number, value: number, step: number): number {
  return mean - Math.expm1(-step) * (value - mean)
}

function judge({ kept, coming, reach }: HeadroomInput, asked: Reading, aimed: number): Verdict {
  if (reach === 'outOfReach') return 'outOfReach'
  if (isMissing(kept) || isMissing(asked)) return 'unknown'
  if (kept.broken <= aimed * kept.allowed) {
    if (asked < busyLoad) return 'quiet'
    return kept.bounds === 'all' ? 'kept' : 'unknown'
  }
  if (asked > 1) return coming === 'some' ? 'orderedLate' : 'notReady'
  return asked < lightLoad ? 'belowCapacity' : 'tooFew'
}

/** A policy may state more, or less, than is ever learnt. */
function bounded(learnt: number, base: number): number {
  const most = Math.max(highestHeadroom, base) - base
  const least = Math.min(lowestHeadroom, base) - base
  return Math.min(most, Math.max(least, learnt))
}
