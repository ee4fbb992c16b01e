// How long one iteration of a unified replica takes while n sequences decode: prompts that arrive during a step
// are all prefilled in the next one, which makes the steps a gated M/G/1 cycle. Modelling notes, section 1 (1, 2).
import type { Profile } from '../profile.ts'
import { gammaLaplace } from './gamma.ts'
import { decodeStep, prefillSurcharge } from './iteration.ts'
import { expected, type Workload } from './lengths.ts'
import type { Dispersion } from './replica.ts'

/** One replica under one load. `lambda` in requests per ms. */
export interface Station {
  readonly profile: Profile
  readonly work: Workload
  readonly lambda: number
  /** lambda e1: the share of time that goes into prompts. */
  readonly rho: number
  /** Index of dispersion of arrivals over a residence, and over a step; 1 is Poisson. */
  readonly I: number
  readonly Ic: number
  /** Replicas among which the router evens out what is in the system. */
  readonly sharing: number
  /** F = E[sum of rho^j over the gaps of an answer]. */
  readonly F: number
  /** How far the KV that n sequences hold is from n m, in standard deviations. */
  readonly heavier: number
  /** Sequences that run at once. */
  readonly slots: number
}

export interface Cycle {
  readonly n: number
  /** A step without prefill, and what carrying prefill adds to it once. */
  readonly S: number
  readonly dl: number
  /** Mean and variance of a step. */
  readonly EC: number
  readonly V: number
  /** Chance that a step carries no prompt, and exactly one. */
  readonly p0: number
  readonly p1: number
  /** First two moments of the step that an arrival finds under way. */
  readonly y1: number
  readonly y2: number
  /** Mean and variance of the step that carries a request's own prompt: the first of its life. */
  readonly m0: number
  readonly v0: number
  /** How long it decodes. */
  readonly DC: number
  /** From its arrival to its first token. */
  readonly tau: number
}

export function station(
  profile: Profile,
  work: Workload,
  lambda: number,
  dispersion: Dispersion,
  heavier: number,
  slots: number,
): Station {
  const rho = lambda * work.e1
  const F = expected(work.answers, (d) => decaySum(rho, d))
  return { profile, work, lambda, rho, ...dispersion, F, heavier, slots }
}

/** Tokens that n sequences hold together. */
function heldTokens({ m, varContext }: Workload, n: number, heavier: number): number {
  return Math.max(0, n * m + heavier * Math.sqrt(n * varContext))
}

/** rho + rho^2 + ... + rho^d. */
export function decaySum(rho: number, d: number): number {
  return (rho * (1 - rho ** d)) / (1 - rho)
}

/** `near`: the cycle at an n close by, from whose chances two passes settle it, where six are needed from nothing. */
export function cycle(station: Station, n: number, near?: Cycle): Cycle {
  const { profile, work, lambda, rho } = station
  const { e1, e2, dec } = work
  const S = decodeStep(profile, n, heldTokens(work, n, station.heavier))
  const dl = prefillSurcharge(profile, n, work.touch)
  const batchVariance = promptVariance(station)
  const quiet = Math.exp(-lambda * S)
  let p0 = near?.p0 ?? quiet
  let EC = S
  let V = 0
  const passes = dl === 0 || near !== undefined ? 2 : 6
  for (let pass = 0; pass < passes; pass++) {
    EC = (S + dl * (1 - p0)) / (1 - rho)
    V = (lambda * batchVariance * EC) / (1 - rho * rho) + dl * dl * p0 * (1 - p0)
    p0 = quiet * gammaLaplace(EC - S, V, lambda)
  }
  const x1 = EC - S
  const p1 = lambda * (S + (x1 > 0 ? x1 / (1 + (lambda * V) / x1) : 0)) * p0
  const { y1, y2 } = stepUnderWay(S, x1, V)
  const m0 = S + dl + e1 + rho * y1
  const v0 = e2 - e1 * e1 + lambda * e2 * y1 + rho * rho * (y2 - y1 * y1)
  const DC = dec * EC + Math.max(0, m0 - EC) * station.F
  const tau = y1 * (0.5 + rho) + S + dl + e1
  return { n, S, dl, EC, V, p0, p1, y1, y2, m0, v0, DC, tau }
}

/** Variance of the work that arrives per unit of lambda: e2 for Poisson arrivals, less for evened-out ones. */
export function promptVariance({ work: { e1, e2 }, Ic }: Station): number {
  return Math.max(0, e2 + (Ic - 1) * e1 * e1)
}

/** Length-biased moments of a step `S + excess`, the excess a gamma with mean x1 and variance V. */
export function stepUnderWay(S: number, x1: number, V: number): { readonly y1: number; readonly y2: number } {
  const EC = S + x1
  const EC2 = V + EC * EC
  const excess3 = x1 > 0 ? x1 * x1 * x1 + 3 * x1 * V + (2 * V * V) / x1 : 0
  const EC3 = S * S * S + 3 * S * S * x1 + 3 * S * (V + x1 * x1) + excess3
  return { y1: EC2 / EC, y2: EC3 / EC }
}
