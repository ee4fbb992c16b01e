// What the lengths of requests mean for one engine: the moments and nodes that the queueing formulas take.
// Names as in docs/MODEL.md: B work of a prompt, e1 e2 e3 its moments, dec decode steps per request, m the
// token-weighted context of a running sequence, N sequences that run at once. Milliseconds and tokens.
import type { Profile } from '../profile.ts'
import { expertTouch, promptWork } from './iteration.ts'
import type { LengthBin, ReplicaLimits, Shape } from './question.ts'

/** Preemption sets in before the cache is full: contexts grow while they run. Modelling notes, section 2. */
export const usableKvShare = 0.85

/** At least this share of a prompt is computed: hits depend on routing, and a new replica's cache is cold. */
const maxPrefixHitRate = 0.9

/** No engine runs more sequences at once; the chain has a state for each. */
const mostSequences = 4096

export interface Node {
  readonly value: number
  readonly weight: number
}

export interface Workload {
  /** B of each prompt length, ms. */
  readonly prompts: readonly Node[]
  /** Work of the chunks after the first one of a prompt; their weights add up to the mean number of them. */
  readonly furtherChunks: readonly Node[]
  /** d = out - 1, gaps between tokens, of each output length. */
  readonly answers: readonly Node[]
  readonly e1: number
  readonly e2: number
  readonly e3: number
  readonly dec: number
  readonly m: number
  readonly varContext: number
  /** For how many steps of its replica a deviation of what its sequences hold lasts. */
  readonly contextSteps: number
  /** Prompt tokens to compute per request. */
  readonly promptTokens: number
  /** Share of the untouched experts that a prompt touches. */
  readonly touch: number
  /** B of a step filled to its token budget. */
  readonly fullStep: number
  readonly N: number
  readonly slots: 'kvCache' | 'maxNumSeqs'
  /** What N is made of: the engine's own limits. */
  readonly kvTokens: number
  readonly maxNumSeqs: number
}

export function workload(profile: Profile, limits: ReplicaLimits, shape: Shape): Workload {
  const hitRate = Math.min(maxPrefixHitRate, Math.max(0, shape.prefixHitRate))
  const budget = limits.maxNumBatchedTokens
  const computed = (tokens: number): number => Math.max(1, tokens * (1 - hitRate))
  const work = (tokens: number): number =>
    promptWork(profile, { tokens, cachedTokens: Math.max(0, tokens - computed(tokens)) }, budget)
  const prompts = shape.promptTokens.map(({ tokens, weight }) => ({ value: work(tokens), weight }))
  const fullStep = work(budget / (1 - hitRate))
  const answers = shape.outputTokens.flatMap(wholeGaps)
  const dec = expected(answers, (d) => d)
  const context = contextMoments(shape, answers, dec)
  const m = shape.contextTokens ?? context.mean
  const kvSlots = (usableKvShare * limits.kvTokens) / m
  return {
    prompts,
    furtherChunks: shape.promptTokens.flatMap(({ tokens, weight }): readonly Node[] => {
      const further = Math.max(0, Math.ceil(computed(tokens) / budget) - 1)
      if (further === 0) return []
      const last = computed(tokens) / budget - further
      return [
        { value: fullStep, weight: weight * (further - 1) },
        { value: fullStep * last, weight },
      ]
    }),
    answers,
    e1: expected(prompts, (B) => B),
    e2: expected(prompts, (B) => B * B),
    e3: expected(prompts, (B) => B * B * B),
    dec,
    m,
    varContext: context.variance,
    contextSteps: context.steps,
    promptTokens: expectedTokens(shape.promptTokens, computed),
    touch: expectedTokens(shape.promptTokens, (tokens) => expertTouch(profile, computed(tokens))),
    fullStep,
    N: Math.floor(Math.min(limits.maxNumSeqs, kvSlots, mostSequences)),
    slots: kvSlots < limits.maxNumSeqs ? 'kvCache' : 'maxNumSeqs',
    kvTokens: limits.kvTokens,
    maxNumSeqs: Math.min(limits.maxNumSeqs, mostSequences),
  }
}

/**
 * Gaps come whole. A bin stands for several lengths, and for short ones the difference counts: of answers of 1.3 tokens in
 * the mean most have no gap at all, and none has a third of one, which a single prefill would stretch threefold.
 */
function wholeGaps({ tokens, weight }: LengthBin): readonly Node[] {
  const gaps = Math.max(0, tokens - 1)
  const fewer = Math.floor(gaps)
  if (gaps === fewer || gaps >= manyGaps) return [{ value: gaps, weight }]
  return [
    { value: fewer, weight: weight * (fewer + 1 - gaps) },
    { value: fewer + 1, weight: weight * (gaps - fewer) },
  ]
}

/** From here on a mean over gaps hardly feels half a gap more or less. */
const manyGaps = 8

interface ContextMoments {
  readonly mean: number
  readonly variance: number
  readonly steps: number
}

/**
 * Context of a running sequence, each of its decode steps counted once: prompt p plus tokens so far. What a sequence holds
 * above the mean m, summed over its d steps, is D = (p - m) d + d^2 / 2: shot noise of such pulses has the correlation time
 * E[D^2] / (2 dec variance).
 */
function contextMoments(shape: Shape, answers: readonly Node[], dec: number): ContextMoments {
  const prompt = expectedTokens(shape.promptTokens, (tokens) => tokens)
  const promptVariance = expectedTokens(shape.promptTokens, (tokens) => (tokens - prompt) ** 2)
  if (!(dec > 0)) return { mean: prompt, variance: promptVariance, steps: 1 }
  const age = expected(answers, (d) => (d * (d + 1)) / 2) / dec
  const ageSquared = expected(answers, (d) => (d * (d + 1) * (2 * d + 1)) / 6) / dec
  const variance = promptVariance + Math.max(0, ageSquared - age * age)
  const squares = expected(answers, (d) => d * d * (promptVariance + (d / 2 - age) ** 2))
  return { mean: prompt + age, variance, steps: variance > 0 ? squares / (2 * dec * variance) : dec }
}

export function expected(nodes: readonly Node[], of: (value: number) => number): number {
  let sum = 0
  for (const { value, weight } of nodes) sum += weight * of(value)
  return sum
}

function expectedTokens(bins: readonly LengthBin[], of: (tokens: number) => number): number {
  let sum = 0
  for (const { tokens, weight } of bins) sum += weight * of(tokens)
  return sum
}
