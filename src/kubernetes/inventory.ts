// How many GPUs of each pool the fleet may use: what the nodes can give, less what other workloads hold.
//   open node:    allocatable - held by foreign pods
//   closed node:  held by our pods (cordoned, or about to go: nothing new starts there, what runs still counts)
//   dead node:    nothing
import { missing, type Reading } from '../core/reading.ts'
import type { DraDevice } from './dra.ts'
import { deviceWords, gpuCounts, poolOf } from './gpu.ts'
import { condition, type Node } from './objects.ts'
import type { PodFacts } from './pods.ts'

export interface NodeFacts {
  readonly name: string
  readonly state: 'open' | 'closed' | 'dead'
  readonly devices: readonly Device[]
}

export interface Device {
  readonly resource: string
  readonly words: readonly string[]
  readonly allocatable: number
}

/** Taints by which a provisioner announces that it takes the node away. */
const leavingTaints = ['ToBeDeletedByClusterAutoscaler', 'karpenter.sh/disrupted', 'karpenter.sh/disruption']

export function nodeFacts(node: Node): NodeFacts {
  const { metadata = {}, status = {} } = node
  const devices = Object.entries(gpuCounts(status.allocatable)).map(([resource, allocatable]) => ({
    resource,
    words: deviceWords(resource, metadata.labels),
    allocatable,
  }))
  return { name: metadata.name ?? '', state: stateOf(node), devices }
}

/** All pools, and those whose inventory is to be discovered from nodes. */
export interface PoolNames {
  readonly all: readonly string[]
  readonly discovered: readonly string[]
}

/**
 * GPUs per discovered pool. All pools' names are needed, so that a device of a pool with a stated inventory is
 * not counted for another. A pool that no node's GPUs match is missing, not empty: nothing is known of it.
 */
export function poolInventory(
  nodes: Iterable<NodeFacts>,
  pods: Iterable<PodFacts>,
  own: ReadonlySet<PodFacts>,
  pools: PoolNames,
  dra: readonly DraDevice[] = [],
): Readonly<Record<string, Reading>> {
  const held = heldGpus(pods, own)
  const poolFor = poolFinder(pools.all)
  const claimed = Map.groupBy(dra, ({ node }) => node)
  const found = new Map<string, number>()
  for (const { name, state, devices } of nodes) {
    const here = new Map<string, PoolOnNode>()
    for (const { resource, words, allocatable } of devices) {
      const { own: ours = 0, foreign = 0 } = held.get(name)?.get(resource) ?? {}
      add(here, poolFor(words), { plugin: allocatable, dra: 0, own: ours, foreign })
    }
    for (const { words, heldBy } of claimed.get(name) ?? []) {
      const ours = heldBy === 'own' ? 1 : 0
      const foreign = heldBy === 'foreign' ? 1 : 0
      add(here, poolFor(words), { plugin: 0, dra: 1, own: ours, foreign })
    }
    for (const [pool, gpus] of here) found.set(pool, (found.get(pool) ?? 0) + usable(state, gpus))
  }
  return Object.fromEntries(
    pools.discovered.map((pool) => [
      pool,
      found.get(pool) ?? missing('noSeries', `no node has GPUs whose product matches pool ${pool}`),
    ]),
  )
}

/** A pool's GPUs on one node, by who offers them and who holds them. */
interface PoolOnNode {
  readonly plugin: number
  readonly dra: number
  readonly own: number
  readonly foreign: number
}

/** What device plugin and DRA driver both offer is there once: the same GPUs, seen from two sides. */
function usable(state: NodeFacts['state'], { plugin, dra, own, foreign }: PoolOnNode): number {
  const allocatable = Math.max(plugin, dra)
  switch (state) {
    case 'open':
      return Math.max(0, allocatable - foreign)
    case 'closed':
      return Math.min(allocatable, own)
    case 'dead':
      return 0
  }
}

function add(pools: Map<string, PoolOnNode>, pool: string | undefined, more: PoolOnNode): void {
  if (pool === undefined) return
  const { plugin, dra, own, foreign } = pools.get(pool) ?? { plugin: 0, dra: 0, own: 0, foreign: 0 }
  pools.set(pool, {
    plugin: plugin + more.plugin,
    dra: dra + more.dra,
    own: own + more.own,
    foreign: foreign + more.foreign,
  })
}

/** A cluster has few products and many devices. */
function poolFinder(pools: readonly string[]): (words: readonly string[]) => string | undefined {
  const known = new Map<string, string | undefined>()
  return (words) => {
    const product = words.join(' ')
    if (!known.has(product)) known.set(product, poolOf(words, pools))
    return known.get(product)
  }
}

type HeldByResource = Map<string, { own: number; foreign: number }>

function heldGpus(pods: Iterable<PodFacts>, own: ReadonlySet<PodFacts>): ReadonlyMap<string, HeldByResource> {
  const held = new Map<string, HeldByResource>()
  for (const pod of pods) {
    if (pod.node === undefined) continue
    const onNode: HeldByResource = held.get(pod.node) ?? new Map()
    held.set(pod.node, onNode)
    for (const [resource, count] of Object.entries(pod.gpus)) {
      const both = onNode.get(resource) ?? { own: 0, foreign: 0 }
      onNode.set(resource, both)
      both[own.has(pod) ? 'own' : 'foreign'] += count
    }
  }
  return held
}

function stateOf(node: Node): NodeFacts['state'] {
  const { metadata = {}, spec = {}, status = {} } = node
  if (condition(status.conditions, 'Ready')?.status !== 'True') return 'dead'
  const leaving = spec.taints?.some((taint) => leavingTaints.includes(taint.key)) ?? false
  return spec.unschedulable === true || leaving || metadata.deletionTimestamp !== undefined
    ? 'closed'
    : 'open'
}
