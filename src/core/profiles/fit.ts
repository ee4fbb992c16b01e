// Coefficients of the iteration law from measurements of one set-up: one linear least squares, without a simulator,
// and the errors that say what it is worth, on what it saw and on what was left out (docs/MODEL.md).
import {
  type Counts,
  decodeCounts,
  endToEndCounts,
  equation,
  gapCounts,
  lawOf,
  prefillCounts,
  restOfStep,
  type Term,
  touched,
  ttftCounts,
  underWay,
} from './equations.ts'
import { type ErrorSummary, errorsOf, type FittedPoint, type HeldOut, summary } from './fitErrors.ts'
import { heldOutGroups } from './heldOut.ts'
import { type Equation, median, robustLeastSquares } from './leastSquares.ts'
import { gapOf, type LawCoefficients, type Sample, ttftOf } from './measurement.ts'

export type FitQuality = 'good' | 'fair' | 'poor'

export interface Fit {
  readonly kind: 'fitted'
  readonly law: LawCoefficients
  readonly points: readonly FittedPoint[]
  readonly inSample: ErrorSummary
  /** Absent where too little is left when some is left out. */
  readonly heldOut?: HeldOut
  readonly quality: FitQuality
  /** What the data leave open, for people. */
  readonly caveats: readonly string[]
}

export type FitResult = Fit | { readonly kind: 'tooLittle'; readonly why: string }

/** `kappa`: share of the experts that one token uses; 0 for a dense model. */
export function fitLaw(samples: readonly Sample[], kappa: number): FitResult {
  const why = tooLittle(samples)
  if (why !== undefined) return { kind: 'tooLittle', why }
  const base = determined(samples, kappa)
  const mixes = samples.some((sample) => sample.kind === 'run')
  const candidates: readonly (readonly Term[])[] = mixes ? [base, [...base, 'g']] : [base]
  const tried = candidates.map((active) => tryTerms(samples, active, kappa))
  const best = tried.reduce((one, next) => (typicalMiss(next) < typicalMiss(one) ? next : one))
  if (best.law.a > 0) return best
  return {
    kind: 'tooLittle',
    why: 'the rows do not tell what a step costs by itself from what its sequences add: measure fewer clients, too',
  }
}

function tryTerms(samples: readonly Sample[], active: readonly Term[], kappa: number): Fit {
  const law = solve(samples, active, kappa)
  const points = samples.flatMap((sample) => errorsOf(sample, law))
  const { leftOut, groups } = heldOutGroups(samples)
  const unseen = groups.flatMap(({ kept, left }) => {
    if (tooLittle(kept) !== undefined) return []
    const told = determined(kept, kappa)
    const partial = solve(
      kept,
      active.filter((term) => term === 'g' || told.includes(term)),
      kappa,
    )
    return left.flatMap((sample) => errorsOf(sample, partial))
  })
  const inSample = summary(points)
  const heldOut: HeldOut | undefined = unseen.length === 0 ? undefined : { leftOut, ...summary(unseen) }
  return {
    kind: 'fitted',
    law,
    points,
    inSample,
    ...(heldOut === undefined ? {} : { heldOut }),
    quality: qualityOf(inSample, heldOut, samples),
    caveats: caveatsOf(samples, law),
  }
}

/** By what was left out; a miss beyond all measure counts as 100 %. */
function typicalMiss({ inSample, heldOut }: Fit): number {
  const { gap } = heldOut ?? inSample
  return gap.misses.reduce((sum, miss) => sum + Math.min(1, miss), 0) / Math.max(1, gap.misses.length)
}

/**
 * Residuals count linearly from here on, in standard deviations. Not the customary 1.345: a law that bends away from
 * the data at high load must not call the high loads outliers.
 */
const grossError = 3

function solve(samples: readonly Sample[], active: readonly Term[], kappa: number): LawCoefficients {
  const floor = shortestGap(samples)
  const equations = samples.flatMap((sample) => equationsOf(sample, active, kappa, floor))
  return lawOf(robustLeastSquares(equations, grossError), active, kappa)
}

/**
 * Relative errors count, with two exceptions. In an open loop an error of a step grows with the load by E/a, so that
 * an error in ms weighs the same at every load; bursts continue that to saturation. TTFT of a closed loop rests on how its clients started: it weighs 0.3.
 */
const closedLoopTtftWeight = 0.3

function equationsOf(
  sample: Sample,
  active: readonly Term[],
  kappa: number,
  floor: number,
): readonly Equation[] {
  const row = (counts: Counts, value: number, weight: number): Equation =>
    equation(counts, value, weight, active)
  switch (sample.kind) {
    case 'decode':
      return [row(decodeCounts(sample.point, kappa), sample.point.itlMs, 1 / sample.point.itlMs)]
    case 'prefill':
      return [row(prefillCounts(sample.point, kappa), sample.point.ttftMs, 1 / sample.point.ttftMs)]
    case 'run': {
      const { run } = sample
      const open = run.load.kind !== 'clients'
      const state = underWay(run)
      if (state === undefined) return []
      const { gapMs } = state
      const ttft = ttftOf(run)
      const waited = restOfStep(run, state)
      if (gapOf(run) === undefined) {
        const whole = run.e2eMs ?? 0
        return [row(endToEndCounts(run, state, kappa), whole - waited, 1 / whole)]
      }
      const gap = row(gapCounts(run, state, kappa), gapMs, open ? 1 / Math.sqrt(floor * gapMs) : 1 / gapMs)
      if (ttft === undefined || ttft <= waited || run.load.kind === 'burst') return [gap]
      const weight = (open ? 1 : closedLoopTtftWeight) / ttft
      return [gap, row(ttftCounts(run, state, kappa), ttft - waited, weight)]
    }
  }
}

function shortestGap(samples: readonly Sample[]): number {
  const gaps = samples.flatMap((sample) => {
    if (sample.kind === 'prefill') return []
    return (sample.kind === 'run' ? gapOf(sample.run) : sample.point.itlMs) ?? []
  })
  return gaps.length === 0 ? 1 : Math.min(...gaps)
}

/** Prompts that differ this much in length tell a quadratic from a line, from this many lengths on. */
const lengthsForCurvature = 3
const reachForCurvature = 2000

/** The terms that these data can tell at all. `g` is tried apart: it pays on some data and misleads on others. */
function determined(samples: readonly Sample[], kappa: number): readonly Term[] {
  const runs = samples.flatMap((sample) => (sample.kind === 'run' ? [sample.run] : []))
  const decode = samples.some(({ kind }) => kind === 'decode')
  const swept = samples.flatMap((sample) => (sample.kind === 'prefill' ? [sample.point.promptTokens] : []))
  const lengths = distinct([...swept, ...runs.map(({ promptTokens }) => promptTokens.mean)])
  const curved = lengths.length >= lengthsForCurvature && Math.max(...lengths) >= reachForCurvature
  const prompts = runs.length > 0 || swept.length > 0
  const running = runs.length > 0 || decode
  return [
    'a',
    ...(running ? (['b', 'c'] as const) : []),
    ...(prompts ? (['bp'] as const) : []),
    ...(curved ? (['d2'] as const) : []),
    ...(runs.some((run) => ttftOf(run) !== undefined) ? (['h'] as const) : []),
    ...(swept.length > 0 && running ? (['dl'] as const) : []),
    ...(kappa > 0 && expertsVary(samples, kappa) ? (['x'] as const) : []),
  ]
}

/** Where all rows touch most experts, these are part of every step, and of a. */
function expertsVary(samples: readonly Sample[], kappa: number): boolean {
  const shares = samples.flatMap((sample) => {
    if (sample.kind === 'prefill') return []
    const running = sample.kind === 'run' ? underWay(sample.run)?.running : sample.point.sequences
    return running === undefined ? [] : [touched(kappa, running)]
  })
  return Math.min(...shares) < 0.75 * Math.max(...shares)
}

/** Lengths that are not within 10 % of each other. */
function distinct(lengths: readonly number[]): readonly number[] {
  const kept: number[] = []
  for (const length of lengths.toSorted((one, other) => one - other))
    if (length > 1.1 * (kept.at(-1) ?? 0)) kept.push(length)
  return kept
}

const fewestSamples = 3

function tooLittle(samples: readonly Sample[]): string | undefined {
  const usable = samples.filter((sample) => sample.kind !== 'run' || underWay(sample.run) !== undefined)
  if (usable.length >= fewestSamples) return undefined
  return `a fit needs at least ${fewestSamples} usable rows of one set-up: got ${usable.length}`
}

/** The rule of the profile library, on the time per output token: `profile fit` prints it. */
export const qualityRule =
  'good: in sample median <= 3 % and p90 <= 10 %, held out <= 5 % and <= 15 %; ' +
  'fair: 6 % and 15 %, held out 10 % and 30 %; else poor, as is a fit of one request shape or fewer than 6 rows'

const fewestRowsForMark = 6

function qualityOf(
  inSample: ErrorSummary,
  heldOut: HeldOut | undefined,
  samples: readonly Sample[],
): FitQuality {
  if (heldOut === undefined || shapesOf(samples) === 1 || samples.length < fewestRowsForMark) return 'poor'
  const within = (seen: readonly [number, number], unseen: readonly [number, number]): boolean =>
    inSample.gap.median <= seen[0] &&
    inSample.gap.p90 <= seen[1] &&
    heldOut.gap.median <= unseen[0] &&
    heldOut.gap.p90 <= unseen[1]
  if (within([0.03, 0.1], [0.05, 0.15])) return 'good'
  return within([0.06, 0.15], [0.1, 0.3]) ? 'fair' : 'poor'
}

function shapesOf(samples: readonly Sample[]): number {
  return heldOutGroups(samples).shapes
}

function caveatsOf(samples: readonly Sample[], law: LawCoefficients): readonly string[] {
  const runs = samples.flatMap((sample) => (sample.kind === 'run' ? [sample.run] : []))
  const shapes = shapesOf(samples)
  const caveats: string[] = []
  if (samples.every(({ kind }) => kind === 'run') && shapes < 3)
    caveats.push(
      `${shapes === 1 ? 'one request shape does' : 'two request shapes do'} not tell b, c and bp apart: ` +
        'other shapes may be far off (see: mixscaler profile recipe)',
    )
  if (runs.length > 0 && !runs.some((run) => ttftOf(run) !== undefined))
    caveats.push('no TTFT was measured: h is taken as 0')
  if (runs.length === 0 && samples.every(({ kind }) => kind === 'decode'))
    caveats.push('no prompts were measured: bp is 0, so use it for decode variants only')
  if (runs.length === 0 && samples.every(({ kind }) => kind === 'prefill'))
    caveats.push('no decodes were measured: b and c are 0, so use it for prefill variants only')
  if (runs.length > 0 && median(runs.map(({ promptTokens }) => promptTokens.mean)) > 0 && law.bp === 0)
    caveats.push('the prompts show no cost per token: too short, or too few of them beside each other')
  return caveats
}
