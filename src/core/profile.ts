// How long one iteration of the engine takes: the coefficients that every capacity answer rests on.
//
//   T = a + b n + c KV  + [prefill in step] ((ap - a) + g n + bp P + d2 P^2)  + x (1 - (1 - kappa)^(n + P))
//
// for n running sequences holding KV tokens, with P prompt tokens in the step; the client's TTFT adds h.
// Milliseconds and tokens, as published profiles state them. docs/MODEL.md has sources and accuracy.

export interface Profile {
  /** Where it can be looked up again: `model/accelerator-tpN`, or `policy` where it stands inline. */
  readonly name: string
  readonly quality: ProfileQuality
  /** Who measured it, or from what it was estimated. */
  readonly source: string
  readonly a: number
  readonly b: number
  readonly c: number
  readonly ap: number
  readonly bp: number
  readonly d2: number
  readonly g: number
  readonly h: number
  readonly mixtureOfExperts?: { readonly x: number; readonly kappa: number }
  /** KV cache of one replica, in tokens, where the profile knows it. */
  readonly kvTokens?: number
}

/** `good` and `fair` are measured; `stated` stands in the policy; `guess` is a roofline estimate. */
export type ProfileQuality = 'good' | 'fair' | 'stated' | 'guess'

/** What a policy says about a variant when it asks for a profile. */
export interface WantedProfile {
  /** A name of the library, where the policy gives one. */
  readonly name?: string
  readonly model: string
  readonly acceleratorType: string
  /** GPUs per replica: the tensor-parallel degree unless the policy says otherwise. */
  readonly acceleratorCount: number
}

export type FoundProfile =
  | { readonly kind: 'found'; readonly profile: Profile }
  /** The nearest names, for the message. */
  | { readonly kind: 'notFound'; readonly nearest: readonly string[] }

export type ResolveProfile = (wanted: WantedProfile) => FoundProfile
