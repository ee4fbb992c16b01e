// The policy as the decision reads it: parsed, validated, defaults applied, units in the names.
// YAML and its error messages live in src/policy; docs/POLICY.md explains every field to its users.
import type { Profile } from './profile.ts'

/** `namespace/policy`, `namespace/policy/variant` and `namespace/policy/class`: unique over all files. */
export type PolicyId = string
export type VariantId = string
export type ClassId = string

export type Role = 'unified' | 'prefill' | 'decode'

/** A bound on a percentile: `{ percentile: 0.95, seconds: 1 }` reads "p95 within 1 s". */
export interface LatencyBound {
  readonly percentile: number
  readonly seconds: number
}

export type ServiceLevel =
  /** At least one bound is present. `itl` is per token; `tpot` the mean gap of one request. */
  | {
      readonly kind: 'interactive'
      readonly ttft?: LatencyBound
      readonly itl?: LatencyBound
      readonly tpot?: LatencyBound
    }
  /** Work that may wait, as long as each piece is complete within this time of its arrival. */
  | { readonly kind: 'latencyTolerant'; readonly completeWithinSeconds: number }

export type DemandSource =
  /** What arrives at the engines of the variants that serve this class, less what other sources account for. */
  | { readonly kind: 'engine' }
  /** PromQL of the policy's author: requests per second, and for tolerant classes the waiting tokens. */
  | { readonly kind: 'query'; readonly requestsPerSecond?: string; readonly backlogTokens?: string }
  /** What a gateway counts in front of the engines: it exists at zero replicas too. */
  | GatewaySource

export interface GatewaySource {
  readonly kind: 'gateway'
  readonly gateway: GatewayKind
  /** Where the gateway runs. */
  readonly namespace: string
  /** Labels of the gateway's series that tell this class from others; empty: all of the model's. */
  readonly match: Readonly<Record<string, string>>
}

export type GatewayKind = 'inferenceGateway' | 'productionStack' | 'dynamo' | 'kserve'

/** Mean lengths assumed until the histograms have something to say. Tokens per request. */
export interface AssumedShape {
  readonly promptTokens: number
  readonly outputTokens: number
}

export interface TrafficClass {
  readonly id: ClassId
  readonly name: string
  /** 0 is served first. */
  readonly priority: number
  readonly serviceLevel: ServiceLevel
  readonly demand: DemandSource
  readonly assumedShape: AssumedShape
}

export interface ScaleTarget {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
}

/** How a variant's pods are recognised in the metrics, best first (reference: docs/METRICS.md). */
export type PodMatch =
  /** A label on the series, put there by target relabelling. */
  | { readonly kind: 'label'; readonly label: string; readonly value: string }
  /** The controller that owns the pod, from kube-state-metrics or, without it, from the pod's name. */
  | { readonly kind: 'owner' }
  /** A regular expression on the pod's name, anchored at both ends. */
  | { readonly kind: 'pattern'; readonly pattern: string }

export interface Accelerator {
  readonly type: string
  /** GPUs that one replica takes; for a LeaderWorkerSet the whole group. */
  readonly countPerReplica: number
}

/** What the engine was started with. Absent: read from the metrics, else the engine's default. */
export interface EngineLimits {
  /** API server processes of one replica (vLLM --api-server-count); absent: 1. */
  readonly apiServers?: number
  readonly maxNumSeqs?: number
  readonly maxNumBatchedTokens?: number
  readonly kvTokens?: number
}

export interface ReplicaBounds {
  readonly min: number
  readonly max: number
}

export interface Variant {
  readonly id: VariantId
  readonly name: string
  readonly role: Role
  readonly scaleTarget: ScaleTarget
  readonly pods: PodMatch
  readonly accelerator: Accelerator
  /** The pool its GPUs come from; the accelerator's type unless the policy names another. */
  readonly pool: string
  /** Dollars (or any one currency) per replica and hour. */
  readonly costPerHour: number
  readonly replicas: ReplicaBounds
  /** As the policy states them, where a schedule has put others in their place. Not a field of the YAML. */
  readonly statedReplicas?: ReplicaBounds
  readonly startupSeconds: number
  readonly engine: EngineLimits
  readonly profile: Profile
  /** Prefill and decode variants that can hand KV to each other share a group. Absent on unified ones. */
  readonly transferGroup?: string
  /** Names of the classes it may serve; absent: all of its policy. */
  readonly classes?: readonly string[]
  /** At most this share of a class's traffic on this variant (spot capacity); 1 = no cap. */
  readonly maxShare: number
  /** At least this share of each class it serves on this variant, so that no GPU type carries all; 0 = none. */
  readonly minShare: number
}

export interface StepLimits {
  /** Replicas that may be added, or removed, in one decision. Absent: no limit. */
  readonly up?: number
  readonly down?: number
}

/** What is corrected by measurement: the headroom of classes, and the speed that profiles state. */
export interface Learning {
  readonly headroom: 'on' | 'off'
  readonly speed: 'on' | 'off'
}

export interface Behavior {
  /** The plan is made for what will arrive, with this chance at most, by the time a replica ordered now is ready; `byLead`: the longer that takes, the surer. */
  readonly forecastQuantile: number | 'byLead'
  /** Added to demand before sizing, as a share of it: 0.1 plans for 110 %. What is learnt comes on top. */
  readonly headroom: number
  /** Share of the requests that shall keep their SLO: late ones beyond what its percentile allows do not. */
  readonly attainment: number
  readonly learn: Learning
  /** The plan is made for the highest demand of this window: up at once, down late. */
  readonly scaleDownHoldSeconds: number
  readonly stepLimits: StepLimits
  /** A plan that saves less than this share of what the last one costs is not worth the change, for a while. */
  readonly holdBand: number
  /** Carry the load after losing this many replicas of any one variant. */
  readonly surviveReplicas: number
  /** The HPA's dead band in force: 0.1 unless every HPA has `tolerance: 0`. */
  readonly hpaTolerance: number
  /** How long the last decision stands when nothing new can be observed; then callers get UNAVAILABLE. */
  readonly stalenessBudgetSeconds: number
  readonly budgetPerHour?: number
  /** Capacity is sized for `slo x sloMargin`: the margin is on the SLO, not on the rate. */
  readonly sloMargin: number
  /** No replica is planned above this share of its saturation rate. */
  readonly maxLoad: number
  readonly zero: ZeroRule
}

/** Interactive classes alone: work with deadlines needs no replica that waits for it. */
export interface ZeroRule {
  /** The last replica of a class goes once no demand has been proven for this long. */
  readonly afterSeconds: number
  /** From zero, only variants whose start-up is at most this are started, where there is one. Absent: any. */
  readonly startWithinSeconds?: number
}

/** What the policy's author knows ahead of time. */
export interface Schedule {
  /** For people: `schedule office-hours`, `event launch`. */
  readonly title: string
  readonly when: ScheduleWindow
  /** Targets stay as they are. */
  readonly hold: boolean
  readonly replicas: Readonly<Record<VariantId, Partial<ReplicaBounds>>>
  readonly demand: Readonly<Record<ClassId, ScheduledDemand>>
}

export type ScheduleWindow =
  /** Seconds since the epoch; `untilSecond` is outside. */
  | { readonly kind: 'once'; readonly fromSecond: number; readonly untilSecond: number }
  /** Wall-clock time of a zone: seconds of the day on which it begins; beyond 86,400 it ends on the next. */
  | {
      readonly kind: 'weekly'
      /** 0 is Sunday. */
      readonly days: readonly number[]
      readonly fromSecond: number
      readonly untilSecond: number
      readonly zone: ZoneOffsets
    }

/** A time zone as data: local time is UTC plus the last offset whose `since` has passed. Never empty, oldest first. */
export type ZoneOffsets = readonly { readonly since: number; readonly seconds: number }[]

export interface ScheduledDemand {
  /** Requests per second to plan for at least. */
  readonly atLeastPerSecond?: number
  /** Times the demand from before the window. */
  readonly factor?: number
}

export interface ScalingPolicy {
  readonly id: PolicyId
  readonly name: string
  readonly namespace: string
  /** The model as people name it, and the `model_name` values under which the engines report it. */
  readonly model: string
  readonly servedNames: readonly string[]
  readonly classes: readonly TrafficClass[]
  readonly variants: readonly Variant[]
  readonly behavior: Behavior
  readonly schedules?: readonly Schedule[]
  /** Plan for this many times what is observed; absent: 1. Not a field of the YAML: what-ifs set it. */
  readonly demandFactor?: number
}

export interface Pool {
  readonly name: string
  /** GPUs; absent: discovered from nodes, else unlimited. */
  readonly gpus?: number
}

/** Everything that the policy files say, together. Sorted by id, so that equal files give equal plans. */
export interface PolicySet {
  readonly policies: readonly ScalingPolicy[]
  readonly pools: readonly Pool[]
  /** Namespaces whose ScaledObjects may ask for a policy, beyond its own: policy id to namespaces. */
  readonly alsoAllowed: Readonly<Record<PolicyId, readonly string[]>>
}

/** Whether a variant may serve a class at all. */
export function serves(variant: Variant, trafficClass: Pick<TrafficClass, 'name'>): boolean {
  return variant.classes === undefined || variant.classes.includes(trafficClass.name)
}
