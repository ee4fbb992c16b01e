// What a backtest runs on: the classes and variants of the policies as a plant needs them, flat and indexed. The
// plant runs on the policies' own profiles, unless a model error is put between what is true and what is planned with.
import type { LatencyBound, PolicySet, Role, ScalingPolicy, TrafficClass, Variant } from '../core/policy.ts'
import { serves } from '../core/policy.ts'
import type { Profile } from '../core/profile.ts'
import { limitsOf } from '../core/sizing.ts'
import type { StartupTime } from '../simulation/pod.ts'

export interface SiteClass {
  /** `namespace/policy/class`; the position in `Site.classes` is its index everywhere in a backtest. */
  readonly id: string
  readonly name: string
  readonly policyId: string
  /** 0 is served first. */
  readonly priority: number
  readonly goal: ClassGoal
}

export type ClassGoal =
  /** A request is good when its TTFT and the mean gap between its tokens keep their bounds; Infinity: no bound. */
  | {
      readonly kind: 'interactive'
      readonly ttftSeconds: number
      readonly gapSeconds: number
      /** Of all gaps between tokens: the share that should be within `gapSeconds` where the bound is on ITL. */
      readonly percentiles: { readonly ttft: number; readonly gap: number }
    }
  /** A request is good when it is complete within this time of its arrival. */
  | { readonly kind: 'tolerant'; readonly completeWithinSeconds: number }

export interface SiteVariant {
  /** `namespace/policy/variant`; the position in `Site.variants` is its index. */
  readonly id: string
  readonly name: string
  readonly policyId: string
  readonly namespace: string
  /** Name of the scale target; unique within the namespace. */
  readonly scaleTarget: string
  readonly role: Role
  readonly transferGroup: string | undefined
  /** What is true in the plant. */
  readonly profile: Profile
  readonly maxNumSeqs: number
  readonly maxNumBatchedTokens: number
  readonly kvTokens: number
  /** Indices of the classes it may serve. */
  readonly classes: readonly number[]
  readonly acceleratorType: string
  readonly gpusPerReplica: number
  readonly pool: string
  readonly costPerHour: number
  readonly startup: StartupTime
  readonly bounds: { readonly min: number; readonly max: number }
}

export interface Site {
  /** What the controller plans with. */
  readonly policies: PolicySet
  readonly classes: readonly SiteClass[]
  readonly variants: readonly SiteVariant[]
  /** GPUs by pool; pools that are absent have no end. */
  readonly pools: Readonly<Record<string, number>>
}

export interface SiteOptions {
  /** Median seconds from asking for a replica to its first request, in place of the policies' own. */
  readonly startupSeconds?: number
  /** Spread of start-up times: standard deviation of their logarithm. */
  readonly startupSigma: number
  /** 0.1: every iteration takes 10 % longer than the policies' profiles say. */
  readonly modelError: number
}

/** Policies see the start-up time that is true, as their authors would after measuring it. */
export function siteOf(stated: PolicySet, options: SiteOptions): Site {
  const policies = { ...stated, policies: stated.policies.map((policy) => withStartup(policy, options)) }
  const classes = policies.policies.flatMap((policy) =>
    policy.classes.map((trafficClass) => classOf(policy, trafficClass)),
  )
  const indexOf = new Map(classes.map(({ id }, index) => [id, index]))
  return {
    policies,
    classes,
    variants: policies.policies.flatMap((policy) =>
      policy.variants.map((variant) => ({
        ...variantOf(policy, variant, options),
        classes: policy.classes
          .filter((trafficClass) => serves(variant, trafficClass))
          .map(({ id }) => indexOf.get(id) as number),
      })),
    ),
    pools: Object.fromEntries(
      policies.pools.flatMap(({ name, gpus }) => (gpus === undefined ? [] : [[name, gpus] as const])),
    ),
  }
}

function withStartup(policy: ScalingPolicy, { startupSeconds }: SiteOptions): ScalingPolicy {
  if (startupSeconds === undefined) return policy
  return { ...policy, variants: policy.variants.map((variant) => ({ ...variant, startupSeconds })) }
}

function classOf(policy: ScalingPolicy, { id, name, priority, serviceLevel }: TrafficClass): SiteClass {
  const common = { id, name, policyId: policy.id, priority }
  switch (serviceLevel.kind) {
    case 'latencyTolerant': {
      const { completeWithinSeconds } = serviceLevel
      return { ...common, goal: { kind: 'tolerant', completeWithinSeconds } }
    }
    case 'interactive': {
      const { ttft, itl, tpot } = serviceLevel
      const gap = tighter(itl, tpot)
      return {
        ...common,
        goal: {
          kind: 'interactive',
          ttftSeconds: ttft?.seconds ?? Number.POSITIVE_INFINITY,
          gapSeconds: gap?.seconds ?? Number.POSITIVE_INFINITY,
          percentiles: { ttft: ttft?.percentile ?? 0, gap: gap?.percentile ?? 0 },
        },
      }
    }
  }
}

function tighter(x: LatencyBound | undefined, y: LatencyBound | undefined): LatencyBound | undefined {
  if (x === undefined || y === undefined) return x ?? y
  return x.seconds <= y.seconds ? x : y
}

function variantOf(
  { id: policyId, namespace }: ScalingPolicy,
  variant: Variant,
  { startupSigma, modelError }: SiteOptions,
): Omit<SiteVariant, 'classes'> {
  return {
    id: variant.id,
    name: variant.name,
    policyId,
    namespace,
    scaleTarget: variant.scaleTarget.name,
    role: variant.role,
    transferGroup: variant.transferGroup,
    profile: slower(variant.profile, 1 + modelError),
    ...limitsOf(variant, undefined),
    acceleratorType: variant.accelerator.type,
    gpusPerReplica: variant.accelerator.countPerReplica,
    pool: variant.pool,
    costPerHour: variant.costPerHour,
    startup: { medianSeconds: variant.startupSeconds, sigma: startupSigma },
    bounds: variant.replicas,
  }
}

/** Every iteration takes `factor` times as long; what lies outside the engine (h) stays. */
function slower(profile: Profile, factor: number): Profile {
  if (factor === 1) return profile
  const { a, b, c, ap, bp, d2, g, mixtureOfExperts } = profile
  return {
    ...profile,
    ...{
      a: a * factor,
      b: b * factor,
      c: c * factor,
      ap: ap * factor,
      bp: bp * factor,
      d2: d2 * factor,
      g: g * factor,
    },
    ...(mixtureOfExperts === undefined
      ? {}
      : { mixtureOfExperts: { ...mixtureOfExperts, x: mixtureOfExperts.x * factor } }),
  }
}
