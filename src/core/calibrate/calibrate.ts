// How fast a variant's engines really are, learnt tick by tick from what they report: slowly, within bounds, and only
// from warm engines under ordinary load. Sizing takes what is applied, which moves in steps: plans do not follow noise.
import type { ReplicaLimits } from '../capacity/question.ts'
import type { VariantSignals } from '../observation.ts'
import type { Role } from '../policy.ts'
import type { Profile } from '../profile.ts'
import { isMissing } from '../reading.ts'
import { type Correction, furthest, uncorrected } from './correction.ts'
import { fitSpeed } from './fit.ts'
import { type SpeedSample, speedSample } from './sample.ts'
import { advanceSteadiness, isSettled, type Steadiness } from './steadiness.ts'

/** Plain and bounded: about 250 numbers. */
export interface SpeedMemory {
  readonly at: number
  /** What the samples compare with: another profile begins anew. */
  readonly profile: string
  readonly steadiness?: Steadiness
  /** At most `mostSamples`, oldest first. */
  readonly samples: readonly SpeedSample[]
  /** What sizing takes. */
  readonly applied: Correction
  /** Measured time over the profile's at the load of these samples, as applied; 1 before anything is learnt. */
  readonly ratio: number
  /** Since when `ratio` has been off by more than `notable`, to the same side. Absent: it is not. */
  readonly offSince?: number
}

export interface SpeedInput {
  readonly role: Role
  readonly profile: Profile
  readonly limits: ReplicaLimits
  readonly signals: VariantSignals | undefined
}

/** Rates are over a minute: closer samples say the same twice. */
const spacingSeconds = 60
const mostSamples = 30
/** A night without traffic is no reason to forget. */
const longestSeconds = 86_400

/** Fewer samples change nothing. */
export const leastSamples = 5

/** Corrections are whole steps of 2 %, and move by no more than four of them per sample. */
const stepSize = 0.02
const mostSteps = 4
const overheadStepMs = 5
const mostOverheadMs = 200

/** Smaller deviations are within what profiles are fitted to. */
const notable = 0.05

export function advance(memory: SpeedMemory | undefined, at: number, input: SpeedInput): SpeedMemory {
  const profile = profileKey(input.profile)
  const before = memory?.profile === profile ? memory : begun(at, profile)
  if (memory !== undefined && at <= memory.at) return memory
  const { signals } = input
  if (signals === undefined || isMissing(signals.replicas)) return { ...before, at }
  const steadiness = advanceSteadiness(before.steadiness, at, signals.replicas)
  const moved = { ...before, at, steadiness }
  const last = before.samples.at(-1)
  if (!isSettled(steadiness, at) || (last !== undefined && at - last.at < spacingSeconds)) return moved
  const sample = speedSample(input.role, input.profile, input.limits, signals, at)
  return sample === undefined || !isPlausible(sample, input.profile)
    ? moved
    : learnt(moved, sample, input.profile)
}

/** What nobody could correct by is not an engine that is slow: it is one that is broken, or another law. */
function isPlausible({ gap }: SpeedSample, { quality }: Profile): boolean {
  const ratio = gap.ms / (gap.base + gap.slopes)
  return ratio > 1 / (1.5 * furthest(quality)) && ratio < 1.5 * furthest(quality)
}

function learnt(before: SpeedMemory, sample: SpeedSample, profile: Profile): SpeedMemory {
  const { at } = sample
  const samples = [...before.samples, sample]
    .filter((each) => at - each.at <= longestSeconds)
    .slice(-mostSamples)
  if (samples.length < leastSamples) return { ...before, samples }
  const fit = fitSpeed(samples)
  const most = furthest(profile.quality)
  const applied: Correction = {
    base: towards(before.applied.base, fit.base, most),
    slopes: towards(before.applied.slopes, fit.slopes, most),
    overheadMs: overheadTowards(before.applied.overheadMs, fit.overheadMs),
  }
  const ratio = ratioOf(sample, applied)
  const { offSince: _, ...rest } = before
  const off = Math.abs(ratio - 1) > notable
  const since = off && (before.ratio - 1) * (ratio - 1) > 0 ? (before.offSince ?? at) : at
  return { ...rest, samples, applied, ratio, ...(off ? { offSince: since } : {}) }
}

function ratioOf({ gap }: SpeedSample, { base, slopes }: Correction): number {
  return (base * gap.base + slopes * gap.slopes) / (gap.base + gap.slopes)
}

/** The next factor on the grid of steps; stays where it is within a step of what was fitted. */
function towards(applied: number, fitted: number, most: number): number {
  const wanted = Math.log(Math.min(most, Math.max(1 / most, fitted))) / stepSize
  const now = Math.log(applied) / stepSize
  if (Math.abs(wanted - now) < 1) return applied
  const steps = Math.round(now + Math.min(mostSteps, Math.max(-mostSteps, wanted - now)))
  return Math.exp(steps * stepSize)
}

function overheadTowards(applied: number, fitted: number): number {
  const wanted = Math.min(mostOverheadMs, fitted)
  return Math.abs(wanted - applied) < overheadStepMs
    ? applied
    : overheadStepMs * Math.round(wanted / overheadStepMs)
}

function begun(at: number, profile: string): SpeedMemory {
  return { at, profile, samples: [], applied: uncorrected, ratio: 1 }
}

function profileKey({ a, b, c, ap, bp, d2, g, h, mixtureOfExperts }: Profile): string {
  return JSON.stringify([a, b, c, ap, bp, d2, g, h, mixtureOfExperts?.x, mixtureOfExperts?.kappa])
}
