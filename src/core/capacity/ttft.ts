// Time to first token of a unified replica: the rest of the step under way, the step that prefills the prompts
// waiting with it, its own prompt, and a wait for a slot where all are taken. Modelling notes, section 1 (4).
import type { Chain, ChainNode } from './chain.ts'
import { cycle, promptVariance, type Station } from './cycle.ts'
import type { Piece } from './mixture.ts'

interface Wait {
  readonly weight: number
  readonly base: number
  readonly mean: number
  readonly variance: number
}

/** Milliseconds, the site's constant h included. */
export function ttftMixture(station: Station, chain: Chain): readonly Piece[] {
  const { prompts } = station.work
  return chain.nodes
    .flatMap((node) => waits(station, chain, node))
    .flatMap(({ weight, base, mean, variance }) =>
      prompts.map((prompt) => ({
        weight: weight * prompt.weight,
        shift: station.profile.h + base + prompt.value,
        mean,
        variance,
        cap: Number.POSITIVE_INFINITY,
      })),
    )
}

function waits(station: Station, chain: Chain, node: ChainNode): readonly Wait[] {
  const { k, probability } = node
  const state = cycle(station, node.n)
  const base = state.S + state.dl
  if (k === 0) return [{ weight: probability, base, mean: 0, variance: 0 }]
  if (node.waits) {
    const { rate } = chain.waiting
    const wait = behind(station, state.y1, state.y2)
    return [
      { weight: probability, base, mean: wait.mean + 1 / rate, variance: wait.variance + 1 / (rate * rate) },
    ]
  }
  const amongDecodes = behind(station, state.y1, state.y2)
  if (k > 1) return [{ weight: probability, base, ...amongDecodes }]
  // The one other request either decodes or is in its own prefill, a step that no decode explains.
  const prefilling = state.tau / (state.tau + state.DC)
  const own = prefillStep(station, base)
  return [
    { weight: probability * prefilling, base, ...behind(station, own.y1, own.y2) },
    { weight: probability * (1 - prefilling), base, ...amongDecodes },
  ]
}

/** The wait behind a step with length-biased moments y1, y2: its remainder and the prompts that came during it. */
function behind(
  station: Station,
  y1: number,
  y2: number,
): { readonly mean: number; readonly variance: number } {
  const { rho, lambda } = station
  const mean = y1 * (0.5 + rho)
  const variance = y2 * (1 / 3 + rho + rho * rho) - mean * mean + lambda * promptVariance(station) * y1
  return { mean, variance: Math.max(0, variance) }
}

/** Length-biased moments of a step of `base` and one prompt: what the second request of two finds. */
function prefillStep(station: Station, base: number): { readonly y1: number; readonly y2: number } {
  const { e1, e2, e3 } = station.work
  const h1 = base + e1
  const h2 = base * base + 2 * base * e1 + e2
  const h3 = base ** 3 + 3 * base * base * e1 + 3 * base * e2 + e3
  return { y1: h2 / h1, y2: h3 / h1 }
}
