// Time per output token of one request: the mean of its d gaps, which stretch towards its first step when d is
// small and average out when it is large. Modelling notes, section 1 (6).
import type { Chain } from './chain.ts'
import { type Cycle, cycle, decaySum, promptVariance, type Station } from './cycle.ts'
import { gammaLaplace } from './gamma.ts'
import { atom, type Piece } from './mixture.ts'

/** Milliseconds, over requests with a second token; empty where there are none. */
export function tpotMixture(station: Station, chain: Chain): readonly Piece[] {
  return chain.nodes.flatMap(({ probability, n }) => {
    const state = cycle(station, n)
    return station.work.answers
      .filter(({ value }) => value > 0)
      .flatMap(({ value, weight }) => requestPieces(station, state, value, probability * weight))
  })
}

function requestPieces(station: Station, state: Cycle, d: number, weight: number): readonly Piece[] {
  const { lambda, rho, work } = station
  const { S, dl, EC, V, m0, v0 } = state
  const cap = S + dl + work.fullStep
  const fac = decaySum(rho, d) / d
  const mean = EC - S + Math.max(0, m0 - EC) * fac
  const correlated = (1 + rho) / (1 - rho) - (2 * rho * (1 - rho ** d)) / (d * (1 - rho) ** 2)
  const variance =
    (V / d) * Math.max(1 / d, correlated) +
    Math.max(0, v0 - V) * fac * fac +
    promptVariance(station) * lambda * Math.max(0, m0 - EC) * startWeight(rho, d)
  // Nothing arrives during its first step, nor during the d - 1 that then need no prefill either.
  const P0 = gammaLaplace(m0, v0, lambda) * Math.exp(-lambda * S * Math.max(0, d - 1))
  const rest = 1 - P0
  if (!(rest > 1e-12)) return [atom(weight, S)]
  const meanRest = mean / rest
  return [
    atom(weight * P0, S),
    {
      weight: weight * rest,
      shift: S,
      mean: meanRest,
      variance: Math.max(0, (variance + mean * mean) / rest - meanRest * meanRest),
      cap,
    },
  ]
}

/**
 * What arrives during a long first step comes into the gaps after it, at once and by what it makes them longer: the mean of
 * the d gaps has so much of that variance, sum over j = 1..d of rho^(j-1) ((1 - rho^(d-j+1)) / (1 - rho))^2 / d^2.
 */
function startWeight(rho: number, d: number): number {
  const gaps = Math.max(1, Math.round(d))
  let sum = 0
  let decay = 1
  for (let j = 1; j <= gaps && decay > 1e-9; j++) {
    sum += decay * ((1 - rho ** (gaps - j + 1)) / (1 - rho)) ** 2
    decay *= rho
  }
  return sum / (d * d)
}
