// GPUs of Dynamic Resource Allocation: slices and claims as the drivers of NVIDIA, AMD and Intel write them.
import { describe, expect, test } from 'vitest'
import { claimFacts, draDevices, sliceFacts } from '../../src/kubernetes/dra.ts'
import { nodeFacts, poolInventory } from '../../src/kubernetes/inventory.ts'
import type { Node, ResourceClaim, ResourceSlice, SliceDevice } from '../../src/kubernetes/objects.ts'
import { podFacts } from '../../src/kubernetes/pods.ts'
import { deploymentPod, gpuNode, pod } from './objects.ts'

const driver = 'gpu.nvidia.com'
const product = 'NVIDIA H100 80GB HBM3'
const plain = (name: string, change: Node = {}) => gpuNode(name, '', {}, change)

function gpu(
  name: string,
  attributes: Readonly<Record<string, string>> = { type: 'gpu', productName: product },
) {
  return {
    name,
    attributes: Object.fromEntries(Object.entries(attributes).map(([key, string]) => [key, { string }])),
  }
}

function slice(node: string, devices: readonly SliceDevice[], generation = 1, of = driver): ResourceSlice {
  return { spec: { driver: of, pool: { name: node, generation }, nodeName: node, devices } }
}

function claim(node: string, device: string, pods: readonly string[], change: object = {}): ResourceClaim {
  return {
    metadata: { namespace: 'chat', name: `claim-${device}` },
    status: {
      allocation: { devices: { results: [{ driver, pool: node, device, ...change }] } },
      reservedFor: pods.map((name) => ({ resource: 'pods', name })),
    },
  }
}

const eight = Array.from({ length: 8 }, (_, i) => gpu(`gpu-${i}`))

/** GPUs by pool, with these pods of ours. */
function inventory(
  nodes: readonly Node[],
  slices: readonly ResourceSlice[],
  claims: readonly ResourceClaim[] = [],
  own: readonly ReturnType<typeof deploymentPod>[] = [],
  pools = ['h100'],
) {
  const ours = own.map(podFacts).filter((fact) => fact !== undefined)
  const names = new Set(ours.map(({ namespace, name }) => `${namespace}/${name}`))
  const devices = draDevices(
    slices.flatMap((one) => sliceFacts(one) ?? []),
    claims.flatMap((one) => claimFacts(one) ?? []),
    (namespace, name) => names.has(`${namespace}/${name}`),
  )
  return poolInventory(nodes.map(nodeFacts), ours, new Set(ours), { all: pools, discovered: pools }, devices)
}

describe('GPUs that a DRA driver offers', () => {
  test('are counted by product, less those claimed for pods of others', () => {
    const ours = deploymentPod('llama', 'a')
    const claims = [
      claim('n1', 'gpu-0', [ours.metadata?.name ?? '']),
      claim('n1', 'gpu-1', ['training']),
      claim('n1', 'gpu-2', []), // nobody's yet: who comes next is not known
    ]
    expect(inventory([plain('n1')], [slice('n1', eight)], claims, [ours])).toEqual({ h100: 6 })
  })

  test('are there once, where a device plugin offers the same', () => {
    const both = gpuNode('n1', 'NVIDIA-H100-80GB-HBM3', { 'nvidia.com/gpu': '8' })
    expect(inventory([both], [slice('n1', eight)])).toEqual({ h100: 8 })
    const pods = [pod('notebook', { node: 'n1', gpus: { 'nvidia.com/gpu': '2' } })]
    const devices = draDevices(
      [sliceFacts(slice('n1', eight))].flatMap((one) => one ?? []),
      [claimFacts(claim('n1', 'gpu-7', ['training']))].flatMap((one) => one ?? []),
      () => false,
    )
    const foreign = pods.flatMap((one) => podFacts(one) ?? [])
    const pools = { all: ['h100'], discovered: ['h100'] }
    expect(poolInventory([nodeFacts(both)], foreign, new Set(), pools, devices)).toEqual({ h100: 5 })
  })

  test('of a cordoned node count as far as we hold them, of a dead one not at all', () => {
    const ours = deploymentPod('llama', 'a')
    const claims = [claim('n1', 'gpu-0', [ours.metadata?.name ?? '']), claim('n1', 'gpu-1', ['training'])]
    const cordoned = plain('n1', { spec: { unschedulable: true } })
    expect(inventory([cordoned], [slice('n1', eight)], claims, [ours])).toEqual({ h100: 1 })
    const dead = plain('n1', { status: { conditions: [{ type: 'Ready', status: 'False' }] } })
    expect(inventory([dead], [slice('n1', eight)], claims, [ours])).toEqual({ h100: 0 })
    expect(inventory([], [slice('gone', eight)])).toMatchObject({ h100: { missing: 'noSeries' } })
  })

  test('are read in every version of the API, with and without the driver’s domain', () => {
    const old = { name: 'gpu-0', basic: { attributes: { productName: { string: product } } } }
    const qualified = gpu('gpu-1', { 'gpu.nvidia.com/productName': product, 'gpu.nvidia.com/type': 'gpu' })
    expect(inventory([plain('n1')], [slice('n1', [old, qualified])])).toEqual({ h100: 2 })
  })

  test('of AMD and Intel are theirs, MIG slices only those of pools that say so', () => {
    const slices = [
      slice('n1', [gpu('a', { productName: 'AMD_Instinct_MI300X_OAM' })], 1, 'gpu.amd.com'),
      slice('n1', [gpu('b', { model: 'Gaudi2' })], 1, 'gaudi.intel.com'),
      slice('n1', [gpu('c', { type: 'mig', productName: product, profile: '1g.10gb' }), gpu('d')]),
    ]
    const pools = ['mi300x', 'gaudi2', 'h100', 'h100-mig-1g.10gb']
    expect(inventory([plain('n1')], slices, [], [], pools)).toEqual({
      mi300x: 1,
      gaudi2: 1,
      h100: 1,
      'h100-mig-1g.10gb': 1,
    })
  })

  test('of an older generation, tainted, without a product or without a node are not there', () => {
    const tainted = { ...gpu('gpu-8'), taints: [{ effect: 'NoSchedule' }] }
    const channel = gpu('channel-0', { type: 'channel' })
    expect(sliceFacts(slice('n1', [channel]))).toBeUndefined()
    expect(sliceFacts({ spec: { driver, devices: [gpu('x')] } })).toBeUndefined()
    expect(
      inventory([plain('n1')], [slice('n1', eight, 1), slice('n1', [gpu('gpu-0'), tainted, channel], 2)]),
    ).toEqual({ h100: 1 })
  })

  test('looked at by an administrator are not taken', () => {
    expect(claimFacts(claim('n1', 'gpu-0', ['dcgm'], { adminAccess: true }))).toBeUndefined()
    expect(claimFacts({ metadata: { name: 'pending' } })).toBeUndefined()
  })
})
