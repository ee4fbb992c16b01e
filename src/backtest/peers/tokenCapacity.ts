// How many KV tokens llm-d's saturation analyzer takes one replica to hold: min(k1, k2), with k1 the threshold's share
// of the cache, and k2 what a replica held while requests queued, on average over the last ten times; before any did,
// N (I + O/2) for N = min(B O / (I + O), S), of the token budget B, the slots S and mean lengths I and O.
import type { Variant, VariantId } from '../../core/policy.ts'
import { limitsOf } from '../../core/sizing.ts'
import type { Fleet, MeanLengths } from './fleet.ts'

interface Thresholds {
  readonly kvCacheThreshold: number
  readonly queueLengthThreshold: number
}

const historyLength = 10

export class TokenCapacity {
  private readonly thresholds: Thresholds
  private readonly history = new Map<VariantId, number[]>()

  constructor(thresholds: Thresholds) {
    this.thresholds = thresholds
  }

  of(variant: Variant, fleet: Fleet, lengths: MeanLengths | undefined): number {
    const k1 = this.thresholds.kvCacheThreshold * fleet.kvTokensPerReplica
    return Math.min(k1, this.computeBound(variant, fleet, lengths) ?? k1)
  }

  private computeBound(variant: Variant, fleet: Fleet, lengths: MeanLengths | undefined): number | undefined {
    const { ready } = fleet.replicas
    const perReplica = ready > 0 ? fleet.kvTokensInUse / ready : 0
    if (ready > 0 && fleet.waiting / ready >= this.thresholds.queueLengthThreshold && perReplica > 0) {
      const seen = [...(this.history.get(variant.id) ?? []), perReplica].slice(-historyLength)
      this.history.set(variant.id, seen)
      return perReplica
    }
    const seen = this.history.get(variant.id)
    if (seen !== undefined) return seen.reduce((sum, tokens) => sum + tokens, 0) / seen.length
    if (lengths === undefined) return undefined
    const { maxNumBatchedTokens, maxNumSeqs } = limitsOf(variant, undefined)
    const { promptTokens, outputTokens } = lengths
    const sequences = Math.min(
      (maxNumBatchedTokens * outputTokens) / (promptTokens + outputTokens),
      maxNumSeqs,
    )
    return sequences * (promptTokens + outputTokens / 2)
  }
}
