// The reader with the real client against a fake API over loopback: what it answers while the API fails.
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isMissing } from '../../src/core/reading.ts'
import { type HealthEvent, type ReplicaReader, startReplicaReader } from '../../src/kubernetes/reader.ts'
import type { Timing } from '../../src/kubernetes/timing.ts'
import { type FakeApi, startFakeApi } from './fakeApi.ts'
import { deployment, deploymentPod, gpuNode, pod, policySet } from './objects.ts'
import { eventually, quick } from './waiting.ts'

const id = 'chat/llama/h100'
const target = deployment('llama')
const scalePath = '/apis/apps/v1/namespaces/chat/deployments/llama/scale'
const stated = policySet([{ name: 'h100', target, pool: 'h100' }], [{ name: 'h100', gpus: 16 }])
const discovered = policySet([{ name: 'h100', target, pool: 'h100' }], [{ name: 'h100' }])

let api: FakeApi
let reader: ReplicaReader | undefined
let health: HealthEvent[]

beforeEach(async () => {
  api = await startFakeApi()
  health = []
  api.bodies.set(scalePath, { kind: 'Scale', spec: { replicas: 2 }, status: { selector: 'app=vllm' } })
  api.put('pods', deploymentPod('llama', 'a'))
  api.put('pods', deploymentPod('llama', 'b', { ready: false }))
})

afterEach(async () => {
  reader?.stop()
  await api.close()
})

async function start(timing: Partial<Timing> = {}, policies = stated): Promise<ReplicaReader> {
  reader = startReplicaReader({
    config: api.config,
    onHealth: (event) => health.push(event),
    timing: { ...quick, ...timing },
  })
  await reader.settled(policies, 5)
  return reader
}

const ready = (from: ReplicaReader, policies = stated) => {
  const counts = from.replicas(policies)[id]
  return counts === undefined || isMissing(counts) ? undefined : counts.ready
}

describe('with an API that works', () => {
  test('counts come from the scale subresource and the pods, and follow them', async () => {
    const following = await start()
    expect(following.replicas(stated)[id]).toMatchObject({
      desired: 2,
      ready: 1,
      starting: 1,
      terminating: 0,
    })
    api.put('pods', deploymentPod('llama', 'b'))
    await eventually(
      () => ready(following),
      (count) => count === 2,
    )
    api.remove('pods', deploymentPod('llama', 'a'))
    await eventually(
      () => ready(following),
      (count) => count === 1,
    )
    api.bodies.set(scalePath, { kind: 'Scale', spec: {}, status: { selector: 'app=vllm' } })
    await eventually(
      () => following.replicas(stated)[id],
      (counts) => JSON.stringify(counts).includes('"desired":0'),
    )
    expect(health).toEqual([])
  })

  test('with a stated inventory, only the policy’s namespace is read, and no nodes', async () => {
    const following = await start()
    api.put('pods', deploymentPod('llama', 'z', { namespace: 'elsewhere' }))
    expect(following.pools(stated)).toEqual({})
    const paths = api.requests.map((request) => request.replace(/\?.*/, ''))
    expect(new Set(paths)).toEqual(
      new Set([
        '/apis/apps/v1',
        scalePath,
        '/api/v1/namespaces/chat/pods',
        '/apis/keda.sh/v1alpha1/namespaces/chat/scaledobjects',
      ]),
    )
    expect(api.requests.filter((request) => request.includes('/pods')).join()).not.toContain('limit=0')
  })

  test('without one, GPUs are discovered from nodes, less those of foreign pods', async () => {
    api.put('nodes', gpuNode('n1', 'NVIDIA-H100-80GB-HBM3', { 'nvidia.com/gpu': '8' }))
    const gpus = { node: 'n1', gpus: { 'nvidia.com/gpu': '2' } }
    api.put('pods', pod('notebook', { namespace: 'research', ...gpus }))
    api.put('pods', deploymentPod('llama', 'a', gpus))
    const following = await start({}, discovered)
    expect(following.pools(discovered)).toEqual({ h100: 6 })
    expect(ready(following, discovered)).toBe(1)
  })

  test('lists of more than one page are read to the end', async () => {
    for (let i = 0; i < 250; i++) api.put('pods', deploymentPod('llama', `p${i}`))
    expect(ready(await start())).toBe(251)
    expect(api.requests.filter((request) => request.includes('continue='))).toHaveLength(2)
  })

  test('a watch that the server ends is opened again from where it was, without a list', async () => {
    const following = await start()
    await eventually(
      () => watchCount(),
      (count) => count >= 3,
    )
    api.put('pods', deploymentPod('llama', 'b'))
    await eventually(
      () => ready(following),
      (count) => count === 2,
    )
    expect(api.requests.filter((request) => /pods\?.*limit=/.test(request))).toHaveLength(1)
    expect(health).toEqual([])
  })

  test('lists are read anew from time to time, which repairs a missed event', async () => {
    await start({ resyncSeconds: 0.5 })
    await eventually(
      () => api.requests.filter((request) => request.includes('limit=')).length,
      (count) => count >= 2,
    )
  })

  test('a variant that no policy names any more is not read any more', async () => {
    const following = await start()
    following.replicas(policySet([]))
    await pause(300)
    const before = api.requests.length
    await pause(300)
    expect(api.requests.length).toBe(before)
    expect(api.openWatches()).toBe(0)
  })

  test('a custom resource is found by discovery and counted by its selector', async () => {
    const engine = { apiVersion: 'example.com/v1', kind: 'Engine', name: 'llama' }
    const policies = policySet([{ name: 'h100', target: engine, pool: 'h100' }], [{ name: 'h100', gpus: 8 }])
    const path = '/apis/example.com/v1/namespaces/chat/engines/llama/scale'
    api.bodies.set(path, { kind: 'Scale', spec: { replicas: 1 }, status: { selector: 'engine=llama' } })
    api.put('pods', pod('e1', { labels: { engine: 'llama' } }))
    expect((await start({}, policies)).replicas(policies)[id]).toMatchObject({ desired: 1, ready: 1 })
  })
})

describe('with an API that fails', () => {
  test('the last good answer stands for its time, then the counts are missing, then they come back', async () => {
    const following = await start({ staleAfterSeconds: 1 })
    api.behave({ kind: 'down' })
    await eventually(
      () => health.filter((event) => !event.healthy).length,
      (count) => count >= 2,
    )
    expect(ready(following)).toBe(1)
    await eventually(
      () => ready(following),
      (count) => count === undefined,
    )
    expect(following.replicas(stated)[id]).toMatchObject({ missing: 'backendDown' })
    api.behave({ kind: 'normal' })
    await eventually(
      () => ready(following),
      (count) => count === 1,
    )
    await eventually(
      () => health.filter((event) => event.healthy).length,
      (count) => count >= 2,
    )
    expect(health.filter((event) => !event.healthy).length).toBeLessThan(6)
  })

  test('the inventory of the last good list stands as long as the API is away', async () => {
    api.put('nodes', gpuNode('n1', 'NVIDIA-H100-80GB-HBM3', { 'nvidia.com/gpu': '8' }))
    const following = await start({ staleAfterSeconds: 0.5 }, discovered)
    expect(following.pools(discovered)).toEqual({ h100: 8 })
    api.behave({ kind: 'down' })
    await eventually(
      () => ready(following, discovered),
      (count) => count === undefined,
    )
    expect(following.pools(discovered)).toEqual({ h100: 8 })
    api.behave({ kind: 'normal' })
    api.remove('nodes', gpuNode('n1', '', {}))
    await eventually(
      () => JSON.stringify(following.pools(discovered)),
      (pools) => pools.includes('noSeries'),
    )
  })

  test('a server that accepts and says nothing counts as gone', async () => {
    const following = await start({ staleAfterSeconds: 1, requestSeconds: 0.3 })
    api.behave({ kind: 'hang' })
    api.breakWatches()
    await eventually(
      () => ready(following),
      (count) => count === undefined,
    )
    expect(JSON.stringify(health)).toContain('no answer within')
    api.behave({ kind: 'normal' })
    await eventually(
      () => ready(following),
      (count) => count === 1,
    )
  })

  test.each([
    'as an event',
    'as a status',
  ])('410 Gone %s is answered by a new list, without an alarm', async (how) => {
    const following = await start()
    if (how === 'as a status') {
      api.behave({ kind: 'refuse', status: 410, paths: /watch=true/ })
      api.breakWatches({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '1' } } })
      await eventually(
        () => listCount(),
        (count) => count >= 2,
      )
      api.behave({ kind: 'normal' })
    } else {
      api.compact()
      api.breakWatches({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '1' } } })
    }
    api.put('pods', deploymentPod('llama', 'b'))
    await eventually(
      () => ready(following),
      (count) => count === 2,
    )
    expect(listCount()).toBeGreaterThanOrEqual(2)
    expect(health).toEqual([])
  })

  test('a connection that breaks inside an event loses nothing', async () => {
    const following = await start()
    await eventually(
      () => api.openWatches(),
      (count) => count === 2,
    )
    api.breakWatches()
    api.put('pods', deploymentPod('llama', 'b'))
    await eventually(
      () => ready(following),
      (count) => count === 2,
    )
  })

  test('without permission for pods the counts are missing, with the status and no more', async () => {
    api.behave({ kind: 'refuse', status: 403, paths: /\/pods/ })
    const following = await start()
    expect(following.replicas(stated)[id]).toEqual({
      missing: 'backendDown',
      detail: '/api/v1/namespaces/chat/pods: HTTP 403',
    })
    expect(health).toEqual([
      {
        healthy: false,
        message: 'Kubernetes: reading /api/v1/namespaces/chat/pods fails: HTTP 403',
      },
    ])
  })

  test('without permission to watch, lists alone keep the counts', async () => {
    api.behave({ kind: 'refuse', status: 403, paths: /pods.*watch=true/ })
    const following = await start({ staleAfterSeconds: 1 })
    api.put('pods', deploymentPod('llama', 'b'))
    await eventually(
      () => ready(following),
      (count) => count === 2,
    )
    expect(health).toHaveLength(1)
  })

  test('a target that does not exist is told from an API that does not answer', async () => {
    const policies = policySet([{ name: 'h100', target: deployment('typo'), pool: 'h100' }])
    const unknownKind = { apiVersion: 'example.com/v1', kind: 'Motor', name: 'llama' }
    const motors = policySet([{ name: 'h100', target: unknownKind, pool: 'h100' }])
    const following = await start({}, policies)
    expect(following.replicas(policies)[id]).toMatchObject({ missing: 'noSeries' })
    await following.settled(motors, 5)
    expect(following.replicas(motors)[id]).toEqual({
      missing: 'noSeries',
      detail: 'example.com/v1 Motor chat/llama does not exist, or cannot be scaled',
    })
  })

  test('one target that cannot be read leaves the others alone', async () => {
    const two = policySet(
      [
        { name: 'h100', target, pool: 'h100' },
        { name: 'l40s', target: deployment('batch'), pool: 'h100' },
      ],
      [{ name: 'h100', gpus: 8 }],
    )
    api.behave({ kind: 'refuse', status: 500, paths: /batch/ })
    const counts = (await start({}, two)).replicas(two)
    expect(counts[id]).toMatchObject({ ready: 1 })
    expect(counts['chat/llama/l40s']).toMatchObject({ missing: 'backendDown' })
  })

  test.each([
    null,
    'text',
    {},
    [],
    { kind: 'Status', code: 200 },
  ])('an answer of the wrong kind, %j, is a failure: not a count of 0, not an empty list', async (body) => {
    const following = await start()
    api.bodies.set(scalePath, body)
    api.behave({ kind: 'body', body, paths: /limit=/ })
    api.breakWatches({ type: 'ERROR', object: { code: 410 } })
    await eventually(
      () => new Set(health.map(({ message }) => message.split(' fails')[0])).size,
      (count) => count === 3,
    )
    expect(following.replicas(stated)[id]).toMatchObject({ desired: 2, ready: 1 })
  })

  test('nothing is asked after stop, and what was under way ends', async () => {
    api.behave({ kind: 'hang' })
    reader = startReplicaReader({
      config: api.config,
      onHealth: (event) => health.push(event),
      timing: quick,
    })
    reader.replicas(stated)
    await pause(100)
    reader.stop()
    await pause(100)
    const asked = api.requests.length
    await pause(500)
    expect(api.requests.length).toBe(asked)
    expect(health).toEqual([])
  })
})

function watchCount(): number {
  return api.requests.filter((request) => request.includes('watch=true')).length
}

function listCount(): number {
  return api.requests.filter((request) => request.includes('limit=')).length
}
