// What one iteration of the engine takes under the law of ../profile.ts, cut the way the queueing model needs it:
// a step of decodes only, what a step pays once for carrying prefill, and what each prompt adds to it.
// Milliseconds and tokens throughout. Worked: a 6.58, b 0.0193, c 5.46e-5, one sequence of 513 tokens: 6.627 ms.
import type { Profile } from '../profile.ts'

/** A prompt to prefill: all its tokens, of which `cachedTokens` are found in the prefix cache. */
interface Prompt {
  readonly tokens: number
  readonly cachedTokens: number
}

/** S: a step that decodes `sequences` holding `kvTokens` together, with no prefill in it. */
export function decodeStep(profile: Profile, sequences: number, kvTokens: number): number {
  return profile.a + profile.b * sequences + profile.c * kvTokens + expertsTouched(profile, sequences)
}

/** dl: what a step with `sequences` decodes pays once for carrying prefill; `touch` as `expertTouch` gives it. */
export function prefillSurcharge(profile: Profile, sequences: number, touch: number): number {
  const experts = profile.mixtureOfExperts
  const newlyTouched = experts === undefined ? 0 : experts.x * (1 - experts.kappa) ** sequences * touch
  return Math.max(0, profile.ap - profile.a) + profile.g * sequences + newlyTouched
}

/** Share of the experts that decodes have left untouched which a prompt of this many tokens touches. */
export function expertTouch(profile: Profile, prefillTokens: number): number {
  const experts = profile.mixtureOfExperts
  return experts === undefined ? 0 : 1 - (1 - experts.kappa) ** prefillTokens
}

/**
 * B: what one prompt adds to the steps that carry it. Attention reads the cached part too, so only the
 * tokens' own work shrinks in full; a prompt longer than the budget of a step pays the base again per chunk.
 */
export function promptWork(profile: Profile, prompt: Prompt, maxNumBatchedTokens: number): number {
  const { tokens, cachedTokens } = prompt
  const computed = tokens - cachedTokens
  const attention =
    profile.d2 > 0
      ? profile.d2 * (tokens * tokens - cachedTokens * cachedTokens)
      : profile.c * (cachedTokens + computed / 2)
  const furtherChunks = Math.max(0, Math.ceil(computed / maxNumBatchedTokens) - 1)
  return profile.bp * computed + attention + furtherChunks * Math.max(profile.a, profile.ap)
}

function expertsTouched(profile: Profile, tokens: number): number {
  const experts = profile.mixtureOfExperts
  return experts === undefined ? 0 : experts.x * (1 - (1 - experts.kappa) ** tokens)
}
