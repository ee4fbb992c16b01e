// A replica that only prefills: prompts that arrive during a batch are the next batch, and an idle replica starts at
// once. Batching is what makes it stable where one prompt per step would not be. Modelling notes, section 3 (pGated).
import type { Profile } from '../profile.ts'
import { promptVariance, type Station, station, stepUnderWay } from './cycle.ts'
import { gammaLaplace } from './gamma.ts'
import { prefillSurcharge } from './iteration.ts'
import type { Workload } from './lengths.ts'
import type { Mixture, Piece } from './mixture.ts'
import type { ReplicaModel } from './replica.ts'

export function prefillReplica(profile: Profile, work: Workload, maxNumBatchedTokens: number): ReplicaModel {
  const base = profile.a + prefillSurcharge(profile, 0, work.touch)
  const lmax = 1 / (work.e1 + base * Math.min(1, work.promptTokens / maxNumBatchedTokens))
  return {
    lmax,
    at: (lambda, dispersion) => {
      if (!(lambda < lmax) || lambda * work.e1 >= 0.999) return undefined
      const under = station(profile, work, lambda, dispersion, 0, work.N)
      const wait = batchWait(under, base)
      const ttft = ttftPieces(under, base, wait)
      const meanStay =
        ttft.reduce((sum, piece) => sum + piece.weight * (piece.shift + piece.mean), 0) - profile.h
      return {
        mixture: (metric) => (metric === 'ttft' ? ttft : []),
        meanK: lambda * meanStay,
        waits: () => [],
      }
    },
  }
}

interface BatchWait {
  readonly idle: number
  readonly mean: number
  readonly variance: number
}

/** A damped fixed point in p0, the chance that nothing arrives during a batch; 40 rounds settle it. */
function batchWait(under: Station, base: number): BatchWait {
  const { lambda, rho, work } = under
  const { e1, e2 } = work
  const batchVariance = promptVariance(under)
  const single = Math.max(0, e2 - e1 * e1) + e1 * e1
  let p0 = Math.exp(-lambda * (base + e1))
  let x1 = 0
  let V = 0
  for (let round = 0; round < 40; round++) {
    const EC = (base + p0 * e1) / (1 - rho)
    x1 = EC - base
    const M2 =
      (lambda * batchVariance * EC + rho * rho * (base * base + 2 * base * x1) + p0 * single) /
      (1 - rho * rho)
    V = Math.max(0, M2 - x1 * x1)
    p0 = 0.5 * (p0 + Math.exp(-lambda * base) * gammaLaplace(x1, V, lambda))
  }
  const { y1, y2 } = stepUnderWay(base, x1, V)
  const mean = y1 * (0.5 + rho)
  const variance = y2 * (1 / 3 + rho + rho * rho) - mean * mean + lambda * batchVariance * y1
  const pause = p0 / lambda
  return { idle: pause / (base + x1 + pause), mean, variance: Math.max(0, variance) }
}

function ttftPieces({ profile, work }: Station, base: number, wait: BatchWait): Mixture {
  return work.prompts.flatMap(({ value, weight }): readonly Piece[] => {
    const own = { shift: profile.h + base + value, cap: Number.POSITIVE_INFINITY }
    return [
      { ...own, weight: weight * wait.idle, mean: 0, variance: 0 },
      { ...own, weight: weight * (1 - wait.idle), mean: wait.mean, variance: wait.variance },
    ]
  })
}
