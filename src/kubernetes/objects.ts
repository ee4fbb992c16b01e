// What is read of the Kubernetes API's objects, as they come over the wire (timestamps are strings, a zero may
// be left out). Every field may be missing: the API server validates what it stores, not what it was asked.

export interface ObjectMeta {
  readonly name?: string
  readonly namespace?: string
  readonly resourceVersion?: string
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: readonly OwnerReference[]
  readonly uid?: string
}

export interface OwnerReference {
  readonly kind: string
  readonly name: string
  readonly controller?: boolean
}

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
}

/** Quantities of extended resources (GPUs) are integers, written as strings. */
export type Quantities = Readonly<Record<string, string | number>>

export interface Container {
  readonly restartPolicy?: string
  readonly resources?: { readonly limits?: Quantities; readonly requests?: Quantities }
}

export interface Pod {
  readonly metadata?: ObjectMeta
  readonly spec?: {
    readonly nodeName?: string
    readonly containers?: readonly Container[]
    readonly initContainers?: readonly Container[]
  }
  readonly status?: { readonly phase?: string; readonly conditions?: readonly Condition[] }
}

export interface Node {
  readonly metadata?: ObjectMeta
  readonly spec?: { readonly unschedulable?: boolean; readonly taints?: readonly { readonly key: string }[] }
  readonly status?: { readonly allocatable?: Quantities; readonly conditions?: readonly Condition[] }
}

/** resource.k8s.io: v1 and v1beta2 have attributes on the device, v1beta1 under `basic`. */
export interface ResourceSlice {
  readonly metadata?: ObjectMeta
  readonly spec?: {
    readonly driver?: string
    readonly pool?: { readonly name?: string; readonly generation?: number }
    /** Absent on devices that several nodes can reach. */
    readonly nodeName?: string
    readonly devices?: readonly SliceDevice[]
  }
}

export interface SliceDevice extends DeviceDetails {
  readonly name?: string
  readonly basic?: DeviceDetails
}

export interface DeviceDetails {
  readonly attributes?: Readonly<Record<string, { readonly string?: string }>>
  readonly taints?: readonly { readonly effect?: string }[]
}

export interface ResourceClaim {
  readonly metadata?: ObjectMeta
  readonly status?: {
    readonly allocation?: { readonly devices?: { readonly results?: readonly AllocatedDevice[] } }
    readonly reservedFor?: readonly { readonly resource?: string; readonly name?: string }[]
  }
}

export interface AllocatedDevice {
  readonly driver?: string
  readonly pool?: string
  readonly device?: string
  /** For monitoring: takes nothing from others. */
  readonly adminAccess?: boolean
}

export interface ApiGroup {
  readonly versions?: readonly { readonly version?: string }[]
}

/** keda.sh/v1alpha1. What is left out has KEDA's or the HPA's default. */
export interface ScaledObject {
  readonly metadata?: ObjectMeta
  readonly spec?: {
    readonly scaleTargetRef?: { readonly apiVersion?: string; readonly kind?: string; readonly name?: string }
    readonly minReplicaCount?: number
    readonly maxReplicaCount?: number
    readonly fallback?: { readonly replicas?: number }
    readonly advanced?: {
      readonly horizontalPodAutoscalerConfig?: {
        readonly behavior?: { readonly scaleUp?: HpaRules; readonly scaleDown?: HpaRules }
      }
      readonly scalingModifiers?: { readonly formula?: string }
    }
    readonly triggers?: readonly Trigger[]
  }
}

export interface HpaRules {
  readonly stabilizationWindowSeconds?: number
  readonly selectPolicy?: string
  /** A quantity: `"0"`, `"100m"`. */
  readonly tolerance?: string | number
}

export interface Trigger {
  readonly type?: string
  readonly metricType?: string
  readonly metadata?: Readonly<Record<string, string>>
}

/** coordination.k8s.io/v1. Times are written to the microsecond. */
export interface Lease {
  readonly metadata?: ObjectMeta
  readonly spec?: {
    readonly holderIdentity?: string
    readonly leaseDurationSeconds?: number
    readonly renewTime?: string
  }
}

/** autoscaling/v1 Scale. A count of 0 is left out by the API server. */
export interface Scale {
  readonly spec?: { readonly replicas?: number }
  readonly status?: { readonly selector?: string }
}

export interface ResourceList {
  readonly resources?: readonly { readonly name: string; readonly kind: string }[]
}

export interface ObjectList<T> {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string }
  readonly items?: readonly T[]
}

export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: T
}

export function condition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((candidate) => candidate.type === type)
}

/** RFC 3339 to seconds since the epoch; undefined where absent or not a time. */
export function epochSeconds(timestamp: string | undefined): number | undefined {
  const milliseconds = timestamp === undefined ? Number.NaN : Date.parse(timestamp)
  return Number.isNaN(milliseconds) ? undefined : milliseconds / 1000
}
