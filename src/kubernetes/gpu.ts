// Which GPUs a node offers and a pod takes, and which pool they belong to. A device is known by words: those of
// its product label and of its MIG profile; a pool's name is matched against them word by word, so that `l4` is
// not `l40s` and `h20` is not `h200`.
import type { Container, Quantities } from './objects.ts'

/** Whole GPUs and MIG slices, by resource name. */
export type GpuCounts = Readonly<Record<string, number>>

const gpuResource = /^(nvidia\.com\/gpu|nvidia\.com\/mig-[^/]+|amd\.com\/gpu|habana\.ai\/gaudi)$/

/** Best first: what the vendors' discovery writes, then what clouds and provisioners write without it. */
const productLabels = [
  'nvidia.com/gpu.product',
  'amd.com/gpu.product-name',
  'cloud.google.com/gke-accelerator',
  'karpenter.k8s.aws/instance-gpu-name',
]

/** What DRA drivers call the product, without the driver's domain: NVIDIA's and AMD's, then Intel's for Gaudi. */
const productAttributes = ['productName', 'model']

/** A part of a GPU is not a GPU: it is matched by pools that say so only. */
const partWords = ['mig', 'shared']

/** The GPU entries of a resource list. */
export function gpuCounts(quantities: Quantities | undefined): GpuCounts {
  const counts: Record<string, number> = {}
  for (const [resource, quantity] of Object.entries(quantities ?? {})) {
    const count = Number(quantity)
    if (gpuResource.test(resource) && count > 0) counts[resource] = count
  }
  return counts
}

/**
 * GPUs that the scheduler sets aside for a pod: containers and sidecars together, or the largest init container
 * with the sidecars started before it, whichever is more. Extended resources have limit = request.
 */
export function podGpus(
  containers: readonly Container[] | undefined,
  initContainers: readonly Container[] | undefined,
): GpuCounts {
  const sidecars: Record<string, number> = {}
  const most: Record<string, number> = {}
  for (const container of initContainers ?? []) {
    for (const [resource, count] of Object.entries(containerGpus(container))) {
      const total = (sidecars[resource] ?? 0) + count
      if (container.restartPolicy === 'Always') sidecars[resource] = total
      most[resource] = Math.max(most[resource] ?? 0, total)
    }
  }
  const together = { ...sidecars }
  for (const container of containers ?? []) {
    for (const [resource, count] of Object.entries(containerGpus(container))) {
      together[resource] = (together[resource] ?? 0) + count
    }
  }
  for (const [resource, count] of Object.entries(together)) {
    most[resource] = Math.max(most[resource] ?? 0, count)
  }
  return most
}

/** `NVIDIA-A100-SXM4-40GB` with `nvidia.com/mig-1g.5gb`: nvidia a100 sxm4 40gb mig 1g 5gb. */
export function deviceWords(
  resource: string,
  labels: Readonly<Record<string, string>> | undefined,
): readonly string[] {
  const product = productLabels.map((label) => labels?.[label]).find((value) => value !== undefined)
  const profile = resource.slice(resource.indexOf('/') + 1)
  return [...words(product ?? ''), ...words(profile)]
}

/** Of a device that a DRA driver offers: its product and, for a part of a GPU, its profile. Empty: not a GPU. */
export function attributeWords(attributes: Readonly<Record<string, string>>): readonly string[] {
  const product = productAttributes.map((name) => attributes[name]).find((value) => value !== undefined)
  if (product === undefined) return []
  const part = (attributes['type'] ?? '').includes('mig')
    ? ['mig', ...words(attributes['profile'] ?? '')]
    : []
  return [...words(product), ...part]
}

/**
 * The pool that a device belongs to: every word of the pool's name is among the device's (or made of
 * neighbouring ones: `rtx4090` fits RTX-4090). The name with most words wins, so that no device counts twice.
 */
export function poolOf(device: readonly string[], pools: readonly string[]): string | undefined {
  const fitting = pools.filter((pool) => fits(words(pool), device))
  return fitting.toSorted((a, b) => words(b).length - words(a).length || (a < b ? -1 : 1))[0]
}

function fits(pool: readonly string[], device: readonly string[]): boolean {
  if (pool.length === 0) return false
  if (partWords.some((part) => device.includes(part) !== pool.includes(part))) return false
  const runs = neighbours(device)
  return pool.every((word) => runs.has(word))
}

function neighbours(device: readonly string[]): ReadonlySet<string> {
  const runs = new Set<string>()
  for (let from = 0; from < device.length; from++) {
    for (let to = from + 1; to <= device.length; to++) runs.add(device.slice(from, to).join(''))
  }
  return runs
}

function words(text: string): readonly string[] {
  return text
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '')
}

function containerGpus(container: Container): GpuCounts {
  return gpuCounts({ ...container.resources?.requests, ...container.resources?.limits })
}
