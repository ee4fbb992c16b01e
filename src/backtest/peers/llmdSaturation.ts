// llm-d's Workload Variant Autoscaler, version 2: KV tokens asked for against KV tokens there are, per role, and
// replicas added where a dollar buys most of them (llm-d/llm-d-workload-variant-autoscaler,
// internal/engines/analyzers/saturation_v2 and internal/engines/pipeline/cost_aware_optimizer.go; every 60 s).
//
//   demand    tokens in use + waiting x mean prompt
//   required  demand / 0.85 - (ready + starting) x capacity   > 0: add, cheapest per token of capacity first
//   spare     ready x capacity - demand / 0.70                > 0: remove, dearest replica first

import type { Observation } from '../../core/observation.ts'
import type { Role, ScalingPolicy, Variant } from '../../core/policy.ts'
import type { Signal } from '../controller.ts'
import { type Arrangement, arrangements } from './arrangement.ts'
import { type Fleet, fleetOf, type MeanLengths, meanLengths } from './fleet.ts'
import { scaledObject } from './kedaMetric.ts'
import type { Configuration, Peer } from './peer.ts'
import { allocate, type Candidate } from './ratioGreedy.ts'
import { controllerOf, type Rule, wants } from './rule.ts'
import { TokenCapacity } from './tokenCapacity.ts'

export interface SaturationParameters {
  /** An arrangement's name, or `all`: every variant of the policy, as it ships. */
  readonly variants: string
  /** Of the KV cache, 0..1. */
  readonly kvCacheThreshold: number
  readonly scaleUpThreshold: number
  readonly scaleDownBoundary: number
  /** Waiting requests of one replica from which its tokens in use are taken for its capacity. */
  readonly queueLengthThreshold: number
}

export const shippedSaturation: SaturationParameters = {
  variants: 'all',
  kvCacheThreshold: 0.8,
  scaleUpThreshold: 0.85,
  scaleDownBoundary: 0.7,
  queueLengthThreshold: 5,
}

const intervalSeconds = 60

export function llmdSaturation(parameters: SaturationParameters): Configuration {
  return {
    label: `${parameters.variants}, KV threshold ${parameters.kvCacheThreshold}`,
    controllerOf: controllerOf('llmd-saturation', (policy) => ruleOf(policy, parameters)),
  }
}

function ruleOf(policy: ScalingPolicy, parameters: SaturationParameters): Rule {
  const driven = drivenBy(policy, parameters)
  const capacities = new TokenCapacity(parameters)
  let lengths: MeanLengths | undefined
  return {
    intervalSeconds,
    // Its wanted counts reach the HPA as a metric with target 1.
    actuations: new Map(
      driven.map((variant) => [
        variant.id,
        scaledObject(variant, { minReplicas: 0, pollingSeconds: 30, cooldownSeconds: 300 }),
      ]),
    ),
    step: (observation) => {
      lengths = meanLengths(policy, observation) ?? lengths
      const told = (['unified', 'prefill', 'decode'] as const).map((role) =>
        ofRole(role, driven, observation, lengths, capacities, parameters),
      )
      return Object.assign({}, ...told)
    },
  }
}

function drivenBy(policy: ScalingPolicy, { variants }: SaturationParameters): readonly Variant[] {
  if (variants === 'all') return policy.variants
  return arrangements(policy).find(({ name }) => name === variants)?.variants ?? policy.variants
}

function ofRole(
  role: Role,
  driven: readonly Variant[],
  observation: Observation,
  lengths: MeanLengths | undefined,
  capacities: TokenCapacity,
  { scaleUpThreshold, scaleDownBoundary }: SaturationParameters,
): Readonly<Record<string, Signal>> {
  const variants = driven.filter((variant) => variant.role === role)
  const candidates = variants.map((variant): Candidate & { readonly fleet: Fleet } => {
    const fleet = fleetOf(variant, observation)
    return {
      variant,
      fleet,
      current: fleet.replicas.ready + fleet.replicas.starting,
      capacity: capacities.of(variant, fleet, lengths),
    }
  })
  const demand = candidates.reduce(
    (sum, { fleet }) => sum + fleet.kvTokensInUse + fleet.waiting * (lengths?.promptTokens ?? 0),
    0,
  )
  const supply = (count: (fleet: Fleet) => number): number =>
    candidates.reduce((sum, { fleet, capacity }) => sum + count(fleet) * capacity, 0)
  const required = demand / scaleUpThreshold - supply(({ replicas }) => replicas.ready + replicas.starting)
  const spare = supply(({ replicas }) => replicas.ready) - demand / scaleDownBoundary
  const targets = allocate(candidates, required, spare)
  return Object.fromEntries(
    variants.map((variant) => [variant.id, wants(variant, targets.get(variant) ?? 0)]),
  )
}

const thresholds = [0.8, 0.6, 0.45, 0.33, 0.25, 0.18, 0.13, 0.1, 0.07, 0.05, 0.035, 0.025, 0.018]

export function llmdSaturationPeer(all: readonly Arrangement['name'][]): Peer {
  const choices = all.length > 1 ? ['all', ...all] : all
  return {
    name: 'llmd-saturation',
    source: 'llm-d/llm-d-workload-variant-autoscaler, internal/engines (saturation_v2, cost_aware_optimizer)',
    shipped: llmdSaturation(shippedSaturation),
    grid: choices.flatMap((variants) =>
      thresholds.map((kvCacheThreshold) =>
        llmdSaturation({ ...shippedSaturation, variants, kvCacheThreshold }),
      ),
    ),
  }
}
