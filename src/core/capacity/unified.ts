// A replica that prefills and decodes, with chunked prefill: formula G of the modelling notes, section 1. Its
// saturation rate is the closed form there: the work of a request, plus its share of what every step costs anyway.
import type { Profile } from '../profile.ts'
import { type Chain, chain, outrun, stages, type Tempering } from './chain.ts'
import { type ContextLevel, followed, slotsAt, threeLevels } from './contexts.ts'
import { type Station, station } from './cycle.ts'
import { decodeStep, prefillSurcharge } from './iteration.ts'
import { itlMixture } from './itl.ts'
import type { Workload } from './lengths.ts'
import type { Mixture } from './mixture.ts'
import type { Latencies, Metric, ReplicaModel } from './replica.ts'
import { tpotMixture } from './tpot.ts'
import { ttftMixture } from './ttft.ts'

/**
 * Local tempering overrates how many requests are in a replica of long prompts and short answers several times over:
 * its TTFT would waste a third of such a replica (modelling notes, section 2).
 */
const sizing: Readonly<Record<Metric, Tempering>> = { ttft: 'global', itl: 'local', tpot: 'local' }

interface UnifiedOptions {
  readonly tempering?: Readonly<Record<Metric, Tempering>>
  /** Nodes that stand for k >= 2; nine lose less than a percent of capacity in nine of ten cases. */
  readonly groups?: number
  readonly contexts?: readonly ContextLevel[]
}

export function unifiedReplica(
  profile: Profile,
  work: Workload,
  maxNumBatchedTokens: number,
  { tempering = sizing, groups = 9, contexts = threeLevels }: UnifiedOptions = {},
): ReplicaModel {
  const lmax = unifiedSaturation(profile, work, maxNumBatchedTokens)
  return {
    lmax,
    at: (lambda, dispersion) => {
      if (!(lambda < lmax) || lambda * work.e1 >= 0.999) return undefined
      const even = station(profile, work, lambda, dispersion, 0, slotsAt(work, 0))
      const evenStates = stages(even)
      const share = followed(evenStates, lambda, work) / Math.sqrt(dispersion.sharing)
      const levels = contexts.map(({ heavier, weight }): Level => {
        const slots = slotsAt(work, heavier)
        const under = { ...even, heavier: share * heavier, slots }
        const states = heavier === 0 ? evenStates : stages(under)
        const solved = (how: Tempering): Chain =>
          weighed(chain(under, states, how, groups) ?? outrun(states), weight)
        const chains = { global: solved('global'), local: solved('local') }
        return { station: { ...even, heavier, slots }, chains }
      })
      return latenciesOver(levels, tempering)
    },
  }
}

/** Its chains weigh what the level does, not 1. */
interface Level {
  readonly station: Station
  readonly chains: Readonly<Record<Tempering, Chain>>
}

function weighed({ nodes, waiting, meanK }: Chain, weight: number): Chain {
  return {
    nodes: nodes.map((node) => ({ ...node, probability: weight * node.probability })),
    waiting: { ...waiting, probability: weight * waiting.probability },
    meanK: weight * meanK,
  }
}

function latenciesOver(levels: readonly Level[], tempering: Readonly<Record<Metric, Tempering>>): Latencies {
  const mixed = (metric: Metric, of: (station: Station, chain: Chain) => Mixture): Mixture =>
    levels.flatMap(({ station, chains }) => of(station, chains[tempering[metric]]))
  return {
    mixture: (metric) => {
      switch (metric) {
        case 'ttft':
          return mixed(metric, ttftMixture)
        case 'itl':
          return mixed(metric, itlMixture)
        case 'tpot':
          return mixed(metric, tpotMixture)
      }
    },
    waits: () =>
      mixed('ttft', (station, chain) =>
        ttftMixture(station, { ...chain, nodes: chain.nodes.filter(({ waits }) => waits) }),
      ),
    meanK: levels.reduce((sum, { chains }) => sum + chains[tempering.ttft].meanK, 0),
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
