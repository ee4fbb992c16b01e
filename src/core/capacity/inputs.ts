// Whether a capacity question can be answered at all: profiles and limits come from files and metrics, and the
// formulas divide by some of them. One sentence says which number is wrong and what is allowed.
import type { CapacityQuestion, LengthBin } from './question.ts'

/** The first thing wrong with the question, for people; undefined where it is sound. */
export function problemWith(question: CapacityQuestion): string | undefined {
  const { profile, limits, shape, goal } = question
  const { mixtureOfExperts } = profile
  return (
    firstProblem([
      ['profile.a', profile.a, positive],
      ['profile.b', profile.b, notNegative],
      ['profile.c', profile.c, notNegative],
      ['profile.ap', profile.ap, notNegative],
      ['profile.bp', profile.bp, notNegative],
      ['profile.d2', profile.d2, notNegative],
      ['profile.g', profile.g, notNegative],
      ['profile.h', profile.h, notNegative],
      ['profile.mixtureOfExperts.x', mixtureOfExperts?.x ?? 0, notNegative],
      ['profile.mixtureOfExperts.kappa', mixtureOfExperts?.kappa ?? 0, share],
      ['limits.maxNumSeqs', limits.maxNumSeqs, atLeastOne],
      ['limits.maxNumBatchedTokens', limits.maxNumBatchedTokens, atLeastOne],
      ['limits.kvTokens', limits.kvTokens, positive],
      ['shape.prefixHitRate', shape.prefixHitRate, share],
      ['shape.contextTokens', shape.contextTokens ?? 1, positive],
      ['replicas', question.replicas, atLeastOne],
      ['dispersion', question.dispersion, notNegative],
      ['sloMargin', question.sloMargin, positive],
      ['maxLoad', question.maxLoad, positiveShare],
    ]) ??
    binProblem('shape.promptTokens', shape.promptTokens) ??
    binProblem('shape.outputTokens', shape.outputTokens) ??
    (goal.kind === 'interactive'
      ? firstProblem(
          (['ttft', 'itl', 'tpot'] as const).flatMap((metric): readonly Check[] => {
            const bound = goal[metric]
            if (bound === undefined) return []
            return [
              [`goal.${metric}.seconds`, bound.seconds, positive],
              [`goal.${metric}.percentile`, bound.percentile, innerShare],
            ]
          }),
        )
      : undefined)
  )
}

interface Range {
  readonly allowed: string
  readonly holds: (value: number) => boolean
}

const positive: Range = { allowed: 'greater than 0', holds: (value) => value > 0 }
const notNegative: Range = { allowed: 'at least 0', holds: (value) => value >= 0 }
const atLeastOne: Range = { allowed: 'at least 1', holds: (value) => value >= 1 }
const share: Range = { allowed: 'from 0 to 1', holds: (value) => value >= 0 && value <= 1 }
const positiveShare: Range = {
  allowed: 'greater than 0 and at most 1',
  holds: (value) => value > 0 && value <= 1,
}
const innerShare: Range = { allowed: 'between 0 and 1', holds: (value) => value > 0 && value < 1 }

type Check = readonly [name: string, value: number, range: Range]

/** Beyond this no number here means anything, and third moments would overflow. */
const largest = 1e12

function firstProblem(checks: readonly Check[]): string | undefined {
  for (const [name, value, { allowed, holds }] of checks) {
    if (!(Number.isFinite(value) && holds(value))) return `${name} must be ${allowed}: got ${value}`
    if (value > largest) return `${name} must be at most ${largest}: got ${value}`
  }
  return undefined
}

function binProblem(name: string, bins: readonly LengthBin[]): string | undefined {
  const bad = firstProblem(
    bins.flatMap((bin, i): readonly Check[] => [
      [`${name}[${i}].tokens`, bin.tokens, atLeastOne],
      [`${name}[${i}].weight`, bin.weight, notNegative],
    ]),
  )
  if (bad !== undefined) return bad
  const total = bins.reduce((sum, bin) => sum + bin.weight, 0)
  return Math.abs(total - 1) <= 1e-6 ? undefined : `the weights of ${name} must add up to 1: got ${total}`
}
