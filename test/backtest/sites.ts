// Small sites for the tests of the backtest: policies as people write them, and traffic that is known exactly.

import { defaultPlant, type PlantSettings, plantOf } from '../../src/backtest/backtest.ts'
import type { Plant } from '../../src/backtest/plant.ts'
import { type Site, siteOf } from '../../src/backtest/site.ts'
import { lengthPoints } from '../../src/backtest/traffic/lengthPoints.ts'
import type { Traffic } from '../../src/backtest/traffic/traffic.ts'
import type { PolicySet } from '../../src/core/policy.ts'
import { resolveFrom } from '../../src/core/profiles/library.ts'
import { measuredProfiles } from '../../src/core/profiles/measured.ts'
import { loadPolicies } from '../../src/policy/load.ts'
import { problemText } from '../../src/policy/problem.ts'

export function policiesOf(text: string): PolicySet {
  const loaded = loadPolicies([{ file: 'test.yaml', text }], resolveFrom(measuredProfiles))
  if (loaded.kind === 'loaded') return loaded.policies
  throw new Error(loaded.problems.map(problemText).join('\n'))
}

const profile =
  '{ a: 6.58, b: 0.0193, c: 5.46e-5, ap: 6.58, bp: 0.0193, d2: 0, g: 0, h: 2, kvTokens: 400000 }'

/** One class, one variant, as people write it; `behavior` may follow. */
export const oneVariantText = `apiVersion: mixscaler.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: chat, namespace: demo }
spec:
  model: llama
  classes:
    - name: chat
      slo: { ttft: { p95: 500ms }, itl: { p95: 50ms } }
  variants:
    - name: h100
      scaleTarget: { kind: Deployment, name: vllm-h100 }
      accelerator: { type: h100, count: 1 }
      cost: $3.60/h
      replicas: { min: 0, max: 20 }
      startup: 60s
      profile: ${profile}
`

/** Four GPUs of its kind in all where a pool is asked for. */
export function oneVariant(pool: 'endless' | 'fourGpus' = 'endless'): PolicySet {
  return policiesOf(`${oneVariantText}  behavior: { hpaTolerance: 0% }
${
  pool === 'endless'
    ? ''
    : `---
apiVersion: mixscaler.dev/v1alpha1
kind: Fleet
metadata: { name: all }
spec: { pools: [{ name: h100, gpus: 4 }] }
`
}`)
}

/** One variant whose replicas run so many sequences at once. */
export function withSlots(maxNumSeqs: number): PolicySet {
  const { policies, ...rest } = oneVariant()
  const variants = policies.flatMap((policy) => policy.variants)
  return {
    ...rest,
    policies: policies.map((policy) => ({
      ...policy,
      variants: variants.map((variant) => ({ ...variant, engine: { ...variant.engine, maxNumSeqs } })),
    })),
  }
}

/** A prefill and a decode variant of one transfer group. */
export const pair = (): PolicySet =>
  policiesOf(`apiVersion: mixscaler.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: chat, namespace: demo }
spec:
  model: llama
  classes:
    - name: chat
      slo: { ttft: { p95: 500ms }, itl: { p95: 50ms } }
  variants:
    - name: prefill
      role: prefill
      transferGroup: g
      scaleTarget: { kind: Deployment, name: vllm-prefill }
      accelerator: { type: h100, count: 1 }
      cost: $3.60/h
      replicas: { min: 1, max: 20 }
      startup: 60s
      profile: ${profile}
    - name: decode
      role: decode
      transferGroup: g
      scaleTarget: { kind: Deployment, name: vllm-decode }
      accelerator: { type: h100, count: 1 }
      cost: $3.60/h
      replicas: { min: 1, max: 20 }
      startup: 60s
      profile: ${profile}
`)

/** An interactive class and one with a deadline on the same variant. */
export const withBatch = (): PolicySet =>
  policiesOf(`apiVersion: mixscaler.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: chat, namespace: demo }
spec:
  model: llama
  classes:
    - name: chat
      slo: { ttft: { p95: 500ms }, itl: { p95: 50ms } }
    - name: batch
      priority: 10
      latencyTolerant: { completeWithin: 10m }
      demand: { backlogTokens: 'sum(queued)' }
  variants:
    - name: h100
      scaleTarget: { kind: Deployment, name: vllm-h100 }
      accelerator: { type: h100, count: 1 }
      cost: $3.60/h
      replicas: { min: 0, max: 20 }
      startup: 60s
      profile: ${profile}
`)

export function siteFor(policies: PolicySet, startupSigma = 0): Site {
  return siteOf(policies, { startupSigma, modelError: 0 })
}

/** Mean tokens. */
interface MeanLengths {
  readonly prompt: number
  readonly output: number
}

/** Requests per second by class index, Poisson; of conversations, where nothing else is said. */
export function steady(
  rates: readonly number[],
  untilSeconds: number,
  { prompt, output }: MeanLengths = { prompt: 1150, output: 210 },
): Traffic {
  const promptTokens = lengthPoints({ mean: prompt })
  const outputTokens = lengthPoints({ mean: output })
  return {
    untilSeconds,
    sources: rates.map((requestsPerSecond, classIndex) => ({
      classIndex,
      scale: 1,
      shiftSeconds: 0,
      source: {
        kind: 'rates',
        inside: 'step',
        windows: Array.from({ length: Math.ceil(untilSeconds / 60) }, (_, i) => ({
          fromSeconds: 60 * i,
          untilSeconds: 60 * (i + 1),
          requestsPerSecond,
          promptTokens,
          outputTokens,
          cv: 1,
        })),
      },
    })),
  }
}

export interface PlantOptions {
  readonly fidelity: 'request' | 'fluid'
  readonly traffic: Traffic
  readonly initial: Readonly<Record<string, number>>
  readonly plant?: Partial<PlantSettings>
  readonly seed?: number
  readonly stepSeconds?: number
}

export function plantFor(
  site: Site,
  { fidelity, traffic, initial, plant, seed = 1, stepSeconds = 1 }: PlantOptions,
): Plant {
  const settings = { ...defaultPlant, ...plant }
  return plantOf({ traffic, seed, fidelity, stepSeconds, warmupSeconds: 0, plant: settings }, site, initial)
}
