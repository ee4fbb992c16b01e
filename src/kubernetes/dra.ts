// GPUs handed out by Dynamic Resource Allocation: drivers list devices in ResourceSlices, claims say which are taken and
// by which pods. Beside the resources of device plugins they are one more way to the same GPUs (inventory.ts).
// Not seen: devices that several nodes reach, and how much of a GPU its partitions leave.
import { attributeWords } from './gpu.ts'
import type { DeviceDetails, ResourceClaim, ResourceSlice, SliceDevice } from './objects.ts'

/** Newest first: the reader takes the first that the API serves. */
export const resourceVersions = ['v1', 'v1beta2', 'v1beta1'] as const
export const resourceGroupPath = '/apis/resource.k8s.io'

export interface SliceFacts {
  readonly driver: string
  readonly pool: string
  /** A driver that changes its devices writes a new generation; slices of an older one are about to go. */
  readonly generation: number
  readonly node: string
  readonly devices: readonly { readonly name: string; readonly words: readonly string[] }[]
}

export interface ClaimFacts {
  readonly namespace: string
  /** Names of devices as `deviceKey` gives them. */
  readonly devices: readonly string[]
  /** Names of the pods that it is reserved for. */
  readonly pods: readonly string[]
}

/** A device of a node, and who holds it. */
export interface DraDevice {
  readonly node: string
  readonly words: readonly string[]
  readonly heldBy: 'nobody' | 'own' | 'foreign'
}

/** Undefined for slices without GPUs, and for devices that belong to no single node. */
export function sliceFacts({ spec = {} }: ResourceSlice): SliceFacts | undefined {
  const devices = (spec.devices ?? []).flatMap((device) => {
    const words = wordsOf(device)
    return words.length === 0 || isTainted(device) ? [] : [{ name: device.name ?? '', words }]
  })
  if (spec.nodeName === undefined || devices.length === 0) return undefined
  return {
    driver: spec.driver ?? '',
    pool: spec.pool?.name ?? '',
    generation: spec.pool?.generation ?? 0,
    node: spec.nodeName,
    devices,
  }
}

/** Undefined for claims that hold nothing. */
export function claimFacts({ metadata = {}, status = {} }: ResourceClaim): ClaimFacts | undefined {
  const results = (status.allocation?.devices?.results ?? []).filter(
    ({ adminAccess }) => adminAccess !== true,
  )
  if (results.length === 0) return undefined
  return {
    namespace: metadata.namespace ?? '',
    devices: results.map(({ driver = '', pool = '', device = '' }) => deviceKey(driver, pool, device)),
    pods: (status.reservedFor ?? []).flatMap(({ resource, name }) =>
      resource === 'pods' && name !== undefined ? [name] : [],
    ),
  }
}

/** `isOwn` tells whether a pod is one of a variant's. A claim held for nobody is not ours: others may wait for it. */
export function draDevices(
  slices: readonly SliceFacts[],
  claims: readonly ClaimFacts[],
  isOwn: (namespace: string, pod: string) => boolean,
): readonly DraDevice[] {
  const holders = new Map<string, 'own' | 'foreign'>()
  for (const { namespace, devices, pods } of claims) {
    const own = pods.length > 0 && pods.every((pod) => isOwn(namespace, pod))
    for (const device of devices) {
      if (holders.get(device) !== 'foreign') holders.set(device, own ? 'own' : 'foreign')
    }
  }
  const newest = new Map<string, number>()
  for (const { driver, pool, generation } of slices) {
    const key = `${driver}/${pool}`
    newest.set(key, Math.max(generation, newest.get(key) ?? generation))
  }
  return slices
    .filter(({ driver, pool, generation }) => newest.get(`${driver}/${pool}`) === generation)
    .flatMap(({ driver, pool, node, devices }) =>
      devices.map(({ name, words }) => ({
        node,
        words,
        heldBy: holders.get(deviceKey(driver, pool, name)) ?? ('nobody' as const),
      })),
    )
}

function deviceKey(driver: string, pool: string, device: string): string {
  return `${driver}/${pool}/${device}`
}

/** Attributes may carry the driver's domain: `gpu.nvidia.com/productName`. */
function wordsOf(device: SliceDevice): readonly string[] {
  const attributes: Record<string, string> = {}
  for (const [name, value] of Object.entries(detailsOf(device).attributes ?? {})) {
    if (value.string !== undefined) attributes[name.slice(name.indexOf('/') + 1)] = value.string
  }
  return attributeWords(attributes)
}

function isTainted(device: SliceDevice): boolean {
  const effects = detailsOf(device).taints?.map(({ effect }) => effect) ?? []
  return effects.includes('NoSchedule') || effects.includes('NoExecute')
}

function detailsOf(device: SliceDevice): DeviceDetails {
  return device.basic ?? device
}
