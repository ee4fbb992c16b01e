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
import { advanceSteadiness, isSettled, type Steadiness, steadinessSeconds } from './steadiness.ts'

/** Plain and bounded: about 150 numbers. What is learnt outlasts the samples: a night without traffic is no reason to forget. */
export interface SpeedMemory {
  readonly at: number
  /** Digest of what the samples compare with: another profile begins anew. */
  readonly profile: number
  readonly steadiness?: Steadiness
  /** One of a minute at most, oldest first. */
  readonly samples: readonly SpeedSample[]
  readonly learnt?: LearntSpeed
}

export interface LearntSpeed {
  /** What sizing takes. */
  readonly applied: Correction
  /** Measured time over the profile's at the load of the last sample, as applied. */
  readonly ratio: number
  /** Since when `ratio` has been off by more than `notable`, to the same side. Absent: it is not. */
  readonly offSince?: number
}

/** Of a memory, what no window of observations rebuilds. */
export type RecordedSpeed = Pick<SpeedMemory, 'profile' | 'learnt'>

export interface SpeedInput {
  readonly role: Role
  readonly profile: Profile
  readonly limits: ReplicaLimits
  readonly signals: VariantSignals | undefined
}

/** Rates are over a minute: samples of the same one say the same twice. */
const minuteSeconds = 60
const windowMinutes = 20

/** Samples, and whether engines were settled when they were taken, follow from so much of the past. */
export const speedWindowSeconds = windowMinutes * minuteSeconds + steadinessSeconds

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
  if (memory !== undefined && at <= memory.at) return memory
  const profile = profileDigest(input.profile)
  const before: Omit<SpeedMemory, 'at'> = memory?.profile === profile ? memory : { profile, samples: [] }
  const recent = before.samples.filter((each) => minuteOf(at) - minuteOf(each.at) < windowMinutes)
  const known = { ...before, at, samples: recent }
  const { signals } = input
  if (signals === undefined || isMissing(signals.replicas)) return known
  const steadiness = advanceSteadiness(before.steadiness, at, signals.replicas)
  const moved = { ...known, steadiness }
  const last = recent.at(-1)
  if (!isSettled(steadiness) || (last !== undefined && minuteOf(last.at) === minuteOf(at))) return moved
  const sample = speedSample(input.role, input.profile, input.limits, signals, at)
  if (sample === undefined || !isPlausible(sample, input.profile)) return moved
  const samples = [...recent, sample]
  return samples.length < leastSamples
    ? { ...moved, samples }
    : { ...moved, samples, learnt: learntFrom(samples, sample, before.learnt, input.profile) }
}

/** A memory that was rebuilt from the last minutes, with what was recorded instead of what those taught. */
export function recalled(rebuilt: SpeedMemory | undefined, recorded: RecordedSpeed, at: number): SpeedMemory {
  if (rebuilt === undefined) return { at, samples: [], ...recorded }
  if (rebuilt.profile !== recorded.profile) return rebuilt
  const { learnt: _, ...rest } = rebuilt
  return { ...rest, ...recorded }
}

function minuteOf(at: number): number {
  return Math.floor(at / minuteSeconds)
}

/** What nobody could correct by is not an engine that is slow: it is one that is broken, or another law. */
function isPlausible({ gap }: SpeedSample, { quality }: Profile): boolean {
  const ratio = gap.ms / (gap.base + gap.slopes)
  return ratio > 1 / (1.5 * furthest(quality)) && ratio < 1.5 * furthest(quality)
}

function learntFrom(
  samples: readonly SpeedSample[],
  sample: SpeedSample,
  before: LearntSpeed | undefined,
  { quality }: Profile,
): LearntSpeed {
  const fit = fitSpeed(samples)
  const most = furthest(quality)
  const { applied: was, ratio: ratioWas, offSince } = before ?? { applied: uncorrected, ratio: 1 }
  const applied: Correction = {
    base: towards(was.base, fit.base, most),
    slopes: towards(was.slopes, fit.slopes, most),
    overheadMs: overheadTowards(was.overheadMs, fit.overheadMs),
  }
  const ratio = ratioOf(sample, applied)
  if (Math.abs(ratio - 1) <= notable) return { applied, ratio }
  return { applied, ratio, offSince: (ratioWas - 1) * (ratio - 1) > 0 ? (offSince ?? sample.at) : sample.at }
}

function ratioOf({ gap }: SpeedSample, { base, slopes }: Correction): number {
  return (base * gap.base + slopes * gap.slopes) / (gap.base + gap.slopes)
}

/**
 * The next factor on the grid of steps; stays where it is within a step of what was fitted, and uncorrected while what was fitted
 * is not notable: what is read wanders by as much around engines that are just as their profile says.
 */
function towards(applied: number, fitted: number, most: number): number {
  const wanted = Math.log(Math.min(most, Math.max(1 / most, fitted))) / stepSize
  const now = Math.log(applied) / stepSize
  const unmoved = Math.abs(now) < 0.5 ? Math.log(1 + notable) / stepSize : 1
  if (Math.abs(wanted - now) < unmoved) return applied
  const steps = Math.round(now + Math.min(mostSteps, Math.max(-mostSteps, wanted - now)))
  return Math.exp(steps * stepSize)
}

function overheadTowards(applied: number, fitted: number): number {
  const wanted = Math.min(mostOverheadMs, fitted)
  return Math.abs(wanted - applied) < overheadStepMs
    ? applied
    : overheadStepMs * Math.round(wanted / overheadStepMs)
}

/** FNV-1a over its coefficients: whole as a floating-point number, which is all that a metric can be. */
function profileDigest({ a, b, c, ap, bp, d2, g, h, mixtureOfExperts }: Profile): number {
  const text = JSON.stringify([a, b, c, ap, bp, d2, g, h, mixtureOfExperts?.x, mixtureOfExperts?.kappa])
  let digest = 0x811c9dc5
  for (let i = 0; i < text.length; i++) digest = Math.imul(digest ^ text.charCodeAt(i), 0x01000193)
  return digest >>> 0
}
