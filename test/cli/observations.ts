// Recordings of a fleet that runs policies/smallest.yaml: three replicas at a given load.
import type { Histogram } from '../../src/core/histogram.ts'
import type { Observation, VariantSignals } from '../../src/core/observation.ts'

/** All requests within one bucket, of this mean. */
function around(mean: number, perSecond: number): Histogram {
  return {
    upperBounds: [mean * 0.8, mean * 1.25],
    perSecond: [0, perSecond, 0],
    sumPerSecond: mean * perSecond,
  }
}

export function chatAt(requestsPerSecond: number): Observation {
  const h100: VariantSignals = {
    replicas: { desired: 3, ready: 3, starting: 0, terminating: 0 },
    reporting: 3,
    running: 30,
    waiting: 0,
    inSystemGrowthPerSecond: 0,
    completionsPerSecond: requestsPerSecond,
    generationTokensPerSecond: requestsPerSecond * 250,
    preemptionsPerSecond: 0,
    promptTokens: around(1200, requestsPerSecond),
    outputTokens: around(250, requestsPerSecond),
    ttft: around(0.3, requestsPerSecond),
    itl: around(0.025, requestsPerSecond * 250),
    prefixHitRate: 0,
    kvUsage: 0.2,
    kvTokensPerReplica: 500_000,
  }
  return {
    format: 'mixscaler-observation/1',
    at: 1_760_000_400,
    variants: { 'chat/llama-70b/h100-tp4': h100 },
    classes: {},
    pools: {},
    warnings: [],
  }
}
