// What measured latencies may change in a profile: three numbers, because production aggregates determine no more
// (docs/MODEL.md, "Calibration"). The ratios between the coefficients stay the profile's.
import type { Profile, ProfileQuality } from '../profile.ts'

export interface Correction {
  /** Factor on what a step costs before any request adds to it: a, ap and the experts. */
  readonly base: number
  /** Factor on what requests add: b, c, bp, d2, g. */
  readonly slopes: number
  /** Added to h, ms. */
  readonly overheadMs: number
}

export const uncorrected: Correction = { base: 1, slopes: 1, overheadMs: 0 }

export function corrected(profile: Profile, { base, slopes, overheadMs }: Correction): Profile {
  const { mixtureOfExperts } = profile
  return {
    ...profile,
    a: base * profile.a,
    ap: base * profile.ap,
    b: slopes * profile.b,
    c: slopes * profile.c,
    bp: slopes * profile.bp,
    d2: slopes * profile.d2,
    g: slopes * profile.g,
    h: profile.h + overheadMs,
    ...(mixtureOfExperts === undefined
      ? {}
      : { mixtureOfExperts: { ...mixtureOfExperts, x: base * mixtureOfExperts.x } }),
  }
}

/** How far a factor may go, up and down: an estimate from data sheets is trusted less than a measurement. */
export function furthest(quality: ProfileQuality): number {
  return quality === 'guess' ? 4 : 2
}
