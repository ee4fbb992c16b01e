// How long one request takes once an engine works on it: it has to begin this long before its deadline.
import { idleLatency } from '../capacity/idle.ts'
import { decodeStep } from '../capacity/iteration.ts'
import type { ReplicaLimits, Shape } from '../capacity/question.ts'
import type { Variant } from '../policy.ts'

/** Seconds for the longest prompt and answer of the shape on the slowest of these variants, its batch full. */
export function requestSeconds(
  shape: Shape,
  variants: readonly Variant[],
  limitsOf: (variant: Variant) => ReplicaLimits,
): number {
  const promptTokens = longest(shape.promptTokens)
  const outputTokens = longest(shape.outputTokens)
  const prefill = variants
    .filter(({ role }) => role !== 'decode')
    .map((variant) => {
      const { maxNumBatchedTokens } = limitsOf(variant)
      return idleLatency({ profile: variant.profile, promptTokens, maxNumBatchedTokens }).ttftSeconds
    })
  const decode = variants
    .filter(({ role }) => role !== 'prefill')
    .map((variant) => {
      const { maxNumSeqs, kvTokens } = limitsOf(variant)
      return (outputTokens * decodeStep(variant.profile, maxNumSeqs, kvTokens)) / 1000
    })
  return Math.max(0, ...prefill) + Math.max(0, ...decode)
}

function longest(bins: Shape['promptTokens']): number {
  return Math.max(...bins.map(({ tokens }) => tokens))
}
