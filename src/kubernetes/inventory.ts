// How many GPUs of each pool the fleet may use: what the nodes can give, less what other workloads hold.
//   open node:    allocatable - held by foreign pods
//   closed node:  held by our pods (cordoned, or about to go: nothing new starts there, what runs still counts)
//   dead node:    nothing
import { missing, type Reading } from '../core/reading.ts'
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

/** Undefined for nodes without GPUs. */
export function nodeFacts(node: Node): NodeFacts | undefined {
  const { metadata = {}, status = {} } = node
  const devices = Object.entries(gpuCounts(status.allocatable)).map(([resource, allocatable]) => ({
    resource,
    words: deviceWords(resource, metadata.labels),
    allocatable,
  }))
  if (devices.length === 0) return undefined
  return { name: metadata.name ?? '', state: stateOf(node), devices }
}

/**
 * GPUs per discovered pool. All pools' names are needed, so that a device of a pool with a stated inventory is
 * not counted for another. A pool that no node's GPUs match is missing, not empty: nothing is known of it.
 */
export function poolInventory(
  nodes: Iterable<NodeFacts>,
  pods: Iterable<PodFacts>,
  own: ReadonlySet<PodFacts>,
  pools: { readonly all: readonly string[]; readonly discovered: readonly string[] },
): Readonly<Record<string, Reading>> {
  const held = heldGpus(pods, own)
  const poolOfProduct = new Map<string, string | undefined>()
  const found = new Map<string, number>()
  for (const node of nodes) {
    for (const device of node.devices) {
      const product = device.words.join(' ')
      if (!poolOfProduct.has(product)) poolOfProduct.set(product, poolOf(device.words, pools.all))
      const pool = poolOfProduct.get(product)
      if (pool === undefined) continue
      found.set(pool, (found.get(pool) ?? 0) + usable(node.state, device, held.get(node.name)))
    }
  }
  return Object.fromEntries(
    pools.discovered.map((pool) => [
      pool,
      found.get(pool) ?? missing('noSeries', `no node has GPUs whose product matches pool ${pool}`),
    ]),
  )
}

interface Held {
  readonly own: Map<string, number>
  readonly foreign: Map<string, number>
}

function usable(state: NodeFacts['state'], device: Device, held: Held | undefined): number {
  switch (state) {
    case 'open':
      return Math.max(0, device.allocatable - (held?.foreign.get(device.resource) ?? 0))
    case 'closed':
      return Math.min(device.allocatable, held?.own.get(device.resource) ?? 0)
    case 'dead':
      return 0
  }
}

function heldGpus(pods: Iterable<PodFacts>, own: ReadonlySet<PodFacts>): ReadonlyMap<string, Held> {
  const held = new Map<string, Held>()
  for (const pod of pods) {
    if (pod.node === undefined) continue
    const onNode = held.get(pod.node) ?? { own: new Map(), foreign: new Map() }
    held.set(pod.node, onNode)
    const side = own.has(pod) ? onNode.own : onNode.foreign
    for (const [resource, count] of Object.entries(pod.gpus)) {
      side.set(resource, (side.get(resource) ?? 0) + count)
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
