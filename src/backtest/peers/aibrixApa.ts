// AIBrix's APA: the HPA's ratio on a mean per pod, with its own tolerances and rates (vllm-project/aibrix,
// pkg/controller/podautoscaler/algorithm/apa.go; samples/autoscaling/apa.yaml: KV cache use 0.5, tolerances 0.1 up and
// 0.2 down, window 30 s; docs: at most x2 and /2 at once, 300 s of cooldown before scaling down, none before up).
//
//   u / target > 1 + up:   ceil(n u / target), at most ceil(2 n)
//   u / target < 1 - down: ceil(n u / target), at least floor(n / 2)
import type { ScalingPolicy, Variant } from '../../core/policy.ts'
import { arrangementNamed } from './arrangement.ts'
import { fleetOf } from './fleet.ts'
import type { Configuration, Peer } from './peer.ts'
import { controllerOf, type Rule, wants } from './rule.ts'

export interface ApaParameters {
  readonly arrangement: string
  /** Share of the KV cache in use, 0..1, mean over pods. */
  readonly targetKvUsage: number
  readonly upTolerance: number
  readonly downTolerance: number
  readonly windowSeconds: number
  readonly maxRate: number
  readonly scaleDownCooldownSeconds: number
}

export const shippedApa: Omit<ApaParameters, 'arrangement'> = {
  targetKvUsage: 0.5,
  upTolerance: 0.1,
  downTolerance: 0.2,
  windowSeconds: 30,
  maxRate: 2,
  scaleDownCooldownSeconds: 300,
}

/** Of AIBrix's controller. */
const syncSeconds = 10

export function aibrixApa(parameters: ApaParameters): Configuration {
  const { arrangement, targetKvUsage } = parameters
  return {
    label: `${arrangement}, KV use ${targetKvUsage}`,
    controllerOf: controllerOf('aibrix-apa', (policy) => ruleOf(policy, parameters)),
  }
}

function ruleOf(policy: ScalingPolicy, parameters: ApaParameters): Rule {
  const { variants } = arrangementNamed(policy, parameters.arrangement)
  const memories = new Map(variants.map(({ id }) => [id, new Memory()]))
  return {
    intervalSeconds: syncSeconds,
    actuations: new Map(variants.map(({ id }) => [id, { kind: 'direct' }])),
    step: (observation) =>
      Object.fromEntries(
        variants.map((variant) => {
          const { kvUsage, replicas } = fleetOf(variant, observation)
          const memory = memories.get(variant.id) as Memory
          const perPod = memory.usage(observation.at, kvUsage, parameters.windowSeconds)
          const recommended = bounded(variant, recommendation(parameters, replicas.desired, perPod))
          const held = memory.highest(observation.at, recommended, parameters.scaleDownCooldownSeconds)
          return [variant.id, wants(variant, Math.max(recommended, Math.min(replicas.desired, held)))]
        }),
      ),
  }
}

export function recommendation(
  { targetKvUsage, upTolerance, downTolerance, maxRate }: ApaParameters,
  currentPods: number,
  usagePerPod: number,
): number {
  const ratio = usagePerPod / targetKvUsage
  const expected = Math.ceil(currentPods * ratio - 1e-9)
  if (ratio > 1 + upTolerance) return Math.min(expected, Math.ceil(maxRate * currentPods))
  if (ratio < 1 - downTolerance) return Math.max(expected, Math.floor(currentPods / maxRate))
  return currentPods
}

function bounded({ replicas }: Variant, count: number): number {
  return Math.min(replicas.max, Math.max(replicas.min, count))
}

/** What the windows hold. */
class Memory {
  private usages: { readonly at: number; readonly value: number }[] = []
  private recommendations: { readonly at: number; readonly value: number }[] = []

  usage(at: number, value: number, windowSeconds: number): number {
    this.usages = [...this.usages.filter((entry) => entry.at > at - windowSeconds), { at, value }]
    return this.usages.reduce((sum, entry) => sum + entry.value, 0) / this.usages.length
  }

  highest(at: number, value: number, windowSeconds: number): number {
    const since = at - windowSeconds
    this.recommendations = [...this.recommendations.filter((entry) => entry.at > since), { at, value }]
    return Math.max(...this.recommendations.map((entry) => entry.value))
  }
}

/** Steps of 0.75, from 0.8 down to 0.014: what use of the cache an SLO allows depends on the model and the lengths. */
const targets = Array.from({ length: 15 }, (_, i) => Number((0.8 * 0.75 ** i).toPrecision(2)))

export function aibrixApaPeer(names: readonly string[]): Peer {
  return {
    name: 'aibrix-apa',
    source:
      'vllm-project/aibrix, pkg/controller/podautoscaler/algorithm/apa.go and samples/autoscaling/apa.yaml',
    shipped: aibrixApa({ ...shippedApa, arrangement: names[0] ?? '' }),
    grid: names.flatMap((arrangement) =>
      targets.map((targetKvUsage) => aibrixApa({ ...shippedApa, arrangement, targetKvUsage })),
    ),
  }
}
