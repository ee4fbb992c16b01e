import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isMissing, missing } from '../../src/core/reading.ts'
import type { Pod } from '../../src/kubernetes/objects.ts'
import { type PodFacts, podFacts } from '../../src/kubernetes/pods.ts'
import { podIndex, replicaCounts } from '../../src/kubernetes/replicas.ts'
import { deployment, deploymentPod, groupPod, pod, unschedulable } from './objects.ts'

const facts = (pods: readonly Pod[]): readonly PodFacts[] =>
  pods.map(podFacts).filter((fact) => fact !== undefined)
const names = (pods: unknown) => (isMissing(pods) ? pods : (pods as PodFacts[]).map((fact) => fact.name))
const tenAm = Date.UTC(2026, 2, 1, 10) / 1000

describe('how many replicas', () => {
  test('ready, starting and terminating pods are told apart, ended ones are nothing', () => {
    const pods = facts([
      deploymentPod('llama', 'a'),
      deploymentPod('llama', 'b'),
      deploymentPod('llama', 'c', { ready: false, created: '2026-03-01T10:20:00Z' }),
      deploymentPod('llama', 'd', { deleted: true }),
      deploymentPod('llama', 'e', { phase: 'Failed', ready: false }),
    ])
    expect(replicaCounts(3, pods)).toEqual({
      desired: 3,
      ready: 2,
      starting: 1,
      terminating: 1,
      startingSince: [tenAm + 1200],
    })
  })

  test('pods that no node takes are counted with the time and the words of the scheduler', () => {
    const why = '0/12 nodes are available: 12 Insufficient nvidia.com/gpu.'
    const pods = facts([
      deploymentPod('llama', 'a', { ready: false }),
      deploymentPod('llama', 'b', {
        ready: false,
        conditions: [unschedulable('2026-03-01T10:05:00Z', why)],
      }),
      deploymentPod('llama', 'c', {
        ready: false,
        conditions: [unschedulable('2026-03-01T10:03:00Z', why)],
      }),
    ])
    expect(replicaCounts(3, pods).unschedulable).toEqual({ replicas: 2, since: tenAm + 180, why })
  })

  test('a pod that was unschedulable and is being deleted waits for nothing any more', () => {
    const waits = [unschedulable('2026-03-01T10:05:00Z', 'no room')]
    const pods = facts([deploymentPod('llama', 'a', { ready: false, deleted: true, conditions: waits })])
    expect(replicaCounts(0, pods)).toEqual({ desired: 0, ready: 0, starting: 0, terminating: 1 })
  })

  test('a LeaderWorkerSet group is one replica: ready with its last pod, terminating with its leader', () => {
    const pods = facts([
      groupPod('llama', 0, 0),
      groupPod('llama', 0, 1),
      groupPod('llama', 1, 0),
      groupPod('llama', 1, 1, { ready: false }),
      groupPod('llama', 2, 0),
      groupPod('llama', 3, 0, { deleted: true }),
      groupPod('llama', 3, 1),
      groupPod('llama', 4, 0),
      groupPod('llama', 4, 1, { deleted: true }),
    ])
    expect(replicaCounts(5, pods)).toMatchObject({ ready: 1, starting: 3, terminating: 1 })
  })

  test('every replica is in exactly one phase, whatever the pods look like', () => {
    const anyPod = fc.record({
      group: fc.nat(3),
      worker: fc.nat(2),
      ready: fc.boolean(),
      deleted: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(anyPod), fc.nat(9), (descriptions, desired) => {
        const pods = facts(
          descriptions.map(({ group, worker, ...rest }) => groupPod('llama', group, worker, rest)),
        )
        const counts = replicaCounts(desired, pods)
        const groups = new Set(descriptions.map(({ group }) => group))
        expect(counts.ready + counts.starting + counts.terminating).toBe(groups.size)
        expect(counts.startingSince === undefined).toBe(counts.starting === 0)
      }),
    )
  })
})

describe('whose pods', () => {
  const scale = (selector: string) => ({ desired: 1, selector })

  test('two Deployments with the same hand-written selector keep their own pods', () => {
    const podsOf = podIndex(facts([deploymentPod('llama', 'a'), deploymentPod('llama-decode', 'b')]))
    expect(names(podsOf('chat', deployment('llama'), scale('app=vllm')))).toEqual(['llama-7c9d5b8f4-a'])
  })

  test('a Deployment of the same name in another namespace is another one', () => {
    const podsOf = podIndex(facts([deploymentPod('llama', 'a', { namespace: 'eval' })]))
    expect(podsOf('chat', deployment('llama'), scale('app=vllm'))).toEqual([])
  })

  test('a bare ReplicaSet is not a Deployment', () => {
    const bare = pod('llama-x', { owner: { kind: 'ReplicaSet', name: 'llama-1' }, labels: { app: 'vllm' } })
    const podsOf = podIndex(facts([bare]))
    expect(podsOf('chat', deployment('llama'), scale('app=vllm'))).toEqual([])
  })

  test('a LeaderWorkerSet has its workers too, although its scale selects leaders only', () => {
    const podsOf = podIndex(
      facts([groupPod('llama', 0, 0), groupPod('llama', 0, 1), groupPod('other', 0, 0)]),
    )
    const target = { apiVersion: 'leaderworkerset.x-k8s.io/v1', kind: 'LeaderWorkerSet', name: 'llama' }
    const selector = 'leaderworkerset.sigs.k8s.io/name=llama,leaderworkerset.sigs.k8s.io/worker-index=0'
    expect(names(podsOf('chat', target, scale(selector)))).toEqual(['llama-0', 'llama-0-1'])
  })

  test('a custom resource has the pods that its scale selects, else those it owns', () => {
    const engine = { apiVersion: 'example.com/v1', kind: 'Engine', name: 'llama' }
    const owned = pod('owned', { owner: { kind: 'Engine', name: 'llama' } })
    const podsOf = podIndex(facts([owned, pod('selected', { labels: { engine: 'llama' } })]))
    expect(names(podsOf('chat', engine, scale('engine=llama')))).toEqual(['selected'])
    expect(names(podsOf('chat', engine, scale('')))).toEqual(['owned'])
    expect(names(podsOf('chat', engine, scale('a > 1')))).toEqual(['owned'])
  })

  test('without its scale a custom resource is unknown, a Deployment is not', () => {
    const podsOf = podIndex(facts([deploymentPod('llama', 'a')]))
    const engine = { apiVersion: 'example.com/v1', kind: 'Engine', name: 'llama' }
    expect(podsOf('chat', engine, missing('backendDown'))).toEqual(missing('backendDown'))
    expect(names(podsOf('chat', deployment('llama'), missing('backendDown')))).toHaveLength(1)
  })
})
