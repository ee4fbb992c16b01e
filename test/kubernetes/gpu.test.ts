import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { deviceWords, gpuCounts, podGpus, poolOf } from '../../src/kubernetes/gpu.ts'

const nvidia = (product: string, resource = 'nvidia.com/gpu') =>
  deviceWords(resource, { 'nvidia.com/gpu.product': product })

describe('which pool a device belongs to', () => {
  test.each([
    ['NVIDIA-H100-80GB-HBM3', ['a100', 'h100', 'h200'], 'h100'],
    ['NVIDIA-L40S', ['l4', 'l40', 'l40s'], 'l40s'],
    ['NVIDIA-L4', ['l4', 'l40s'], 'l4'],
    ['NVIDIA-H200', ['h20', 'h200'], 'h200'],
    ['NVIDIA-A10G', ['a10', 'a100'], undefined],
    ['NVIDIA-GeForce-RTX-4090', ['rtx4090'], 'rtx4090'],
    ['Tesla-T4', ['T4'], 'T4'],
  ])('%s among %j: %s', (product, pools, pool) => {
    expect(poolOf(nvidia(product), pools)).toBe(pool)
  })

  test('the more precise name takes the device, so that it is not counted twice', () => {
    const pools = ['a100', 'a100-80gb']
    expect(poolOf(nvidia('NVIDIA-A100-SXM4-80GB'), pools)).toBe('a100-80gb')
    expect(poolOf(nvidia('NVIDIA-A100-SXM4-40GB'), pools)).toBe('a100')
  })

  test('a slice of a GPU is no GPU: only a pool that says MIG, or shared, has it', () => {
    const slice = nvidia('NVIDIA-A100-SXM4-40GB', 'nvidia.com/mig-1g.5gb')
    const single = nvidia('NVIDIA-A100-SXM4-40GB-MIG-1g.5gb')
    for (const device of [slice, single]) {
      expect(poolOf(device, ['a100'])).toBeUndefined()
      expect(poolOf(device, ['a100', 'a100-mig-1g.5gb'])).toBe('a100-mig-1g.5gb')
      expect(poolOf(device, ['mig-1g.5gb'])).toBe('mig-1g.5gb')
      expect(poolOf(device, ['mig-2g.10gb'])).toBeUndefined()
    }
    expect(poolOf(nvidia('NVIDIA-A100-SXM4-40GB-SHARED'), ['a100'])).toBeUndefined()
    expect(poolOf(nvidia('NVIDIA-A100-SXM4-40GB-SHARED'), ['a100-shared'])).toBe('a100-shared')
  })

  test('AMD and Gaudi are known by their own labels and resource names', () => {
    const amd = deviceWords('amd.com/gpu', { 'amd.com/gpu.product-name': 'AMD_Instinct_MI300X_OAM' })
    expect(poolOf(amd, ['mi300x', 'h100'])).toBe('mi300x')
    expect(poolOf(deviceWords('habana.ai/gaudi', {}), ['gaudi'])).toBe('gaudi')
  })

  test('clouds name the product where the vendor’s discovery is not installed', () => {
    const gke = deviceWords('nvidia.com/gpu', { 'cloud.google.com/gke-accelerator': 'nvidia-h100-80gb' })
    expect(poolOf(gke, ['h100'])).toBe('h100')
  })

  test('the answer does not depend on the order of the pools, and is one of them', () => {
    const name = fc.constantFrom('a100', 'a100-80gb', '80gb', 'sxm4', 'h100', 'nvidia', 'mig', '')
    fc.assert(
      fc.property(fc.uniqueArray(name), (pools) => {
        const device = nvidia('NVIDIA-A100-SXM4-80GB')
        const pool = poolOf(device, pools)
        expect(poolOf(device, pools.toReversed())).toBe(pool)
        if (pool !== undefined) expect(pools).toContain(pool)
      }),
    )
  })
})

describe('what a pod takes', () => {
  const gpus = (count: number, restartPolicy?: string) => ({
    ...(restartPolicy === undefined ? {} : { restartPolicy }),
    resources: { limits: { 'nvidia.com/gpu': String(count), memory: '64Gi' } },
  })

  test('containers add up; memory and CPU are no GPUs', () => {
    expect(podGpus([gpus(2), gpus(1)], [])).toEqual({ 'nvidia.com/gpu': 3 })
  })

  test('an init container is over before the others start: the larger side counts', () => {
    expect(podGpus([gpus(2)], [gpus(4)])).toEqual({ 'nvidia.com/gpu': 4 })
    expect(podGpus([gpus(2)], [gpus(1)])).toEqual({ 'nvidia.com/gpu': 2 })
  })

  test('a sidecar stays beside the containers and beside later init containers', () => {
    expect(podGpus([gpus(2)], [gpus(1, 'Always')])).toEqual({ 'nvidia.com/gpu': 3 })
    expect(podGpus([gpus(2)], [gpus(1, 'Always'), gpus(4)])).toEqual({ 'nvidia.com/gpu': 5 })
  })

  test('never less than its containers, never more than everything together', () => {
    const container = fc.tuple(fc.nat(8), fc.constantFrom(undefined, 'Always'))
    fc.assert(
      fc.property(fc.array(fc.nat(8)), fc.array(container), (mains, inits) => {
        const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0)
        const taken =
          podGpus(
            mains.map((count) => gpus(count)),
            inits.map(([count, policy]) => gpus(count, policy)),
          )['nvidia.com/gpu'] ?? 0
        expect(taken).toBeGreaterThanOrEqual(sum(mains))
        expect(taken).toBeLessThanOrEqual(sum(mains) + sum(inits.map(([count]) => count)))
      }),
    )
  })

  test('a quantity that is no number counts nothing', () => {
    expect(gpuCounts({ 'nvidia.com/gpu': 'many', 'amd.com/gpu': '8' })).toEqual({ 'amd.com/gpu': 8 })
  })
})
