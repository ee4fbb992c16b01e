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
