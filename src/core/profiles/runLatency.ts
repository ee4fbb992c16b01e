// The mean latencies that a law predicts for a run, from its load alone: the step time that keeps itself up.
// A step is as long as the sequences in it make it, and there are as many sequences as steps are long.
import { applied, gapCounts, restOfStep, ttftCounts, type UnderWay, underWay } from './equations.ts'
import { arrivalsPerMs, decodeSteps, type LawCoefficients, type Run } from './measurement.ts'

export type RunLatency =
  | { readonly kind: 'stable'; readonly gapMs: number; readonly ttftMs: number; readonly running: number }
  /** No step is long enough to keep up: the load is beyond saturation. */
  | { readonly kind: 'saturated' }

const rounds = 2000
const precision = 1e-9
/** From where the climb begins if a step without work takes no time. */
const shortestStepMs = 1e-3

export function runLatency(law: LawCoefficients, run: Run): RunLatency {
  const kappa = law.mixtureOfExperts?.kappa ?? 0
  const steps = decodeSteps(run)
  let gapMs = Math.max(law.a, shortestStepMs)
  let ttftMs = gapMs + law.h
  for (let round = 0; round < rounds; round++) {
    const state = stateAt(run, steps, gapMs, ttftMs)
    if (state === undefined) return { kind: 'saturated' }
    const nextGap = applied(law, gapCounts(run, state, kappa))
    const nextTtft = restOfStep(run, state) + applied(law, ttftCounts(run, state, kappa))
    if (!(nextGap < 1e6)) return { kind: 'saturated' }
    const settled = Math.abs(nextGap - gapMs) + Math.abs(nextTtft - ttftMs) <= precision * nextGap
    // From below it climbs to the first fixed point; a closed loop, or a full one, swings, and is damped.
    const share = run.load.kind === 'rate' ? 1 : 0.5
    gapMs += share * (nextGap - gapMs)
    ttftMs += share * (nextTtft - ttftMs)
    if (settled) return { kind: 'stable', gapMs, ttftMs, running: state.running }
  }
  return { kind: 'saturated' }
}

function stateAt(run: Run, steps: number, gapMs: number, ttftMs: number): UnderWay | undefined {
  switch (run.load.kind) {
    case 'rate': {
      const perMs = arrivalsPerMs(run) ?? 0
      return { perMs, gapMs, running: perMs * steps * gapMs }
    }
    case 'clients': {
      const perMs = run.load.clients / (ttftMs + steps * gapMs)
      return { perMs, gapMs, running: perMs * steps * gapMs }
    }
    case 'burst': {
      // As many run as ran: the slots, or what the cache holds.
      const measured = underWay(run)
      if (measured === undefined) return undefined
      return { perMs: measured.running / (steps * gapMs), gapMs, running: measured.running }
    }
  }
}
