// A replica that prefills and decodes, with chunked prefill: formula G of the modelling notes, section 1. Its
// saturation rate is the closed form there: the work of a request, plus its share of what every step costs anyway.
import type { Profile } from '../profile.ts'
import { chain, type Tempering } from './chain.ts'
import { station } from './cycle.ts'
import { decodeStep, prefillSurcharge } from './iteration.ts'
import { itlMixture } from './itl.ts'
import type { Workload } from './lengths.ts'
import type { ReplicaModel } from './replica.ts'
import { tpotMixture } from './tpot.ts'
import { ttftMixture } from './ttft.ts'

/** Nodes that stand for k >= 2; nine lose less than a percent against all states. */
const defaultGroups = 9

export interface UnifiedOptions {
  readonly tempering?: Tempering
  readonly groups?: number
}

export function unifiedReplica(
  profile: Profile,
  work: Workload,
  maxNumBatchedTokens: number,
  options: UnifiedOptions = {},
): ReplicaModel {
  const lmax = unifiedSaturation(profile, work, maxNumBatchedTokens)
  return {
    lmax,
    at: (lambda, dispersion) => {
      if (!(lambda < lmax) || lambda * work.e1 >= 0.999) return undefined
      const under = station(profile, work, lambda, dispersion)
      const solved = chain(under, options.tempering ?? 'local', options.groups ?? defaultGroups)
      if (solved === undefined) return undefined
      return {
        mixture: (metric) => {
          switch (metric) {
            case 'ttft':
              return ttftMixture(under, solved)
            case 'itl':
              return itlMixture(under, solved)
            case 'tpot':
              return tpotMixture(under, solved)
          }
        },
        meanK: solved.meanK,
        waitingShare: solved.waiting.probability,
      }
    },
  }
}

/** Requests per ms at which N sequences decode all the time, or every step is filled to its token budget. */
export function unifiedSaturation(profile: Profile, work: Workload, maxNumBatchedTokens: number): number {
  const { e1, dec, m, N, touch, promptTokens } = work
  const carrying = (n: number): number => decodeStep(profile, n, n * m) + prefillSurcharge(profile, n, touch)
  const dl = prefillSurcharge(profile, N, touch)
  const bySlots = e1 + (dec * decodeStep(profile, N, N * m)) / N + dl * Math.min(1, dec / N)
  // With the budget full, sequences leave the steps as fast as prompts enter: no more than this many decode.
  const n = Math.min(N, (maxNumBatchedTokens * dec) / (dec + promptTokens))
  const perToken = profile.b + profile.c * m
  const byBudget =
    e1 + dec * perToken + ((carrying(n) - n * perToken) * promptTokens) / (maxNumBatchedTokens - n)
  return 1 / Math.max(bySlots, byBudget)
}
