// Events on ScaledObjects: what they say, how rarely, and that of several servers one writes them.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Decision, VariantDecision } from '../../src/core/decision.ts'
import { missing, type Reading } from '../../src/core/reading.ts'
import { kubernetesApi } from '../../src/kubernetes/api.ts'
import { eventBody, microTime, targetChanges, together } from '../../src/kubernetes/events.ts'
import { holdLease, leaseName } from '../../src/kubernetes/lease.ts'
import { type HealthEvent, type ReplicaReader, startReplicaReader } from '../../src/kubernetes/reader.ts'
import { askedVariants, scaledObjectFacts } from '../../src/kubernetes/scaledObjects.ts'
import { type FakeApi, startFakeApi } from './fakeApi.ts'
import { deployment, policySet, scaledObject } from './objects.ts'
import { eventually, quick } from './waiting.ts'

const policies = policySet(
  [{ name: 'h100', target: deployment('llama'), pool: 'h100' }],
  [{ name: 'h100', gpus: 8 }],
)
const asked = askedVariants(
  [scaledObjectFacts(scaledObject('llama'))].flatMap((one) => one ?? []),
  policies,
)

function decision(at: number, target: Reading): Decision {
  const variant: VariantDecision = {
    id: 'chat/llama/h100',
    name: 'h100',
    role: 'unified',
    replicas: { desired: 1, ready: 1, starting: 0, terminating: 0 },
    wanted: target,
    target,
    effective: target,
    capacity: {},
    speed: { missing: 'idle' },
    costPerReplicaHour: 4,
    reasons: [{ kind: 'atMin', min: 1 }],
  }
  const costPerHour = { now: 4, plan: 4, target: 4 }
  const policy = { id: 'chat/llama', name: 'llama', namespace: 'chat', model: 'llama', classes: [] }
  return {
    at,
    policies: [{ ...policy, status: 'planned', variants: [variant], costPerHour, reasons: [] }],
    costPerHour,
    warnings: [],
  }
}

describe('what an Event says', () => {
  test('from which target to which, and why', () => {
    const [change] = targetChanges(decision(0, 3), decision(15, 5), asked)
    if (change === undefined) throw new Error('no change')
    expect(eventBody(change, 1_767_225_600.25, 'pod-1')).toEqual({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'llama.6474846241090', namespace: 'chat' },
      eventTime: '2026-01-01T00:00:00.250000Z',
      reportingController: 'mixscaler.dev/mixscaler',
      reportingInstance: 'pod-1',
      action: 'Decide',
      reason: 'MixscalerTargetChanged',
      type: 'Normal',
      regarding: {
        apiVersion: 'keda.sh/v1alpha1',
        kind: 'ScaledObject',
        namespace: 'chat',
        name: 'llama',
        uid: 'uid-of-llama',
      },
      note: 'target 3 -> 5: at its minimum of 1',
    })
    expect(microTime(0)).toBe('1970-01-01T00:00:00.000000Z')
  })

  test('nothing after a start, and nothing while the target stays', () => {
    expect(targetChanges(undefined, decision(0, 3), asked)).toEqual([])
    expect(targetChanges(decision(0, 3), decision(15, 3), asked)).toEqual([])
    expect(targetChanges(decision(0, 3), decision(15, 5), [])).toEqual([])
  })

  test('a target that is lost is a warning, and a long why is cut', () => {
    const [lost] = targetChanges(decision(0, 3), decision(15, missing('stale')), asked)
    if (lost === undefined) throw new Error('no change')
    expect(eventBody(lost, 0, 'pod-1')).toMatchObject({ type: 'Warning', reason: 'MixscalerTargetUnknown' })
    const { note } = eventBody({ ...lost, why: 'x'.repeat(3000) }, 0, 'pod-1') as { readonly note: string }
    expect(note).toHaveLength(1024)
  })

  test('several changes are told as one, and none where the target is back', () => {
    const [up] = targetChanges(decision(0, 3), decision(15, 5), asked)
    const [more] = targetChanges(decision(15, 5), decision(30, 6), asked)
    const [back] = targetChanges(decision(15, 5), decision(30, 3), asked)
    if (up === undefined || more === undefined || back === undefined) throw new Error('no change')
    expect(together(up, more)).toMatchObject({ from: '3', to: '6', changes: 2 })
    expect(together(up, back)).toBeUndefined()
  })
})

describe('in a cluster', () => {
  let api: FakeApi
  let readers: ReplicaReader[]
  let health: HealthEvent[]

  beforeEach(async () => {
    api = await startFakeApi()
    readers = []
    health = []
    api.put('scaledobjects', scaledObject('llama'))
  })

  afterEach(async () => {
    for (const reader of readers) reader.stop()
    await api.close()
  })

  async function server(identity: string): Promise<ReplicaReader> {
    const reader = startReplicaReader({
      config: api.config,
      onHealth: (event) => health.push(event),
      timing: quick,
      events: { place: { namespace: 'mixscaler', identity }, now: () => 1000 },
    })
    readers.push(reader)
    await reader.settled(policies, 5)
    return reader
  }

  const aboutEvents = () => health.map(({ message }) => message).filter((text) => text.includes('Events'))
  const events = () => api.written.filter(({ path }) => path.endsWith('/events'))
  const notes = () => events().map(({ body }) => (body as { readonly note?: string }).note)

  test('of two servers one writes; changes in quick succession become one more Event', async () => {
    const both = [await server('a'), await server('b')]
    const tell = (at: number, target: number) => {
      for (const one of both) one.decided(policies, decision(at, target))
    }
    tell(0, 1)
    tell(15, 2)
    await eventually(
      () => events().length,
      (count) => count === 1,
    )
    tell(30, 3)
    tell(45, 4)
    await eventually(
      () => events().length,
      (count) => count === 2,
    )
    expect(notes()).toEqual([
      'target 1 -> 2: at its minimum of 1',
      'target 2 -> 4 (2 changes): at its minimum of 1',
    ])
    expect(new Set(events().map(({ path }) => path))).toEqual(
      new Set(['/apis/events.k8s.io/v1/namespaces/chat/events']),
    )
    expect(aboutEvents()).toEqual([])
  })

  test('without permission nothing else changes, and it is said once', async () => {
    api.behave({ kind: 'refuse', status: 403, paths: /leases/ })
    const one = await server('a')
    for (let target = 1; target < 6; target++) one.decided(policies, decision(15 * target, target))
    await eventually(
      () => aboutEvents().length,
      (count) => count === 1,
    )
    expect(aboutEvents()).toEqual(['Kubernetes: writing Events fails: HTTP 403'])
    expect(events()).toEqual([])
    expect(one.scaling(policies).warnings).toEqual([])
  })

  test('nothing is written where that was not asked for', async () => {
    const silent = startReplicaReader({
      config: api.config,
      onHealth: (event) => health.push(event),
      timing: quick,
    })
    readers.push(silent)
    await silent.settled(policies, 5)
    silent.decided(policies, decision(0, 1))
    silent.decided(policies, decision(15, 2))
    expect(api.requests.join()).not.toContain('leases')
    expect(api.written).toEqual([])
  })
})

describe('the lease', () => {
  let api: FakeApi
  beforeEach(async () => {
    api = await startFakeApi()
  })
  afterEach(() => api.close())

  test('is held by the first, renewed by it alone, and taken over when it is silent', async () => {
    const client = kubernetesApi(api.config)
    const limits = { seconds: 5, signal: new AbortController().signal }
    const hold = (identity: string, now: number) =>
      holdLease(client, { namespace: 'mixscaler', identity }, now, limits)
    expect(await hold('a', 0)).toBe('held')
    expect(await hold('b', 5)).toBe('others')
    expect(await hold('a', 5)).toBe('held')
    expect(api.written).toHaveLength(1) // young enough: not written again
    expect(await hold('a', 12)).toBe('held')
    expect(await hold('b', 41)).toBe('others')
    expect(await hold('b', 42)).toBe('held')
    expect(await hold('a', 43)).toBe('others')
    expect(api.written.map(({ method }) => method)).toEqual(['POST', 'PUT', 'PUT'])
  })

  test('is lost to whoever writes first', async () => {
    const client = kubernetesApi(api.config)
    const limits = { seconds: 5, signal: new AbortController().signal }
    const hold = (identity: string) => holdLease(client, { namespace: 'mixscaler', identity }, 0, limits)
    const holdings = await Promise.all([hold('a'), hold('b')])
    expect(holdings.toSorted()).toEqual(['held', 'others'])
    expect(api.bodies.has(`/apis/coordination.k8s.io/v1/namespaces/mixscaler/leases/${leaseName}`)).toBe(true)
  })
})
