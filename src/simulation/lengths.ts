// How long requests are: draws of prompt and output tokens.
import type { Random } from './random.ts'

export interface Lengths {
  readonly promptTokens: number
  readonly outputTokens: number
}

/** One request's lengths, drawn from the given source of randomness. */
export type DrawLengths = (random: Random) => Lengths

export function fixedLengths(promptTokens: number, outputTokens: number): DrawLengths {
  const lengths = { promptTokens, outputTokens }
  return () => lengths
}

/** Independent exponential lengths with these means, at least one token each. */
export function exponentialLengths(promptTokens: number, outputTokens: number): DrawLengths {
  return (random) => ({
    promptTokens: wholeTokens(random.exponential(promptTokens)),
    outputTokens: wholeTokens(random.exponential(outputTokens)),
  })
}

/** Independent lognormal lengths with these means; `cv` is the standard deviation over the mean. */
export function lognormalLengths(promptTokens: number, outputTokens: number, cv: number): DrawLengths {
  const variance = Math.log(1 + cv * cv)
  const sigma = Math.sqrt(variance)
  const shrink = Math.exp(-variance / 2)
  return (random) => ({
    promptTokens: wholeTokens(random.lognormal(promptTokens * shrink, sigma)),
    outputTokens: wholeTokens(random.lognormal(outputTokens * shrink, sigma)),
  })
}

/** Pairs drawn from a list of real ones, so that prompt and output keep their correlation. */
export function empiricalLengths(pairs: readonly Lengths[]): DrawLengths {
  if (pairs.length === 0) throw new RangeError('empirical lengths need at least one pair: got none')
  const [first] = pairs
  return (random) => pairs[random.integer(pairs.length)] ?? (first as Lengths)
}

function wholeTokens(tokens: number): number {
  return Math.max(1, Math.round(tokens))
}
