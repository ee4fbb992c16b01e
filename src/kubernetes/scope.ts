// What of the cluster the policies make us read: no more than they need, so that a Role in one namespace is
// enough where every pool has a stated inventory.
import type { PolicySet, ScaleTarget, VariantId } from '../core/policy.ts'
import type { PoolNames } from './inventory.ts'

export interface Scope {
  readonly targets: readonly VariantTarget[]
  /** The lists of pods to keep: one of the whole cluster where GPUs that others hold must be known. */
  readonly podPaths: readonly string[]
  /** Nodes, and with them the devices of DRA drivers: where GPUs are to be discovered. */
  readonly nodePaths: readonly string[]
  readonly scaledObjectPaths: readonly string[]
  /** Pools by name: all, and those whose inventory is to be discovered from nodes. */
  readonly pools: PoolNames
}

export interface NamespacedTarget {
  readonly namespace: string
  readonly target: ScaleTarget
}

export interface VariantTarget extends NamespacedTarget {
  readonly variant: VariantId
  /** The list that its pods are in. */
  readonly podPath: string
}

export const allPodsPath = '/api/v1/pods'
export const nodesPath = '/api/v1/nodes'

export function scopeOf(policies: PolicySet): Scope {
  const all = policies.pools.map((pool) => pool.name)
  const discovered = policies.pools.filter((pool) => pool.gpus === undefined).map((pool) => pool.name)
  const targets = policies.policies.flatMap((policy) =>
    policy.variants.map((variant) => ({
      variant: variant.id,
      namespace: policy.namespace,
      target: variant.scaleTarget,
      podPath:
        discovered.length > 0
          ? allPodsPath
          : `/api/v1/namespaces/${encodeURIComponent(policy.namespace)}/pods`,
    })),
  )
  return {
    targets,
    podPaths: [...new Set(targets.map((target) => target.podPath))],
    scaledObjectPaths: scaledObjectPaths(policies, discovered.length > 0 ? 'cluster' : 'namespaces'),
    nodePaths: targets.length > 0 && discovered.length > 0 ? [nodesPath] : [],
    pools: { all, discovered },
  }
}

/** Where ScaledObjects of our variants may stand: with the policies, and where the policies allow others to ask. */
function scaledObjectPaths(
  { policies, alsoAllowed }: PolicySet,
  reach: 'cluster' | 'namespaces',
): readonly string[] {
  const scaled = policies.filter(({ variants }) => variants.length > 0)
  if (scaled.length === 0) return []
  const group = '/apis/keda.sh/v1alpha1'
  if (reach === 'cluster') return [`${group}/scaledobjects`]
  const namespaces = scaled.flatMap(({ id, namespace }) => [namespace, ...(alsoAllowed[id] ?? [])])
  return [...new Set(namespaces)].map(
    (name) => `${group}/namespaces/${encodeURIComponent(name)}/scaledobjects`,
  )
}
