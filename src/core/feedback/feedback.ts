// How much headroom a class needs, learnt from the requests that broke their SLO: more after a bad minute, a little less
// after each good one, so that in the long run as many break it as the goal allows (docs/MODEL.md, "Headroom feedback").
import { isMissing, type Reading } from '../reading.ts'
import type { Kept } from './broken.ts'

export interface HeadroomMemory {
  readonly at: number
  /** Added to the policy's headroom. */
  readonly learnt: number
  /** Means of about the last hour that was busy: late over allowed to be late, at most 1 each, and broken requests. */
  readonly spent: number
  readonly broken: number
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
  /** More did, and what the plan asks for was not ready: it starts, waits for GPUs, or may not be had. */
  | 'notReady'
  /** More did on engines with little to do: more of them would not help. */
  | 'belowCapacity'
  /** No number of replicas meets the SLO. */
  | 'outOfReach'
  /** The histograms say nothing: no traffic, no bound that they know, no data. */
  | 'unknown'

export interface HeadroomInput {
  /** The policy's own headroom, and the share of requests that shall keep their SLO. */
  readonly base: number
  readonly attainment: number
  /** Within the last minute. */
  readonly kept: Reading<Kept>
  /** What arrives over what the ready replicas carry by the model, without headroom. */
  readonly load: Reading
  readonly reach: 'withinReach' | 'outOfReach'
}

/** Of headroom per minute, for a minute in which all requests broke their SLO. */
const gain = 0.02

/** Aims at this part of the requests that may break their SLO: the rest is for what teaches nothing. */
const aim = 0.7

const lowestHeadroom = -0.35
const highestHeadroom = 0.6

/**
 * Where busy engines have kept the SLO for an hour and had this much of what may be late to spare, headroom is given back
 * faster: so much per minute.
 */
const giveBack = 0.001
const littleSpent = 0.75
const recentSeconds = 3600

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
  const before = memory ?? { at, learnt: 0, spent: 1, broken: 0, verdict: 'unknown' }
  const asked = askedOf(input, before.learnt)
  const verdict = judge(input, asked)
  const seconds = at - before.at
  const minutes = Math.min(longestStepSeconds, seconds) / 60
  const recent = teaches(verdict) ? recentOf(before, input.kept, 60 * minutes) : before
  const faded = before.learnt * Math.exp(-seconds / leakSeconds)
  const learnt = faded + (teaches(verdict) ? minutes * perMinute(input, recent) : 0)
  return { at, learnt: bounded(learnt, input.base), spent: recent.spent, broken: recent.broken, verdict }
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

function perMinute({ kept, attainment }: HeadroomInput, recent: Recent): number {
  if (isMissing(kept)) return 0
  const allowed = aim * (1 - attainment)
  const ample = recent.spent < littleSpent && recent.broken < allowed / 2
  return gain * (kept.broken - allowed) - (ample ? giveBack : 0)
}

type Recent = Pick<HeadroomMemory, 'spent' | 'broken'>

function recentOf({ spent, broken }: Recent, kept: Reading<Kept>, seconds: number): Recent {
  if (isMissing(kept)) return { spent, broken }
  const share = -Math.expm1(-seconds / recentSeconds)
  return {
    spent: spent + share * (Math.min(1, kept.spent) - spent),
    broken: broken + share * (kept.broken - broken),
  }
}

function judge({ attainment, kept, reach }: HeadroomInput, asked: Reading): Verdict {
  if (reach === 'outOfReach') return 'outOfReach'
  if (isMissing(kept) || isMissing(asked)) return 'unknown'
  if (kept.broken <= aim * (1 - attainment)) return asked < busyLoad ? 'quiet' : 'kept'
  if (asked > 1) return 'notReady'
  return asked < lightLoad ? 'belowCapacity' : 'tooFew'
}

/** A policy may state more, or less, than is ever learnt. */
function bounded(learnt: number, base: number): number {
  const most = Math.max(highestHeadroom, base) - base
  const least = Math.min(lowestHeadroom, base) - base
  return Math.min(most, Math.max(least, learnt))
}
