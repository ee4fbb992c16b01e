// How long one iteration of the simulated engine takes: the law of src/core/profile.ts in seconds. A prompt's
// attention over itself is quadratic per prompt, not per step: d2 (end^2 - start^2) for a chunk [start, end).
// Profiles without d2 pay c/2 per prompt token instead: what reading the KV of a growing prompt costs.
import type { Profile } from '../core/profile.ts'

export interface IterationLaw {
  readonly base: number
  readonly perDecode: number
  readonly perKvToken: number
  readonly prefillBase: number
  readonly perDecodeBesidePrefill: number
  readonly perPromptToken: number
  readonly perPromptTokenSquared: number
  readonly experts: number
  readonly logMissedExperts: number
}

export function iterationLaw(profile: Profile): IterationLaw {
  const { a, b, c, ap, bp, d2, g, mixtureOfExperts } = profile
  return {
    base: a / 1000,
    perDecode: b / 1000,
    perKvToken: c / 1000,
    prefillBase: (ap - a) / 1000,
    perDecodeBesidePrefill: g / 1000,
    perPromptToken: (d2 > 0 ? bp : bp + c / 2) / 1000,
    perPromptTokenSquared: d2 / 1000,
    experts: (mixtureOfExperts?.x ?? 0) / 1000,
    logMissedExperts: Math.log1p(-(mixtureOfExperts?.kappa ?? 0)),
  }
}

/**
 * Seconds of one iteration: `decodes` sequences that hold `kvTokens`, beside `promptTokens` of prompts whose
 * chunks' end^2 - start^2 add up to `promptSquares`.
 */
export function iterationSeconds(
  law: IterationLaw,
  decodes: number,
  kvTokens: number,
  promptTokens: number,
  promptSquares: number,
): number {
  let seconds = law.base + law.perDecode * decodes + law.perKvToken * kvTokens
  if (promptTokens > 0) {
    seconds +=
      law.prefillBase +
      law.perDecodeBesidePrefill * decodes +
      law.perPromptToken * promptTokens +
      law.perPromptTokenSquared * promptSquares
  }
  if (law.experts > 0)
    seconds += law.experts * (1 - Math.exp((decodes + promptTokens) * law.logMissedExperts))
  return seconds
}

/** The law of an engine that takes `factor` times as long for everything. */
export function slowed(law: IterationLaw, factor: number): IterationLaw {
  return {
    ...law,
    base: law.base * factor,
    perDecode: law.perDecode * factor,
    perKvToken: law.perKvToken * factor,
    prefillBase: law.prefillBase * factor,
    perDecodeBesidePrefill: law.perDecodeBesidePrefill * factor,
    perPromptToken: law.perPromptToken * factor,
    perPromptTokenSquared: law.perPromptTokenSquared * factor,
    experts: law.experts * factor,
  }
}
