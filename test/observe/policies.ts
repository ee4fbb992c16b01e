// Policies for these tests: one model, variants recognised in the ways that a test is about.
import type { PodMatch, PolicySet, ScalingPolicy, TrafficClass, Variant } from '../../src/core/policy.ts'
import { behavior } from '../behavior.ts'

export interface VariantSketch {
  readonly name: string
  /** Name of the scale target; the variant's own name unless said. */
  readonly target?: string
  readonly kind?: string
  readonly pods?: PodMatch
}

export interface PolicySketch {
  readonly namespace?: string
  readonly name?: string
  readonly servedNames?: readonly string[]
  readonly variants: readonly VariantSketch[]
  readonly classes?: readonly Pick<TrafficClass, 'name' | 'demand'>[]
}

export function policySet(...sketches: readonly PolicySketch[]): PolicySet {
  return { policies: sketches.map(policy), pools: [], alsoAllowed: {} }
}

export function owner(name: string, target = name, kind = 'Deployment'): VariantSketch {
  return { name, target, kind, pods: { kind: 'owner' } }
}

export function labelled(name: string, value = name, label = 'llm_d_ai_variant'): VariantSketch {
  return { name, pods: { kind: 'label', label, value } }
}

export function patterned(name: string, pattern: string): VariantSketch {
  return { name, pods: { kind: 'pattern', pattern } }
}

function policy(sketch: PolicySketch): ScalingPolicy {
  const { namespace = 'chat', name = 'llama', servedNames = ['llama-70b'], variants, classes = [] } = sketch
  const id = `${namespace}/${name}`
  return {
    id,
    name,
    namespace,
    model: servedNames[0] ?? 'llama-70b',
    servedNames,
    classes: classes.map(({ name, demand }) => ({
      id: `${id}/${name}`,
      name,
      demand,
      priority: 0,
      serviceLevel: { kind: 'interactive', ttft: { percentile: 0.95, seconds: 1 } },
      assumedShape: { promptTokens: 1000, outputTokens: 200 },
    })),
    variants: variants.map((sketch) => variant(id, sketch)),
    behavior: { ...behavior, stalenessBudgetSeconds: 300 },
  }
}

function variant(policyId: string, sketch: VariantSketch): Variant {
  const { name, target = name, kind = 'Deployment', pods = { kind: 'owner' } } = sketch
  return {
    id: `${policyId}/${name}`,
    name,
    role: 'unified',
    scaleTarget: { apiVersion: 'apps/v1', kind, name: target },
    pods,
    accelerator: { type: 'h100', countPerReplica: 1 },
    pool: 'h100',
    costPerHour: 4,
    replicas: { min: 0, max: 10 },
    startupSeconds: 120,
    engine: {},
    profile: {
      name: 'test',
      quality: 'stated',
      source: 'test',
      a: 5,
      b: 0.05,
      c: 0.0001,
      ap: 5,
      bp: 0.05,
      d2: 0,
      g: 0,
      h: 0,
    },
    maxShare: 1,
    minShare: 0,
  }
}
