// Replicas and GPU inventory as Kubernetes sees them, answered from memory: lists are watched and scale targets
// re-read in the background, so that nothing here waits and nothing here can fail a tick.
import { setTimeout as pause } from 'node:timers/promises'
import type { KubeConfig } from '@kubernetes/client-node'
import type { ReplicaCounts } from '../core/observation.ts'
import type { PolicySet, VariantId } from '../core/policy.ts'
import { isMissing, missing, type Reading } from '../core/reading.ts'
import { kubernetesApi } from './api.ts'
import { type Cluster, poolsOf, replicasOf } from './cluster.ts'
import { type NodeFacts, nodeFacts } from './inventory.ts'
import { type PodFacts, podFacts } from './pods.ts'
import { type Reflector, startReflector } from './reflector.ts'
import { startScaleReader } from './scales.ts'
import { type Scope, scopeOf } from './scope.ts'
import { defaultTiming, monotonicSeconds, type Timing } from './timing.ts'

export interface ReplicaReader {
  /** Counts per variant, or why there are none. What is asked for is followed from then on. */
  readonly replicas: (policies: PolicySet) => Readonly<Record<VariantId, Reading<ReplicaCounts>>>
  /**
   * GPUs for each pool without a stated inventory, or why they are not known. Once known, the last count stands
   * while the API is away: hardware rarely changes, and a pool of unknown size would not limit the plan.
   */
  readonly pools: (policies: PolicySet) => Readonly<Record<string, Reading>>
  /** Resolves when all that the policies need has been read or refused once; after `seconds` at the latest. */
  readonly settled: (policies: PolicySet, seconds: number) => Promise<void>
  readonly stop: () => void
}

interface ReplicaReaderOptions {
  readonly config: KubeConfig
  /** Told once when something begins to fail, and once when it can be read again. */
  readonly onHealth: (event: HealthEvent) => void
  readonly timing?: Partial<Timing>
}

export interface HealthEvent {
  readonly healthy: boolean
  readonly message: string
}

/** Pods that have ended hold nothing: the server leaves them out. */
const livingPods = { fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed' }
const settleCheckSeconds = 0.02

export function startReplicaReader(options: ReplicaReaderOptions): ReplicaReader {
  const timing = { ...defaultTiming, ...options.timing }
  const api = kubernetesApi(options.config)
  const scales = startScaleReader({ api, timing, onHealth: healthOf('scale targets') })
  const podLists = new Map<string, Reflector<PodFacts>>()
  const nodeLists = new Map<string, Reflector<NodeFacts>>()
  let inventory: Readonly<Record<string, Reading>> = {}
  const cluster: Cluster = {
    pods: (path) => podLists.get(path)?.read() ?? missing('backendDown'),
    nodes: (path) => nodeLists.get(path)?.read() ?? missing('backendDown'),
    scale: scales.read,
  }

  function follow(policies: PolicySet): Scope {
    const scope = scopeOf(policies)
    scales.follow(scope.targets)
    reconcile(podLists, scope.podPaths, (path) =>
      startReflector({
        api,
        path,
        kind: 'PodList',
        query: livingPods,
        facts: podFacts,
        timing,
        onHealth: healthOf(path),
      }),
    )
    reconcile(nodeLists, scope.nodePaths, (path) =>
      startReflector({
        api,
        path,
        kind: 'NodeList',
        query: {},
        facts: nodeFacts,
        timing,
        onHealth: healthOf(path),
      }),
    )
    return scope
  }

  function healthOf(what: string): (problem: string | undefined) => void {
    return (problem) =>
      options.onHealth(
        problem === undefined
          ? { healthy: true, message: `Kubernetes: reading ${what} works again` }
          : { healthy: false, message: `Kubernetes: reading ${what} fails: ${problem}` },
      )
  }

  function lastKnown(pools: Readonly<Record<string, Reading>>): Readonly<Record<string, Reading>> {
    const known = Object.entries(pools).map(([pool, reading]) => {
      const isAway = isMissing(reading) && reading.missing === 'backendDown'
      return [pool, isAway ? (inventory[pool] ?? reading) : reading] as const
    })
    inventory = Object.fromEntries(known)
    return inventory
  }

  function lists(): readonly { readonly tried: () => boolean; readonly stop: () => void }[] {
    return [...podLists.values(), ...nodeLists.values()]
  }

  return {
    replicas: (policies) => replicasOf(follow(policies), cluster),
    pools: (policies) => lastKnown(poolsOf(follow(policies), cluster)),
    settled: async (policies, seconds) => {
      follow(policies)
      const until = monotonicSeconds() + seconds
      const tried = () => [scales, ...lists()].every((source) => source.tried())
      while (!tried() && monotonicSeconds() < until) await pause(settleCheckSeconds * 1000)
    },
    stop: () => {
      scales.stop()
      for (const list of lists()) list.stop()
    },
  }
}

/** Starts what is wanted and missing, stops what is no longer wanted. */
function reconcile<T extends { readonly stop: () => void }>(
  running: Map<string, T>,
  wanted: readonly string[],
  start: (key: string) => T,
): void {
  for (const [key, item] of running) {
    if (wanted.includes(key)) continue
    item.stop()
    running.delete(key)
  }
  for (const key of wanted) {
    if (!running.has(key)) running.set(key, start(key))
  }
}
