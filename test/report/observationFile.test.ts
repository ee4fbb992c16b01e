// What `record` writes, `plan --observation` reads; what an editor broke is named.
import { expect, test } from 'vitest'
import type { ClassSignals, Observation, VariantSignals } from '../../src/core/observation.ts'
import { observationJson, parseObservation } from '../../src/report/observationFile.ts'

const histogram = { upperBounds: [0.1, 1], perSecond: [1, 2, 0], sumPerSecond: 1.5 }

/** Every field that an observation can have: a new one that the file's schema does not know fails here. */
const signals: Required<VariantSignals> = {
  replicas: {
    desired: 3,
    ready: 2,
    starting: 1,
    terminating: 0,
    startingSince: [900, 910],
    unschedulable: { replicas: 1, since: 950, why: 'Insufficient nvidia.com/gpu' },
  },
  reporting: 2,
  running: 31,
  waiting: 0,
  inSystemGrowthPerSecond: -0.4,
  completionsPerSecond: 5,
  generationTokensPerSecond: 1200,
  preemptionsPerSecond: 0,
  promptTokens: histogram,
  outputTokens: histogram,
  ttft: histogram,
  itl: { missing: 'stale', detail: 'vllm:inter_token_latency_seconds' },
  typicalEngine: {
    gapsPerSecond: 300,
    gapSecondsPerSecond: 15,
    firstTokensPerSecond: 2.5,
    ttftSecondsPerSecond: 0.9,
  },
  prefixHitRate: { missing: 'notReported' },
  kvUsage: 0.4,
  kvTokensPerReplica: 400_000,
  tpot: { upperBounds: [0.05], perSecond: [1, 2], sumPerSecond: 3 },
  arrivingNow: { requestsPerSecond: 6, seconds: 5 },
}

const classSignals: Required<ClassSignals> = {
  requestsPerSecond: 5,
  backlogTokens: { missing: 'backendDown' },
  gateway: {
    passedPerSecond: 4,
    rejectedPerSecond: 1,
    queued: 2,
    queueGrowthPerSecond: -0.1,
    counted: 'some',
    arrivingNow: { requestsPerSecond: 6, seconds: 5 },
    promptTokens: histogram,
    outputTokens: { missing: 'idle' },
  },
}

const observation: Observation = {
  format: 'mixscaler-observation/1',
  at: 1005,
  variants: { 'chat/llama/h100': signals },
  classes: { 'chat/llama/chat': classSignals },
  pools: { h100: 64 },
  warnings: ['unknown pods'],
}

function problems(text: string): readonly string[] {
  const parsed = parseObservation(text)
  return parsed.kind === 'bad' ? parsed.problems : []
}

test('an observation survives the file unchanged, missing values included', () => {
  expect(parseObservation(observationJson(observation))).toEqual({ kind: 'good', observation })
})

test('a missing value may not turn into nothing', () => {
  const { kvUsage: _, ...rest } = signals
  const broken = JSON.stringify({ ...observation, variants: { 'chat/llama/h100': rest } })
  expect(problems(broken)).toHaveLength(1)
  expect(problems(broken)[0]).toContain('variants > chat/llama/h100 > kvUsage')
})

test('a histogram whose buckets do not fit its bounds is refused', () => {
  const broken = { ...signals, ttft: { ...histogram, perSecond: [1, 2] } }
  expect(problems(JSON.stringify({ ...observation, variants: { v: broken } }))[0]).toContain('ttft')
})

test('what is not an observation says so', () => {
  expect(problems('{"format": "something/1"}').join('\n')).toContain('mixscaler-observation/1')
  expect(problems('at: 5')[0]).toMatch(/^not JSON: /)
})
