// Small policies and observations for the decision's tests, as plain values.

import { type Decided, decide } from '../../src/core/decide.ts'
import type { VariantDecision } from '../../src/core/decision.ts'
import type { Histogram } from '../../src/core/histogram.ts'
import type { ClassSignals, Observation, VariantSignals } from '../../src/core/observation.ts'
import type { PolicySet, ScalingPolicy, TrafficClass, Variant } from '../../src/core/policy.ts'
import type { Profile } from '../../src/core/profile.ts'
import { type Missing, missing } from '../../src/core/reading.ts'
import { emptyState, type State } from '../../src/core/state.ts'
import { createTools, type Tools } from '../../src/core/tools.ts'
import { loadEngines } from '../../src/solvers/engines.ts'
import { behavior } from '../behavior.ts'

export const tools: Tools = createTools(await loadEngines())

/** An 8B model on one H100 (the reference model `l8` of docs/MODEL.md) and a card a third as fast. */
export const h100: Profile = {
  name: 'policy',
  quality: 'stated',
  source: 'test',
  ...{ a: 6.58, b: 0.0193, c: 5.46e-5, ap: 6.58, bp: 0.0193, d2: 0, g: 0, h: 0, kvTokens: 400_000 },
}
export const l40s: Profile = {
  ...h100,
  ...{ a: 19.7, b: 0.058, c: 1.9e-4, ap: 19.7, bp: 0.058, kvTokens: 180_000 },
}

export function variant(name: string, changes: Partial<Variant> = {}): Variant {
  return {
    id: `chat/llama/${name}`,
    name,
    role: 'unified',
    scaleTarget: { apiVersion: 'apps/v1', kind: 'Deployment', name },
    pods: { kind: 'owner' },
    accelerator: { type: 'h100', countPerReplica: 1 },
    pool: 'h100',
    costPerHour: 4,
    replicas: { min: 1, max: 20 },
    startupSeconds: 180,
    engine: {},
    profile: h100,
    maxShare: 1,
    minShare: 0,
    ...changes,
  }
}

export function trafficClass(name: string, changes: Partial<TrafficClass> = {}): TrafficClass {
  return {
    id: `chat/llama/${name}`,
    name,
    priority: 0,
    serviceLevel: {
      kind: 'interactive',
      ttft: { percentile: 0.95, seconds: 1 },
      itl: { percentile: 0.95, seconds: 0.05 },
    },
    demand: { kind: 'engine' },
    assumedShape: { promptTokens: 500, outputTokens: 130 },
    ...changes,
  }
}

export function policy(variants: readonly Variant[], changes: Partial<ScalingPolicy> = {}): ScalingPolicy {
  return {
    id: 'chat/llama',
    name: 'llama',
    namespace: 'chat',
    model: 'llama',
    servedNames: ['llama'],
    classes: [trafficClass('chat')],
    variants,
    behavior,
    ...changes,
  }
}

export function policySet(policies: readonly ScalingPolicy[], pools: PolicySet['pools'] = []): PolicySet {
  return { policies, pools, alsoAllowed: {} }
}

/** Signals of a variant with this many ready replicas that receives this many requests per second. */
export function signals(
  ready: number,
  requestsPerSecond: number,
  changes: Partial<VariantSignals> = {},
): VariantSignals {
  return {
    replicas: { desired: ready, ready, starting: 0, terminating: 0 },
    reporting: ready,
    running: requestsPerSecond * 2,
    waiting: 0,
    inSystemGrowthPerSecond: 0,
    completionsPerSecond: requestsPerSecond,
    generationTokensPerSecond: requestsPerSecond * 130,
    preemptionsPerSecond: 0,
    promptTokens: lengths(requestsPerSecond, 500),
    outputTokens: lengths(requestsPerSecond, 130),
    ttft: missing('idle'),
    itl: missing('idle'),
    prefixHitRate: 0,
    kvUsage: 0.3,
    kvTokensPerReplica: missing('notReported'),
    ...changes,
  }
}

/** Output tokens per second of requests as `signals` has them, counted over a minute in which these rates were read. */
export function tokensOf(rates: readonly number[]): number {
  return (130 * rates.reduce((sum, rate) => sum + rate, 0)) / rates.length
}

/** Every signal of a variant missing for one reason; its replicas may still be known from Kubernetes. */
export function blind(why: Missing, changes: Partial<VariantSignals> = {}): VariantSignals {
  const nothing = Object.fromEntries(Object.keys(signals(0, 0)).map((signal) => [signal, why]))
  return { ...signals(0, 0), ...nothing, ...changes }
}

export function observe(
  at: number,
  variants: Readonly<Record<string, VariantSignals>>,
  classes: Readonly<Record<string, ClassSignals>> = {},
): Observation {
  const named = <T>(record: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(record).map(([name, value]) => [`chat/llama/${name}`, value]))
  return {
    format: 'mixscaler-observation/1',
    at,
    variants: named(variants),
    classes: named(classes),
    pools: {},
    warnings: [],
  }
}

/** Decides over a history and returns every step. */
export function story(
  policies: PolicySet,
  observations: readonly Observation[],
  start: State = emptyState,
): readonly Decided[] {
  const steps: Decided[] = []
  let state = start
  for (const observation of observations) {
    const step = decide(policies, state, observation, tools)
    steps.push(step)
    state = step.state
  }
  return steps
}

export function variantOf(step: Decided | undefined, name: string): VariantDecision {
  const found = step?.decision.policies
    .flatMap((decided) => decided.variants)
    .find((decided) => decided.name === name)
  if (found === undefined) throw new Error(`no variant ${name} in the decision`)
  return found
}

export function lengths(requestsPerSecond: number, mean: number): Histogram {
  // Two buckets around the mean, half of the requests in each.
  return {
    upperBounds: [mean * 0.6, mean, mean * 1.5],
    perSecond: [0, requestsPerSecond / 2, requestsPerSecond / 2, 0],
    sumPerSecond: requestsPerSecond * mean,
  }
}
