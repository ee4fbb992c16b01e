// What benchmarks measure of an engine, in one form whatever tool measured it: runs under a load, points of
// prefill and decode swept apart, and laws that a source states outright. Milliseconds and tokens.
import type { Profile } from '../profile.ts'

/** Where a row stands, for messages. */
export interface Origin {
  readonly file: string
  /** Line of a CSV file, or index into a list of a JSON file, from 1. */
  readonly row: number
}

/** What was measured. Rows of different set-ups are never fitted together. */
export interface Setup {
  readonly model: string
  readonly gpu: string
  readonly tp: number
  /** Engine, version and how it was started. */
  readonly engine: string
}

/** Moments of request lengths; fixed lengths have `meanSquare = mean * mean`. */
export interface Lengths {
  readonly mean: number
  readonly meanSquare: number
}

export type Load =
  | { readonly kind: 'rate'; readonly requestsPerSecond: number; readonly arrivals: 'poisson' | 'constant' }
  /** So many clients, each with one request at a time; 1 is synchronous. */
  | { readonly kind: 'clients'; readonly clients: number }
  /** All requests at once: what comes out is the saturation rate. */
  | { readonly kind: 'burst' }

export interface Run {
  readonly origin: Origin
  readonly setup: Setup
  readonly load: Load
  readonly promptTokens: Lengths
  readonly outputTokens: Lengths
  /** Means over requests, as the source reports them. */
  readonly ttftMs?: number
  readonly ttftMedianMs?: number
  readonly itlMs?: number
  readonly e2eMs?: number
  readonly achievedPerSecond?: number
  readonly running?: number
  readonly durationSeconds?: number
  /** Requests that were answered. */
  readonly requests?: number
  readonly maxNumSeqs?: number
  /** What the source itself says against the row. */
  readonly remark?: string
}

export interface PrefillPoint {
  readonly origin: Origin
  readonly setup: Setup
  readonly promptTokens: number
  readonly ttftMs: number
  readonly tokensPerSecondPerGpu?: number
}

export interface DecodePoint {
  readonly origin: Origin
  readonly setup: Setup
  /** Context of each sequence. */
  readonly contextTokens: number
  /** Sequences that decode: KV tokens in use over the context. */
  readonly sequences: number
  readonly itlMs: number
  readonly tokensPerSecondPerGpu?: number
  readonly maxKvTokens?: number
}

export type LawCoefficients = Pick<
  Profile,
  'a' | 'b' | 'c' | 'ap' | 'bp' | 'd2' | 'g' | 'h' | 'mixtureOfExperts'
>

/** Coefficients that the source states: nothing is left to fit. */
export interface StatedLaw {
  readonly origin: Origin
  readonly setup: Setup
  readonly law: LawCoefficients
  readonly maxNumSeqs?: number
  readonly kvTokens?: number
}

export interface ProfileData {
  readonly runs: readonly Run[]
  readonly prefill: readonly PrefillPoint[]
  readonly decode: readonly DecodePoint[]
  readonly laws: readonly StatedLaw[]
}

export const noData: ProfileData = { runs: [], prefill: [], decode: [], laws: [] }

/** One measured thing that a fit is made of. */
export type Sample =
  | { readonly kind: 'run'; readonly run: Run }
  | { readonly kind: 'decode'; readonly point: DecodePoint }
  | { readonly kind: 'prefill'; readonly point: PrefillPoint }

export function originOf(sample: Sample): Origin {
  return sample.kind === 'run' ? sample.run.origin : sample.point.origin
}

export function fixedLength(tokens: number): Lengths {
  return { mean: tokens, meanSquare: tokens * tokens }
}

/** E[out - 1]: decode steps per request. */
export function decodeSteps({ outputTokens }: Run): number {
  return Math.max(0, outputTokens.mean - 1)
}

/** m: context of a running sequence, each of its decode steps counted once; lengths taken as independent. */
export function meanContext({ promptTokens, outputTokens }: Run): number {
  const { mean, meanSquare } = outputTokens
  return promptTokens.mean + (mean > 1 ? (meanSquare - mean) / (2 * (mean - 1)) : 0)
}

/** Mean TTFT; the median where the mean cannot be one. */
export function ttftOf({ ttftMs, ttftMedianMs }: Run): number | undefined {
  return [ttftMs, ttftMedianMs].find((each) => each !== undefined && each > 0)
}

/**
 * Mean gap between tokens, each gap counted once: from the whole duration where it is known, because some clients
 * count stream lines instead of tokens.
 */
export function gapOf(run: Run): number | undefined {
  const ttft = run.ttftMs
  const steps = decodeSteps(run)
  if (run.e2eMs !== undefined && ttft !== undefined && ttft > 0 && run.e2eMs > ttft && steps >= 1)
    return (run.e2eMs - ttft) / steps
  return run.itlMs !== undefined && run.itlMs > 0 ? run.itlMs : undefined
}

/** Of a burst, what came out: as much goes in. */
export function arrivalsPerMs({ load, achievedPerSecond }: Run): number | undefined {
  const asked = load.kind === 'rate' ? load.requestsPerSecond : undefined
  const perSecond = achievedPerSecond ?? asked
  return perSecond === undefined ? undefined : perSecond / 1000
}

export function setupKey({ model, gpu, tp, engine }: Setup): string {
  return JSON.stringify([model, gpu, tp, engine])
}
