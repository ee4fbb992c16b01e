// What the outside may ask of the last published decision: the port between the loop, which writes it, and
// the gRPC and HTTP adapters, which read it. Reading costs a look-up in memory and nothing else.

export type TargetAnswer =
  | { readonly kind: 'target'; readonly replicas: number; readonly at: number }
  /** Cold start, stale beyond the budget, or no data: an error for KEDA, so that it holds. Never 0. */
  | { readonly kind: 'unavailable'; readonly why: string }
  /** No such policy or variant, or not this namespace's: the caller cannot tell which. */
  | { readonly kind: 'unknown' }

export interface TargetRef {
  /** Namespace of the ScaledObject that asks. */
  readonly namespace: string
  readonly policy: string
  readonly variant: string
}

export interface Publication {
  /** Never throws, never waits. */
  readonly target: (ref: TargetRef) => TargetAnswer
  /** Calls back after each published decision; the returned function ends that. */
  readonly subscribe: (listener: () => void) => () => void
}
