// The mean latencies that a law predicts for a run, from its load alone. Poisson arrivals bunch, and what they bunch
// they slow down: that is the capacity model's business. Constant ones and closed loops are close to their mean: a step
// is as long as the sequences in it make it, and there are as many sequences as steps are long.
import { predict } from '../capacity/predict.ts'
import type { LengthBin } from '../capacity/question.ts'
import { applied, gapCounts, restOfStep, ttftCounts, type UnderWay, underWay } from './equations.ts'
import { arrivalsPerMs, decodeSteps, type LawCoefficients, type Lengths, type Run } from './measurement.ts'

export type RunLatency =
  | { readonly kind: 'stable'; readonly gapMs: number; readonly ttftMs: number; readonly running: number }
  /** No step is long enough to keep up: the load is beyond saturation. */
  | { readonly kind: 'saturated' }

const rounds = 2000
const precision = 1e-9
/** From where the climb begins if a step without work takes no time. */
const shortestStepMs = 1e-3

export function runLatency(law: LawCoefficients, run: Run): RunLatency {
  return run.load.kind === 'rate' && run.load.arrivals === 'poisson' ? bunched(law, run) : steady(law, run)
}

/** Formula G, with the moments of the lengths as two points. */
function bunched(law: LawCoefficients, run: Run): RunLatency {
  const perMs = arrivalsPerMs(run) ?? 0
  const answer = predict(
    {
      role: 'unified',
      profile: { name: 'fitted', quality: 'stated', source: '', ...law },
      limits: { ...openLimits, maxNumSeqs: run.maxNumSeqs ?? openLimits.maxNumSeqs },
      shape: {
        promptTokens: twoPoints(run.promptTokens),
        outputTokens: twoPoints(run.outputTokens),
        prefixHitRate: 0,
      },
      goal: { kind: 'throughput' },
      replicas: 1,
      dispersion: 1,
      sloMargin: 1,
      maxLoad: 1,
    },
    1000 * perMs,
  )
  if (answer.kind !== 'stable') return { kind: 'saturated' }
  const gapMs = 1000 * (answer.itl?.meanSeconds ?? 0)
  return {
    kind: 'stable',
    gapMs,
    ttftMs: 1000 * (answer.ttft?.meanSeconds ?? 0),
    running: perMs * decodeSteps(run) * gapMs,
  }
}

/** Where the run does not state them: a run that met a limit is not fitted. */
const openLimits = { maxNumSeqs: 1024, maxNumBatchedTokens: 8192, kvTokens: 1e9 }

function twoPoints({ mean, meanSquare }: Lengths): readonly LengthBin[] {
  const spread = Math.min(mean - 1, Math.sqrt(Math.max(0, meanSquare - mean * mean)))
  return [mean - spread, mean + spread].map((tokens) => ({ tokens: Math.max(1, tokens), weight: 0.5 }))
}

function steady(law: LawCoefficients, run: Run): RunLatency {
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
