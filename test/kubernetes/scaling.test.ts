// ScaledObjects and DRA devices through the real client: followed while they change, and done without where the API
// refuses them or does not have them.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type HealthEvent, type ReplicaReader, startReplicaReader } from '../../src/kubernetes/reader.ts'
import { type FakeApi, startFakeApi } from './fakeApi.ts'
import { deployment, gpuNode, policySet, scaledObject } from './objects.ts'
import { eventually, quick } from './waiting.ts'

const id = 'chat/llama/h100'
const target = deployment('llama')
const discovered = policySet([{ name: 'h100', target, pool: 'h100' }], [{ name: 'h100' }])
const stated = policySet([{ name: 'h100', target, pool: 'h100' }], [{ name: 'h100', gpus: 8 }])

let api: FakeApi
let reader: ReplicaReader | undefined
let health: HealthEvent[]

beforeEach(async () => {
  api = await startFakeApi()
  health = []
})

afterEach(async () => {
  reader?.stop()
  await api.close()
})

async function start(policies = stated): Promise<ReplicaReader> {
  reader = startReplicaReader({
    config: api.config,
    onHealth: (event) => health.push(event),
    timing: quick,
  })
  await reader.settled(policies, 5)
  return reader
}

const pausedObject = {
  ...scaledObject('llama'),
  metadata: { name: 'llama', namespace: 'chat', annotations: { 'autoscaling.keda.sh/paused': 'true' } },
}

describe('ScaledObjects', () => {
  test('are watched: a pause is seen when it begins and when it ends', async () => {
    api.put('scaledobjects', scaledObject('llama'))
    const following = await start()
    expect(following.scaling(stated)).toEqual({ pauses: {}, warnings: [] })
    api.put('scaledobjects', pausedObject)
    await eventually(
      () => following.scaling(stated).pauses[id],
      (pause) => pause?.stops === 'all',
    )
    api.remove('scaledobjects', pausedObject)
    await eventually(
      () => following.scaling(stated).warnings.join(),
      (warning) => warning.startsWith('no ScaledObject asks for any variant of chat/llama'),
    )
    expect(following.scaling(stated).pauses).toEqual({})
  })

  test('that may not be read warn of nothing, and that is said once', async () => {
    api.behave({ kind: 'refuse', status: 403, paths: /scaledobjects/ })
    const following = await start()
    expect(following.scaling(stated)).toEqual({ pauses: {}, warnings: [] })
    expect(health.map(({ message }) => message)).toEqual([
      'Kubernetes: reading /apis/keda.sh/v1alpha1/namespaces/chat/scaledobjects fails: HTTP 403',
    ])
  })

  test('are remembered while the API is away', async () => {
    api.put('scaledobjects', pausedObject)
    reader = startReplicaReader({
      config: api.config,
      onHealth: (event) => health.push(event),
      timing: { ...quick, staleAfterSeconds: 0.3 },
    })
    await reader.settled(stated, 5)
    expect(reader.scaling(stated).pauses).toEqual({ [id]: { stops: 'all' } })
    api.behave({ kind: 'down' })
    await eventually(
      () => JSON.stringify(reader?.replicas(stated)[id]),
      (counts) => counts.includes('backendDown'),
    )
    expect(reader.scaling(stated).pauses).toEqual({ [id]: { stops: 'all' } })
  })
})

describe('devices of DRA drivers', () => {
  const offer = {
    metadata: { name: 'n1-gpus' },
    spec: {
      driver: 'gpu.nvidia.com',
      pool: { name: 'n1', generation: 1 },
      nodeName: 'n1',
      devices: ['gpu-0', 'gpu-1'].map((name) => ({
        name,
        attributes: { productName: { string: 'NVIDIA H100 80GB HBM3' } },
      })),
    },
  }
  const taken = {
    metadata: { name: 'training', namespace: 'research' },
    status: {
      allocation: { devices: { results: [{ driver: 'gpu.nvidia.com', pool: 'n1', device: 'gpu-0' }] } },
      reservedFor: [{ resource: 'pods', name: 'training' }],
    },
  }

  beforeEach(() => {
    api.put('nodes', gpuNode('n1', '', {}))
    api.put('resourceslices', offer)
  })

  test.each([
    'v1',
    'v1beta2',
    'v1beta1',
  ])('are read where the API serves %s, and followed', async (version) => {
    api.bodies.set('/apis/resource.k8s.io', { kind: 'APIGroup', versions: [{ version: 'v2' }, { version }] })
    const following = await start(discovered)
    expect(following.pools(discovered)).toEqual({ h100: 2 })
    expect(api.requests.join()).toContain(`/apis/resource.k8s.io/${version}/resourceslices`)
    api.put('resourceclaims', taken)
    await eventually(
      () => following.pools(discovered)['h100'],
      (gpus) => gpus === 1,
    )
    expect(health).toEqual([])
  })

  test('are no failure where the cluster has no such API', async () => {
    const following = await start(discovered)
    expect(following.pools(discovered)['h100']).toMatchObject({ missing: 'noSeries' })
    expect(health).toEqual([])
  })

  test('that may not be read leave those of device plugins, and that is said', async () => {
    api.bodies.set('/apis/resource.k8s.io', { kind: 'APIGroup', versions: [{ version: 'v1' }] })
    api.put('nodes', gpuNode('n2', 'NVIDIA-H100-80GB-HBM3', { 'nvidia.com/gpu': '8' }))
    api.behave({ kind: 'refuse', status: 403, paths: /resource(slices|claims)/ })
    const following = await start(discovered)
    expect(following.pools(discovered)).toEqual({ h100: 8 })
    expect(health.map(({ message }) => message).toSorted()).toEqual([
      'Kubernetes: reading /apis/resource.k8s.io/v1/resourceclaims fails: HTTP 403',
      'Kubernetes: reading /apis/resource.k8s.io/v1/resourceslices fails: HTTP 403',
    ])
  })

  test('that can be read no more leave the last inventory', async () => {
    api.bodies.set('/apis/resource.k8s.io', { kind: 'APIGroup', versions: [{ version: 'v1' }] })
    reader = startReplicaReader({
      config: api.config,
      onHealth: (event) => health.push(event),
      timing: { ...quick, staleAfterSeconds: 0.6 },
    })
    await reader.settled(discovered, 5)
    expect(reader.pools(discovered)).toEqual({ h100: 2 })
    api.behave({ kind: 'refuse', status: 500, paths: /resourceslices/ })
    api.breakWatches({ type: 'ERROR', object: { code: 410 } })
    await eventually(
      () => health.filter(({ healthy }) => !healthy).length,
      (count) => count > 0,
    )
    expect(reader.pools(discovered)).toEqual({ h100: 2 })
  })

  test('are not asked for where every pool has a stated inventory', async () => {
    await start(stated)
    expect(api.requests.join()).not.toContain('resource.k8s.io')
  })
})
