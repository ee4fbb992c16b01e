// Replicas and GPU inventory as Kubernetes sees them, answered from memory: lists are watched and scale targets
// re-read in the background, so that nothing here waits and nothing here can fail a tick.
import { setTimeout as pause } from 'node:timers/promises'
import type { KubeConfig } from '@kubernetes/client-node'
import type { Decision } from '../core/decision.ts'
import type { Pause, ReplicaCounts } from '../core/observation.ts'
import type { PolicySet, VariantId } from '../core/policy.ts'
import { isMissing, missing, type Reading } from '../core/reading.ts'
import { kubernetesApi } from './api.ts'
import { type Cluster, poolsOf, replicasOf } from './cluster.ts'
import { resourceGroupPath } from './dra.ts'
import { type DraLists, startDraLists } from './draLists.ts'
import { startEventWriter } from './eventWriter.ts'
import { type NodeFacts, nodeFacts } from './inventory.ts'
import type { LeasePlace } from './lease.ts'
import { type PodFacts, podFacts } from './pods.ts'
import { type Reflector, startReflector } from './reflector.ts'
import {
  type AskedVariant,
  askedVariants,
  pausesOf,
  type ScaledObjectFacts,
  scaledObjectFacts,
} from './scaledObjects.ts'
import { scaledObjectWarnings } from './scaledObjectWarnings.ts'
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
  /** What the ScaledObjects of these policies say; nothing where they cannot be read. */
  readonly scaling: (policies: PolicySet) => Scaling
  /** Tells of changed targets by Events on their ScaledObjects, where that was asked for. */
  readonly decided: (policies: PolicySet, decision: Decision) => void
  /** Resolves when all that the policies need has been read or refused once; after `seconds` at the latest. */
  readonly settled: (policies: PolicySet, seconds: number) => Promise<void>
  readonly stop: () => void
}

export interface Scaling {
  /** While the API is away, as it was last. */
  readonly pauses: Readonly<Record<VariantId, Pause>>
  /** What in them would keep targets from being reached. */
  readonly warnings: readonly string[]
}

interface ReplicaReaderOptions {
  readonly config: KubeConfig
  /** Told once when something begins to fail, and once when it can be read again. */
  readonly onHealth: (event: HealthEvent) => void
  readonly timing?: Partial<Timing>
  /** Events are to be written: by whom, and on which clock. Absent: nothing is ever written. */
  readonly events?: { readonly place: LeasePlace; readonly now: () => number }
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
  const writer =
    options.events === undefined
      ? undefined
      : startEventWriter({ api, timing, ...options.events, onHealth: eventHealth })
  const scales = startScaleReader({ api, timing, onHealth: healthOf('scale targets') })
  const podLists = new Map<string, Reflector<PodFacts>>()
  const nodeLists = new Map<string, Reflector<NodeFacts>>()
  const draLists = new Map<string, DraLists>()
  const scaledObjectLists = new Map<string, Reflector<ScaledObjectFacts>>()
  let inventory: Readonly<Record<string, Reading>> = {}
  let scaling: Scaling = { pauses: {}, warnings: [] }
  const cluster: Cluster = {
    pods: (path) => podLists.get(path)?.read() ?? missing('backendDown'),
    nodes: (path) => nodeLists.get(path)?.read() ?? missing('backendDown'),
    dra: () => draLists.get(resourceGroupPath)?.read() ?? missing('backendDown'),
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
    reconcile(draLists, scope.nodePaths.length > 0 ? [resourceGroupPath] : [], () =>
      startDraLists({ api, timing, onHealth: healthOf }),
    )
    reconcile(scaledObjectLists, scope.scaledObjectPaths, (path) =>
      startReflector({
        api,
        path,
        kind: 'ScaledObjectList',
        query: {},
        facts: scaledObjectFacts,
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

  function eventHealth(problem: string | undefined): void {
    options.onHealth(
      problem === undefined
        ? { healthy: true, message: 'Kubernetes: writing Events works again' }
        : { healthy: false, message: `Kubernetes: writing Events fails: ${problem}` },
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

  function asked(policies: PolicySet): Reading<readonly AskedVariant[]> {
    follow(policies)
    const objects: ScaledObjectFacts[] = []
    for (const list of scaledObjectLists.values()) {
      const known = list.read()
      if (isMissing(known)) return known
      objects.push(...known)
    }
    return askedVariants(objects, policies)
  }

  function lists(): readonly { readonly tried: () => boolean; readonly stop: () => void }[] {
    return [podLists, nodeLists, draLists, scaledObjectLists].flatMap((some) => [...some.values()])
  }

  return {
    replicas: (policies) => replicasOf(follow(policies), cluster),
    pools: (policies) => lastKnown(poolsOf(follow(policies), cluster)),
    scaling: (policies) => {
      const found = asked(policies)
      if (!isMissing(found))
        scaling = { pauses: pausesOf(found), warnings: scaledObjectWarnings(found, policies) }
      return scaling
    },
    settled: async (policies, seconds) => {
      follow(policies)
      const until = monotonicSeconds() + seconds
      const tried = () => [scales, ...lists()].every((source) => source.tried())
      while (!tried() && monotonicSeconds() < until) await pause(settleCheckSeconds * 1000)
    },
    decided: (policies, decision) => {
      const found = writer === undefined ? [] : asked(policies)
      writer?.decided(decision, isMissing(found) ? [] : found)
    },
    stop: () => {
      writer?.stop()
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
