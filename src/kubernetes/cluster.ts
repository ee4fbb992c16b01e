// The answers, from what is in memory at one moment: counts per variant and GPUs per pool.
import type { ReplicaCounts } from '../core/observation.ts'
import type { VariantId } from '../core/policy.ts'
import { isMissing, type Missing, missing, type Reading } from '../core/reading.ts'
import { draDevices } from './dra.ts'
import type { DraFacts } from './draLists.ts'
import { type NodeFacts, poolInventory } from './inventory.ts'
import type { PodFacts } from './pods.ts'
import { podIndex, replicaCounts, type ScaleFacts } from './replicas.ts'
import { allPodsPath, type NamespacedTarget, nodesPath, type Scope } from './scope.ts'

export interface Cluster {
  /** Lists by path. */
  readonly pods: (path: string) => Reading<readonly PodFacts[]>
  readonly nodes: (path: string) => Reading<readonly NodeFacts[]>
  /** Devices of DRA drivers and who holds them. */
  readonly dra: () => Reading<DraFacts>
  readonly scale: (target: NamespacedTarget) => Reading<ScaleFacts>
}

/** A variant whose scale or pods are not known is missing; the others are not touched by that. */
export function replicasOf(
  scope: Scope,
  cluster: Cluster,
): Readonly<Record<VariantId, Reading<ReplicaCounts>>> {
  const pods = podsOfTargets(scope, cluster)
  return Object.fromEntries(
    scope.targets.map((target) => {
      const scale = cluster.scale(target)
      const own = pods.get(target.variant) ?? []
      if (isMissing(scale)) return [target.variant, scale]
      return [target.variant, isMissing(own) ? own : replicaCounts(scale.desired, own)]
    }),
  )
}

/** All discovered pools or none: while some pods may be ours or not, nobody's share of a node is known. */
export function poolsOf(scope: Scope, cluster: Cluster): Readonly<Record<string, Reading>> {
  const nodes = cluster.nodes(nodesPath)
  const pods = cluster.pods(allPodsPath)
  const unknown = (why: Missing) => Object.fromEntries(scope.pools.discovered.map((pool) => [pool, why]))
  if (isMissing(nodes)) return unknown(nodes)
  if (isMissing(pods)) return unknown(pods)
  const own = new Set<PodFacts>()
  for (const reading of podsOfTargets(scope, cluster).values()) {
    if (!isMissing(reading)) for (const pod of reading) own.add(pod)
    // A target that does not exist has no pods; one that could not be asked for may have some.
    else if (reading.missing !== 'noSeries') return unknown(reading)
  }
  const dra = cluster.dra()
  if (isMissing(dra)) return unknown(dra)
  const ours = new Set([...own].map(({ namespace, name }) => `${namespace}/${name}`))
  const devices = draDevices(dra.slices, dra.claims, (namespace, pod) => ours.has(`${namespace}/${pod}`))
  return poolInventory(nodes, pods, own, scope.pools, devices)
}

function podsOfTargets(scope: Scope, cluster: Cluster): ReadonlyMap<VariantId, Reading<readonly PodFacts[]>> {
  const indexes = new Map(
    scope.podPaths.map((path) => {
      const pods = cluster.pods(path)
      return [path, isMissing(pods) ? pods : podIndex(pods)] as const
    }),
  )
  return new Map(
    scope.targets.map(({ variant, podPath, namespace, target }) => {
      const podsOf = indexes.get(podPath) ?? missing('backendDown')
      const scale = cluster.scale({ namespace, target })
      return [variant, isMissing(podsOf) ? podsOf : podsOf(namespace, target, scale)]
    }),
  )
}
