// Policies, observations and decisions for the tests of the loop: complete values, varied where a test cares.
import type { Decision, VariantDecision } from '../../src/core/decision.ts'
import type { Observation } from '../../src/core/observation.ts'
import type { PolicySet, ScalingPolicy } from '../../src/core/policy.ts'
import type { Reading } from '../../src/core/reading.ts'
import { behavior } from '../behavior.ts'

export interface PolicyChoice {
  readonly namespace?: string
  readonly name?: string
  readonly variants?: readonly string[]
  readonly stalenessBudgetSeconds?: number
}

export function policyOf(choice: PolicyChoice = {}): ScalingPolicy {
  const { namespace = 'chat', name = 'llama', variants = ['h100'], stalenessBudgetSeconds = 60 } = choice
  const id = `${namespace}/${name}`
  return {
    id,
    name,
    namespace,
    model: 'meta-llama/Llama-3.3-70B-Instruct',
    servedNames: ['meta-llama/Llama-3.3-70B-Instruct'],
    classes: [
      {
        id: `${id}/chat`,
        name: 'chat',
        priority: 0,
        serviceLevel: { kind: 'interactive', ttft: { percentile: 0.95, seconds: 1 } },
        demand: { kind: 'engine' },
        assumedShape: { promptTokens: 1000, outputTokens: 200 },
      },
    ],
    variants: variants.map((variant) => ({
      id: `${id}/${variant}`,
      name: variant,
      role: 'unified',
      scaleTarget: { apiVersion: 'apps/v1', kind: 'Deployment', name: `vllm-${variant}` },
      pods: { kind: 'owner' },
      accelerator: { type: variant, countPerReplica: 1 },
      pool: variant,
      costPerHour: 4,
      replicas: { min: 0, max: 10 },
      startupSeconds: 120,
      engine: { maxNumSeqs: 256, kvTokens: 400_000 },
      profile: {
        name: 'policy',
        quality: 'stated',
        source: 'test',
        a: 8,
        b: 0.02,
        c: 0.00002,
        ap: 10,
        bp: 0.03,
        d2: 0,
        g: 0.02,
        h: 20,
      },
      maxShare: 1,
      minShare: 0,
    })),
    behavior: { ...behavior, stalenessBudgetSeconds },
  }
}

export function policySetOf(
  policies: readonly ScalingPolicy[],
  alsoAllowed: PolicySet['alsoAllowed'] = {},
): PolicySet {
  return { policies, pools: [], alsoAllowed }
}

export function observationAt(at: number): Observation {
  return { format: 'mixscaler-observation/1', at, variants: {}, classes: {}, pools: {}, warnings: [] }
}

/** One target for every variant of every policy, 3 replicas running now. */
export function decisionOf(set: PolicySet, at: number, target: Reading): Decision {
  return {
    at,
    policies: set.policies.map((policy) => ({
      id: policy.id,
      name: policy.name,
      namespace: policy.namespace,
      model: policy.model,
      status: 'planned',
      classes: policy.classes.map(({ id, name }) => ({
        id,
        name,
        demand: 5,
        forecast: { missing: 'idle' },
        plannedFor: 5.5,
        shortfall: 0,
        headroom: { planned: 0.1, learnt: 0, broken: 0, verdict: 'kept' },
        workAhead: 1,
        attainment: { ttft: 0.99, itl: { missing: 'idle' } },
      })),
      variants: policy.variants.map(
        (variant): VariantDecision => ({
          id: variant.id,
          name: variant.name,
          role: variant.role,
          replicas: { desired: 3, ready: 3, starting: 0, terminating: 0 },
          wanted: target,
          target,
          effective: target,
          capacity: { chat: { kind: 'feasible', requestsPerSecond: 2, limitedBy: 'ttft' } },
          speed: { missing: 'idle' },
          costPerReplicaHour: variant.costPerHour,
          reasons: [{ kind: 'carries', class: 'chat', share: 1, perReplica: 2, limitedBy: 'ttft' }],
        }),
      ),
      costPerHour: { now: 12, plan: 8, target: 8 },
      reasons: [],
    })),
    costPerHour: { now: 12, plan: 8, target: 8 },
    warnings: [],
  }
}
