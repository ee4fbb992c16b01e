// What one observation says about a variant's speed: how long a step and a first token took at its median engine, and
// how long they would take by the profile for as many running sequences. Running sequences come from counters, by
// Little's law: the sum of the gaps between tokens grows by one second per second for each sequence that decodes.
import { workload } from '../capacity/lengths.ts'
import type { LengthBin, ReplicaLimits, Shape } from '../capacity/question.ts'
import { lengthBins } from '../capacity/shape.ts'
import { eventsPerSecond } from '../histogram.ts'
import type { TypicalEngine, VariantSignals } from '../observation.ts'
import type { Role } from '../policy.ts'
import type { Profile } from '../profile.ts'
import {
  applied,
  type Counts,
  gapCounts,
  restOfStep,
  touched,
  ttftCounts,
  type UnderWay,
} from '../profiles/equations.ts'
import type { Run } from '../profiles/measurement.ts'
import { isMissing } from '../reading.ts'
import { corrected } from './correction.ts'

/** Milliseconds. */
export interface SpeedSample {
  readonly at: number
  /** The mean gap between tokens. */
  readonly gap: Measured
  /** The mean TTFT without h and without the rest of the step under way; absent where prompts come with their KV. */
  readonly first?: Measured
}

/** A time that was measured, and the two parts of it by the profile: what every step costs, and what requests add. */
export interface Measured {
  readonly ms: number
  readonly base: number
  readonly slopes: number
}

/** Fewer gaps in the window of a minute say little; with fewer sequences an engine is idle in between. */
const leastGapsPerSecond = 4
const leastRunning = 0.5

/** Where more of the requests wait than that, TTFT is that of a queue. */
const mostWaitingShare = 0.1

/** Two counters of the same tokens agree to this. A version that counts otherwise is not learnt from. */
const tokenTolerance = 0.2

/** As many as sizing takes. */
const lengthPoints = 12

/** Undefined where the observation does not show engines under ordinary load. */
export function speedSample(
  role: Role,
  profile: Profile,
  limits: ReplicaLimits,
  signals: VariantSignals,
  at: number,
): SpeedSample | undefined {
  const typical = ordinaryEngine(signals)
  const { promptTokens, outputTokens, prefixHitRate } = signals
  // An engine that only prefills emits one token per request: it has no gaps.
  if (role === 'prefill' || typical === undefined) return undefined
  if (isMissing(promptTokens) || isMissing(outputTokens)) return undefined
  const shape = {
    promptTokens: lengthBins(promptTokens, lengthPoints),
    outputTokens: lengthBins(outputTokens, lengthPoints),
    prefixHitRate: isMissing(prefixHitRate) ? 0 : prefixHitRate,
  }
  const { dec, m } = workload(profile, limits, shape)
  if (!(dec > 0)) return undefined
  const state = {
    gapMs: (1000 * typical.gapSecondsPerSecond) / typical.gapsPerSecond,
    running: typical.gapSecondsPerSecond,
    perMs: typical.gapsPerSecond / dec / 1000,
  }
  if (role === 'decode')
    return { at, gap: measured(profile, decodes(profile, state.running, m), state.gapMs) }
  const ttftMs = (1000 * typical.ttftSecondsPerSecond) / typical.firstTokensPerSecond
  return { at, ...unified(profile, shape, state, m, ttftMs) }
}

/** The median engine, where requests run and hardly any wait, none is computed twice, and the counters agree. */
function ordinaryEngine(signals: VariantSignals): TypicalEngine | undefined {
  const { typicalEngine, running, waiting, preemptionsPerSecond, generationTokensPerSecond, itl, ttft } =
    signals
  if (typicalEngine === undefined || isMissing(typicalEngine)) return undefined
  if (isMissing(running) || isMissing(waiting) || isMissing(preemptionsPerSecond)) return undefined
  if (isMissing(generationTokensPerSecond) || isMissing(itl) || isMissing(ttft)) return undefined
  const tokens = eventsPerSecond(itl) + eventsPerSecond(ttft)
  const ordinary =
    typicalEngine.gapsPerSecond >= leastGapsPerSecond &&
    typicalEngine.gapSecondsPerSecond >= leastRunning &&
    typicalEngine.firstTokensPerSecond > 0 &&
    waiting <= mostWaitingShare * (running + waiting) &&
    preemptionsPerSecond === 0 &&
    Math.abs(tokens - generationTokensPerSecond) <= tokenTolerance * generationTokensPerSecond
  return ordinary ? typicalEngine : undefined
}

function unified(
  profile: Profile,
  shape: Shape,
  state: UnderWay,
  context: number,
  ttftMs: number,
): Pick<SpeedSample, 'gap' | 'first'> {
  const run = runOf(shape, state.perMs)
  const rest = restOfStep(run, state)
  // Prefix hits shorten what is computed, not what a sequence holds.
  const held = { c: state.running * context }
  const first = measured(
    profile,
    { ...ttftCounts(run, state, kappaOf(profile)), ...held, h: 0 },
    ttftMs - rest,
  )
  // A first token that waited in a queue, or outside the engine, stalled nobody's gaps meanwhile.
  const stalling = { ...run, ttftMs: Math.min(ttftMs, rest + first.base + first.slopes) }
  const gap = { ...gapCounts(stalling, state, kappaOf(profile)), ...held }
  return { gap: measured(profile, gap, state.gapMs), first }
}

function decodes(profile: Profile, running: number, context: number): Counts {
  return { a: 1, b: running, c: running * context, x: touched(kappaOf(profile), running) }
}

/** The same equations as those that profiles are fitted by, for what the engine itself went through. */
function runOf({ promptTokens, outputTokens, prefixHitRate }: Shape, perMs: number): Run {
  return {
    origin: { file: '', row: 0 },
    setup: { model: '', gpu: '', tp: 1, engine: '' },
    load: { kind: 'rate', requestsPerSecond: 1000 * perMs, arrivals: 'poisson' },
    promptTokens: {
      mean: moment(promptTokens, 1) * (1 - prefixHitRate),
      meanSquare: moment(promptTokens, 2) * (1 - prefixHitRate ** 2),
    },
    outputTokens: { mean: moment(outputTokens, 1), meanSquare: moment(outputTokens, 2) },
  }
}

function moment(bins: readonly LengthBin[], power: number): number {
  return bins.reduce((sum, { tokens, weight }) => sum + weight * tokens ** power, 0)
}

function measured(profile: Profile, counts: Counts, ms: number): Measured {
  const parts = { ...profile, h: 0, ...(profile.d2 > 0 ? {} : { bp: profile.bp + profile.c / 2 }) }
  return {
    ms,
    base: applied(corrected(parts, { base: 1, slopes: 0, overheadMs: 0 }), counts),
    slopes: applied(corrected(parts, { base: 0, slopes: 1, overheadMs: 0 }), counts),
  }
}

function kappaOf({ mixtureOfExperts }: Profile): number {
  return mixtureOfExperts?.kappa ?? 0
}
