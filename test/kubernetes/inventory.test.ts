import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { missing } from '../../src/core/reading.ts'
import { nodeFacts, poolInventory } from '../../src/kubernetes/inventory.ts'
import type { Node, Pod } from '../../src/kubernetes/objects.ts'
import { podFacts } from '../../src/kubernetes/pods.ts'
import { deploymentPod, gpuNode, pod } from './objects.ts'

const h100 = 'NVIDIA-H100-80GB-HBM3'
const eight = { 'nvidia.com/gpu': '8' }
const holds = (count: number, node: string) => ({ node, gpus: { 'nvidia.com/gpu': String(count) } })

/** GPUs of pool h100 (and others asked for), with these pods being ours. */
function inventory(nodes: readonly Node[], own: readonly Pod[], foreign: readonly Pod[], pools = ['h100']) {
  const ours = own.map(podFacts).filter((fact) => fact !== undefined)
  const others = foreign.map(podFacts).filter((fact) => fact !== undefined)
  const found = nodes.map(nodeFacts).filter((fact) => fact !== undefined)
  return poolInventory(found, [...ours, ...others], new Set(ours), { all: pools, discovered: pools })
}

describe('GPUs that the fleet may use', () => {
  test('what nodes can give, less what foreign pods hold; our own pods take nothing off', () => {
    const nodes = [gpuNode('n1', h100, eight), gpuNode('n2', h100, eight)]
    const own = [deploymentPod('llama', 'a', holds(4, 'n1'))]
    const foreign = [pod('notebook', holds(1, 'n1')), pod('done', { ...holds(8, 'n2'), phase: 'Succeeded' })]
    expect(inventory(nodes, own, foreign)).toEqual({ h100: 15 })
  })

  test('a foreign pod that waits for a node holds nothing yet', () => {
    const waiting = pod('training', { gpus: { 'nvidia.com/gpu': '8' }, ready: false })
    expect(inventory([gpuNode('n1', h100, eight)], [], [waiting])).toEqual({ h100: 8 })
  })

  test('a cordoned node keeps what we run there and takes nothing new', () => {
    const cordoned = gpuNode('n1', h100, eight, { spec: { unschedulable: true } })
    const own = [deploymentPod('llama', 'a', holds(4, 'n1'))]
    expect(inventory([cordoned], own, [])).toEqual({ h100: 4 })
    expect(inventory([cordoned], [], [pod('x', holds(4, 'n1'))])).toEqual({ h100: 0 })
  })

  test('a node that a provisioner is about to remove is as good as cordoned', () => {
    const leaving = gpuNode('n1', h100, eight, { spec: { taints: [{ key: 'karpenter.sh/disrupted' }] } })
    const tainted = gpuNode('n2', h100, eight, { spec: { taints: [{ key: 'nvidia.com/gpu' }] } })
    expect(inventory([leaving, tainted], [], [])).toEqual({ h100: 8 })
  })

  test('a node that is not ready gives nothing, whoever holds it', () => {
    const dead = gpuNode('n1', h100, eight, {
      status: { allocatable: eight, conditions: [{ type: 'Ready', status: 'Unknown' }] },
    })
    expect(inventory([dead], [deploymentPod('llama', 'a', holds(4, 'n1'))], [])).toEqual({ h100: 0 })
  })

  test('MIG slices, whole GPUs and other vendors are separate pools, also on one node', () => {
    const mixed = gpuNode('n1', 'NVIDIA-A100-SXM4-40GB', {
      'nvidia.com/gpu': '6',
      'nvidia.com/mig-1g.5gb': '14',
      cpu: '128',
    })
    const amd = {
      metadata: { name: 'n2', labels: { 'amd.com/gpu.product-name': 'AMD_Instinct_MI300X_OAM' } },
      status: { allocatable: { 'amd.com/gpu': '8' }, conditions: [{ type: 'Ready', status: 'True' }] },
    }
    const gaudi = {
      metadata: { name: 'n3' },
      status: { allocatable: { 'habana.ai/gaudi': '8' }, conditions: [{ type: 'Ready', status: 'True' }] },
    }
    const slice = pod('x', { node: 'n1', gpus: { 'nvidia.com/mig-1g.5gb': '4' } })
    const pools = ['a100', 'a100-mig-1g.5gb', 'mi300x', 'gaudi']
    expect(inventory([mixed, amd, gaudi], [], [slice], pools)).toEqual({
      a100: 6,
      'a100-mig-1g.5gb': 10,
      mi300x: 8,
      gaudi: 8,
    })
  })

  test('a pool that no node matches is missing, not empty: its nodes may be scaled to zero', () => {
    const why = 'no node has GPUs whose product matches pool b200'
    expect(inventory([gpuNode('n1', h100, eight)], [], [], ['b200'])).toEqual({
      b200: missing('noSeries', why),
    })
  })

  test('a device of a pool with a stated inventory is not counted for another', () => {
    const node = nodeFacts(gpuNode('n1', 'NVIDIA-H100-NVL', eight))
    const pools = { all: ['h100', 'h100-nvl'], discovered: ['h100'] }
    expect(poolInventory(node === undefined ? [] : [node], [], new Set(), pools)).toHaveProperty(
      'h100.missing',
    )
  })

  test('never negative, never more than allocatable, and less when others hold more', () => {
    const held = fc.array(fc.record({ gpus: fc.nat(6), node: fc.constantFrom('n1', 'n2', 'gone') }))
    fc.assert(
      fc.property(held, fc.nat(6), (foreign, more) => {
        const nodes = [gpuNode('n1', h100, eight), gpuNode('n2', h100, eight)]
        const pods = foreign.map(({ gpus, node }, i) => pod(`f${i}`, holds(gpus, node)))
        const before = Number(inventory(nodes, [], pods)['h100'])
        const after = Number(inventory(nodes, [], [...pods, pod('more', holds(more, 'n1'))])['h100'])
        expect(before).toBeGreaterThanOrEqual(0)
        expect(before).toBeLessThanOrEqual(16)
        expect(after).toBeLessThanOrEqual(before)
      }),
    )
  })
})
