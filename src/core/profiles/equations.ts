// Measurements as linear equations in the coefficients of the iteration law (docs/MODEL.md, "Fitting a profile").
// One run gives two: its mean gap between tokens and its mean TTFT, with the running sequences by Little's law.
import type { Equation } from './leastSquares.ts'
import {
  arrivalsPerMs,
  type DecodePoint,
  decodeSteps,
  gapOf,
  type LawCoefficients,
  meanContext,
  type PrefillPoint,
  type Run,
  ttftOf,
} from './measurement.ts'

/** `dl` is ap - a, `x` the mixture-of-experts term. */
export const terms = ['a', 'b', 'c', 'bp', 'd2', 'h', 'g', 'dl', 'x'] as const
export type Term = (typeof terms)[number]

/** How often each term counts in a time that was measured; 0 where it is absent. */
export type Counts = Readonly<Partial<Record<Term, number>>>

export function equation(counts: Counts, value: number, weight: number, active: readonly Term[]): Equation {
  return { coefficients: active.map((term) => counts[term] ?? 0), value, weight }
}

export function lawOf(solution: readonly number[], active: readonly Term[], kappa: number): LawCoefficients {
  const value = (term: Term): number => solution[active.indexOf(term)] ?? 0
  const a = value('a')
  return {
    a,
    b: value('b'),
    c: value('c'),
    ap: a + value('dl'),
    bp: value('bp'),
    d2: value('d2'),
    g: value('g'),
    h: value('h'),
    ...(value('x') > 0 ? { mixtureOfExperts: { x: value('x'), kappa } } : {}),
  }
}

export function applied(law: LawCoefficients, counts: Counts): number {
  const { a, b, c, bp, d2, h, g, ap, mixtureOfExperts } = law
  const of: Readonly<Record<Term, number>> = {
    a,
    b,
    c,
    bp,
    d2,
    h,
    g,
    dl: ap - a,
    x: mixtureOfExperts?.x ?? 0,
  }
  return terms.reduce((sum, term) => sum + of[term] * (counts[term] ?? 0), 0)
}

/** An engine under way: requests arrive at `perMs`, a step takes `gapMs`, `running` sequences decode. */
export interface UnderWay {
  readonly perMs: number
  readonly gapMs: number
  readonly running: number
}

/** What the run itself shows of that: undefined where it has no times, or never settled to a rate. */
export function underWay(run: Run): UnderWay | undefined {
  // Of a whole request, its first token is taken to be as long as any other.
  const gapMs = gapOf(run) ?? (run.e2eMs === undefined ? undefined : run.e2eMs / run.outputTokens.mean)
  if (gapMs === undefined) return undefined
  const steps = decodeSteps(run)
  const perMs = rateOf(run, gapMs, steps)
  return perMs === undefined ? undefined : { perMs, gapMs, running: perMs * steps * gapMs }
}

function rateOf(run: Run, gapMs: number, steps: number): number | undefined {
  if (run.load.kind !== 'clients') return arrivalsPerMs(run)
  return run.load.clients / ((ttftOf(run) ?? gapMs) + steps * gapMs)
}

/** A step as the tokens of running sequences see it, prompts shared out evenly over steps. */
export function gapCounts(run: Run, { perMs, gapMs, running }: UnderWay, kappa: number): Counts {
  const arriving = perMs * gapMs * stalling(run) + inherited(run, { perMs, gapMs, running })
  const carrying = 1 - Math.exp(-arriving)
  const { mean, meanSquare } = run.promptTokens
  return {
    a: 1,
    b: running,
    c: running * meanContext(run),
    bp: arriving * mean,
    d2: arriving * meanSquare,
    g: carrying * running,
    dl: carrying,
    x: (1 - carrying) * touched(kappa, running) + carrying * touched(kappa, running + mean),
  }
}

/** From a request's arrival to its first token: what is left of a step, then its own prompt and others beside it. */
export function ttftCounts(run: Run, { perMs, gapMs, running }: UnderWay, kappa: number): Counts {
  const { mean, meanSquare } = run.promptTokens
  const beside = besideOwn(run, perMs * gapMs)
  const found = foundRunning(run, running)
  return {
    h: 1,
    a: 1,
    b: found,
    c: found * meanContext(run),
    bp: mean * beside,
    d2: meanSquare * beside,
    g: found,
    dl: 1,
    x: touched(kappa, found + mean),
  }
}

/** A whole request: its first token, and the gaps to its last. */
export function endToEndCounts(run: Run, state: UnderWay, kappa: number): Counts {
  const first = ttftCounts(run, state, kappa)
  const gap = gapCounts(run, state, kappa)
  const steps = decodeSteps(run)
  return Object.fromEntries(terms.map((term) => [term, (first[term] ?? 0) + steps * (gap[term] ?? 0)]))
}

/** The rest of the step that an arrival finds under way: it finds one if anything runs. */
export function restOfStep(run: Run, { gapMs, running }: UnderWay): number {
  return (gapMs / 2) * Math.min(1, foundRunning(run, running))
}

/** Sequences that an arrival finds: in a closed loop all but its own. */
function foundRunning({ load }: Run, running: number): number {
  return load.kind === 'clients' ? running * (1 - 1 / load.clients) : running
}

/**
 * Prompts that come during a sequence's own prefill stall its first gaps, and those that come meanwhile the next: per
 * gap of its answer, what its own step is longer than others, times the rate. Constant arrivals keep their distance.
 */
function inherited(run: Run, state: UnderWay): number {
  const ttft = ttftOf(run)
  if (run.load.kind !== 'rate' || run.load.arrivals === 'constant' || ttft === undefined) return 0
  const longer = Math.max(0, ttft - restOfStep(run, state) - state.gapMs)
  const share = Math.min(0.9, state.perMs * longer)
  return (state.perMs * longer) / (1 - share) / Math.max(1, decodeSteps(run))
}

/** Share of the prompts that stall a sequence: not its own, nor those that started with it, all at once. */
function stalling(run: Run): number {
  return run.load.kind === 'clients' ? (1 - 1 / run.load.clients) * (1 - 1 / rounds(run)) : 1
}

/** Prompts that are computed before one's first token, its own included. */
function besideOwn(run: Run, arriving: number): number {
  const { load } = run
  switch (load.kind) {
    case 'rate':
      return load.arrivals === 'poisson' ? 1 + arriving : 1 + Math.max(0, arriving - 1)
    case 'clients': {
      const others = 1 - 1 / load.clients
      // In the first round all prompts wait for each other: half of them, on average, for one round of many.
      return 1 + others * (arriving + load.clients / (2 * rounds(run)))
    }
    case 'burst':
      return 1
  }
}

/** Ten requests per client are the custom of closed-loop benchmarks (InferenceMAX, aiconfigurator). */
const customaryRounds = 10

/** Requests that each client of a closed loop sends, one after the other. */
function rounds({ load, requests }: Run): number {
  if (load.kind !== 'clients' || requests === undefined) return customaryRounds
  return Math.max(1, requests / load.clients)
}

export function decodeCounts({ sequences, contextTokens }: DecodePoint, kappa: number): Counts {
  return { a: 1, b: sequences, c: sequences * contextTokens, x: touched(kappa, sequences) }
}

export function prefillCounts({ promptTokens }: PrefillPoint, kappa: number): Counts {
  return { a: 1, dl: 1, bp: promptTokens, d2: promptTokens ** 2, x: touched(kappa, promptTokens) }
}

/** Share of the experts that so many tokens touch; 0 for a dense model. */
export function touched(kappa: number, tokens: number): number {
  return kappa > 0 ? 1 - (1 - kappa) ** tokens : 0
}
