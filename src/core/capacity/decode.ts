// A replica that only decodes, its prompts prefilled elsewhere: a birth-death chain over the sequences that run,
// limited by slots and KV cache; a step's length varies with what they hold. Modelling notes, section 3.
import type { Profile } from '../profile.ts'
import { type Chain, rungs, solve } from './chain.ts'
import { decodeStep } from './iteration.ts'
import type { Workload } from './lengths.ts'
import type { Mixture, Piece } from './mixture.ts'
import type { ReplicaModel } from './replica.ts'

const groups = 15

interface DecodeStation {
  readonly work: Workload
  /** Decode steps per request: at least the one that emits the first token here. */
  readonly steps: number
  readonly stepAt: (k: number) => { readonly S: number; readonly variance: number }
}

export function decodeReplica(profile: Profile, work: Workload): ReplicaModel {
  const { N, m, varContext } = work
  const steps = Math.max(1, work.dec)
  const stepAt = (k: number): { readonly S: number; readonly variance: number } => ({
    S: decodeStep(profile, k, k * m),
    variance: profile.c * profile.c * k * varContext,
  })
  const mu = (k: number): number => k / (steps * stepAt(k).S)
  const under: DecodeStation = { work, steps, stepAt }
  const lmax = mu(N)
  return {
    lmax,
    at: (lambda, { I, sharing }) => {
      const ladder = rungs(N).map((k) => ({ k, n: k, mu: mu(k), zeta: (1 / sharing + I) / 2 }))
      const solved = solve(ladder, lambda, groups)
      if (solved === undefined) return undefined
      return {
        mixture: (metric) => {
          switch (metric) {
            case 'ttft':
              return handOver(under, solved)
            case 'itl':
              return gaps(under, solved)
            case 'tpot':
              return meanGaps(under, solved)
          }
        },
        meanK: solved.meanK,
        waits: () => handOver(under, { ...solved, nodes: solved.nodes.filter(({ waits }) => waits) }),
      }
    },
  }
}

const uncapped = Number.POSITIVE_INFINITY

/** From the hand-over of a request to its first token here: the rest of a step, one of its own, a wait for a slot. */
function handOver({ stepAt }: DecodeStation, { nodes, waiting }: Chain): Mixture {
  return nodes.map(({ k, probability, waits }): Piece => {
    const { S } = stepAt(Math.max(1, k))
    const own = { weight: probability, shift: S, cap: uncapped }
    if (!waits) return { ...own, mean: k === 0 ? 0 : S / 2, variance: k === 0 ? 0 : (S * S) / 12 }
    return {
      ...own,
      mean: S / 2 + 1 / waiting.rate,
      variance: (S * S) / 12 + 1 / (waiting.rate * waiting.rate),
    }
  })
}

/** Every gap is a step; the one in which a request waited for its slot is as long as that wait, too. */
function gaps({ steps, stepAt }: DecodeStation, { nodes, waiting }: Chain): Mixture {
  return nodes
    .filter(({ k }) => k > 0)
    .flatMap(({ k, probability, waits }): readonly Piece[] => {
      const { S, variance } = stepAt(k)
      const weight = (probability * k) / S
      const step = { weight, shift: 0, mean: S, variance, cap: uncapped }
      if (!waits) return [step]
      const { rate } = waiting
      const first = { shift: S, mean: 1 / rate, variance: 1 / (rate * rate), cap: uncapped }
      return [
        { ...step, weight: weight * (1 - 1 / steps) },
        { ...first, weight: weight / steps },
      ]
    })
}

function meanGaps({ work, stepAt }: DecodeStation, { nodes, waiting }: Chain): Mixture {
  return nodes.flatMap(({ k, probability, waits }) => {
    const { S, variance } = stepAt(Math.max(1, k))
    if (!waits) return [{ weight: probability, shift: 0, mean: S, variance, cap: uncapped }]
    return work.answers
      .filter(({ value }) => value > 0)
      .map(({ value, weight }): Piece => {
        const wait = 1 / (waiting.rate * value)
        return { weight: probability * weight, shift: S, mean: wait, variance: wait * wait, cap: uncapped }
      })
  })
}
