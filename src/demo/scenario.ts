// The demo's world: one chat model on two kinds of GPU, a day's wave of traffic with a spike in its afternoon,
// and the ScaledObjects in front. The fleet runs on the very profiles that the policy's variants are sized by.
import type { PolicySet, ScalingPolicy, TrafficClass, Variant } from '../core/policy.ts'
import { diurnalRate, type RateCurve, renewalArrivals, spikeRate, sumRates } from '../simulation/arrivals.ts'
import type { FleetClass, FleetSettings } from '../simulation/fleet.ts'
import { defaultScaleDown, defaultScaleUp } from '../simulation/hpa.ts'
import { lognormalLengths } from '../simulation/lengths.ts'
import type { Request } from '../simulation/request.ts'
import type { ScaledObject } from './kedaDriver.ts'

/** What a platform engineer would write for it. H200s are cheaper per request here, and scarce. */
export const policyText = `apiVersion: mixscaler.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: llama-70b, namespace: chat }
spec:
  model: RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic
  servedNames: [llama-3.3-70b]
  classes:
    - name: chat
      slo: { ttft: { p95: 1s }, itl: { p95: 50ms } }
      assumedShape: { promptTokens: 1150, outputTokens: 210 }
  variants:
    - name: h100-tp4
      scaleTarget: { kind: Deployment, name: llama-70b-h100 }
      accelerator: { type: h100, count: 4 }
      cost: $12.40/h
      replicas: { min: 1, max: 12 }
      startup: 90s
    - name: h200-tp2
      scaleTarget: { kind: Deployment, name: llama-70b-h200 }
      accelerator: { type: h200, count: 2 }
      cost: $6.40/h
      replicas: { min: 0, max: 8 }
      startup: 90s
  behavior: { hpaTolerance: 0% }
---
apiVersion: mixscaler.dev/v1alpha1
kind: Fleet
metadata: { name: demo }
spec:
  pools:
    - { name: h200, gpus: 8 }
`

export const title = 'Llama 3.3 70B (FP8) on 4 x H100 and 2 x H200'

/** Unix time of virtual second 0: on the grid of ticks, so that equal seeds give equal runs. */
export const epochSeconds = Date.UTC(2026, 0, 1) / 1000

/** Requests per second over a day that takes `seconds`: a wave, and a spike on its falling side. */
export function dayOfTraffic(seconds: number): RateCurve {
  const wave = diurnalRate({ mean: 14, swing: 0.7, periodSeconds: seconds })
  const spike = { fromSeconds: 0.66 * seconds, untilSeconds: 0.8 * seconds, rampSeconds: 0.03 * seconds }
  return sumRates(wave, spikeRate({ ...spike, requestsPerSecond: 12 }))
}

export function peakOf(rate: RateCurve, seconds: number): number {
  let peak = 0
  for (let at = 0; at < seconds; at++) peak = Math.max(peak, rate(at))
  return peak
}

/** Poisson arrivals with a conversation's lengths (Azure 2023: 1,155 tokens in, 211 out on average). */
export function arrivals(rate: RateCurve, seconds: number, seed: number): Iterator<Request> {
  const lengths = lognormalLengths(1155, 211, 0.85)
  return renewalArrivals({ rate, lengths, seed, cv: 1, classIndex: 0, fromSeconds: 0, untilSeconds: seconds })
}

interface DemoFleetSettings extends FleetSettings {
  readonly classes: readonly [FleetClass]
}

/** The fleet of a policy, with so many replicas of each variant (by name) to begin with. */
export function fleetSettings(
  policy: ScalingPolicy,
  replicas: Readonly<Record<string, number>>,
  seed: number,
): DemoFleetSettings {
  const [chat] = policy.classes
  if (chat === undefined) throw new RangeError("the demo's policy has no class")
  return {
    namespace: policy.namespace,
    model: policy.servedNames[0] ?? policy.model,
    variants: policy.variants.map((variant) => ({
      name: variant.scaleTarget.name,
      role: variant.role,
      profile: variant.profile,
      maxNumSeqs: 256,
      maxNumBatchedTokens: 8192,
      kvTokens: variant.profile.kvTokens ?? 400_000,
      costPerHour: variant.costPerHour,
      startup: { medianSeconds: variant.startupSeconds, sigma: 0.1 },
      routingWeight: routingWeight(variant),
      initialReplicas: replicas[variant.name] ?? variant.replicas.min,
    })),
    classes: [boundsOf(chat)],
    routing: 'joinShortestQueue',
    seed,
  }
}

/** A gateway set up by what a replica carries within this SLO: 5.3 and 3.2 requests per second. */
function routingWeight({ name }: Variant): number {
  return name === 'h100-tp4' ? 5 : 3
}

function boundsOf({ name, serviceLevel }: TrafficClass): FleetClass {
  if (serviceLevel.kind === 'latencyTolerant') return { name, ttftSeconds: Infinity, itlSeconds: Infinity }
  const { ttft, itl } = serviceLevel
  return { name, ttftSeconds: ttft?.seconds ?? Infinity, itlSeconds: itl?.seconds ?? Infinity }
}

/** As docs/KEDA.md recommends: every count is reached at once, and holding back is the scaler's business. */
export function scaledObjects({ policies }: PolicySet): readonly ScaledObject[] {
  return policies.flatMap(({ name: policy, namespace, variants }) =>
    variants.map(({ name: variant, scaleTarget, replicas }) => ({
      ref: { name: scaleTarget.name, namespace, scalerMetadata: { policy, variant } },
      trigger: 'external',
      scaleTarget: scaleTarget.name,
      pollingIntervalSeconds: 15,
      cooldownSeconds: 120,
      minReplicas: replicas.min,
      maxReplicas: replicas.max,
      behavior: {
        scaleUp: {
          ...defaultScaleUp,
          policies: [{ type: 'Pods', value: 100, periodSeconds: 15 }],
          tolerance: 0,
        },
        scaleDown: { ...defaultScaleDown, stabilizationWindowSeconds: 0, tolerance: 0 },
      },
    })),
  )
}
