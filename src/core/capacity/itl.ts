// The gap before one token, over all tokens: a step without prefill, with one prompt, or with several; the first
// gaps of an answer are drawn towards the longer step in which its own prompt was. Modelling notes, section 1 (5).
import type { Chain } from './chain.ts'
import { type Cycle, cycle, type Station } from './cycle.ts'
import { gammaLaplace } from './gamma.ts'
import { atom, type Piece } from './mixture.ts'

/** Gaps of an answer that still remember the step it began in. */
const transientGaps = 6

/** A step as chances of carrying no prompt or one, and its first two moments. */
interface Step {
  readonly p0: number
  readonly p1: number
  readonly mean: number
  readonly variance: number
}

/** Milliseconds; empty where no answer has a second token. */
export function itlMixture(station: Station, chain: Chain): readonly Piece[] {
  const { answers, dec } = station.work
  if (!(dec > 0)) return []
  const reaching = Array.from({ length: transientGaps }, (_, gap) =>
    answers.reduce((sum, { value, weight }) => sum + (value >= gap + 1 ? weight : 0), 0),
  )
  const early = reaching.map((share) => share / dec)
  const late = 1 - early.reduce((sum, share) => sum + share, 0)
  const pieces: Piece[] = []
  for (const { k, probability, n } of chain.nodes) {
    if (!(k > 0)) continue
    const state = cycle(station, n)
    const weight = (probability * n) / state.EC
    const steady: Step = { p0: state.p0, p1: state.p1, mean: state.EC, variance: state.V }
    const steps = transient(station, state).map((step, gap) => ({ step, weight: weight * (early[gap] ?? 0) }))
    addSteps(pieces, station, state, [{ step: steady, weight: weight * Math.max(0, late) }, ...steps])
  }
  return pieces
}

function transient(station: Station, { S, dl, m0, v0 }: Cycle): readonly Step[] {
  const { lambda, rho, work } = station
  const steps: Step[] = []
  let mean = m0
  let variance = v0
  for (let gap = 0; gap < transientGaps; gap++) {
    const p0 = gammaLaplace(mean, variance, lambda)
    const p1 = ((lambda * mean) / (1 + (lambda * variance) / mean)) * p0
    const next: Step = {
      p0,
      p1,
      mean: S + dl * (1 - p0) + rho * mean,
      variance: lambda * work.e2 * mean + rho * rho * variance,
    }
    steps.push(next)
    mean = next.mean
    variance = next.variance
  }
  return steps
}

interface WeighedStep {
  readonly step: Step
  readonly weight: number
}

/**
 * No prompt: S. One: S + dl + B, which lies where it lies whatever the step's chances, so that the weights of all steps meet there.
 * More: a gamma that makes up each step's mean and variance.
 */
function addSteps(pieces: Piece[], station: Station, { S, dl }: Cycle, steps: readonly WeighedStep[]): void {
  const { e1, e2, prompts, furtherChunks, fullStep } = station.work
  const base = S + dl
  const cap = base + fullStep
  // A prompt longer than the budget fills further steps, which the gated cycle takes for quiet ones.
  const perPrompt = furtherChunks.reduce((sum, chunk) => sum + chunk.weight, 0)
  let [quiet, carrying, withOne] = [0, 0, 0]
  for (const { step, weight } of steps) {
    if (!(weight > 0)) continue
    const p0 = Math.min(1, step.p0)
    const p1 = Math.min(1 - p0, step.p1)
    const p2 = 1 - p0 - p1
    const carried = Math.min(p0, station.lambda * step.mean * perPrompt)
    quiet += weight * (p0 - carried)
    carrying += weight * carried
    withOne += weight * p1
    if (!(p2 > 1e-12)) continue
    const meanLeft = (step.mean - p0 * S - p1 * (base + e1)) / p2
    const one = (base + e1) ** 2 + (e2 - e1 * e1)
    const squareLeft = (step.variance + step.mean ** 2 - p0 * S * S - p1 * one) / p2
    pieces.push({
      weight: weight * p2,
      shift: base,
      mean: Math.max(2 * e1, meanLeft - base),
      variance: Math.max(2 * (e2 - e1 * e1), squareLeft - meanLeft ** 2),
      cap,
    })
  }
  pieces.push(atom(quiet, S))
  for (const chunk of furtherChunks)
    pieces.push(atom(carrying * (chunk.weight / perPrompt), base + chunk.value))
  for (const prompt of prompts) pieces.push(atom(withOne * prompt.weight, base + prompt.value, cap))
}
