// What KEDA may read, and when it gets an error instead.
import { expect, test } from 'vitest'
import { missing } from '../../src/core/reading.ts'
import { missingName } from '../../src/core/sentence.ts'
import { publishedDecision } from '../../src/loop/publication.ts'
import { decisionOf, policyOf, policySetOf } from './values.ts'

const own = { namespace: 'chat', policy: 'llama', variant: 'h100' }
const set = policySetOf([policyOf({ stalenessBudgetSeconds: 60 })])

function published(at: number, now: () => number) {
  const publication = publishedDecision(now, 'target')
  publication.setPolicies(set)
  publication.publish(decisionOf(set, at, 2))
  return publication
}

test('before any policy is known every question is about something unknown', () => {
  expect(publishedDecision(() => 1000, 'target').target(own)).toEqual({ kind: 'unknown' })
})

test('a known variant is unavailable, not 0, before the first decision', () => {
  const publication = publishedDecision(() => 1000, 'target')
  publication.setPolicies(set)
  expect(publication.target(own)).toEqual({ kind: 'unavailable', why: 'nothing has been decided yet' })
  expect(publication.target({ ...own, variant: 'h200' })).toEqual({ kind: 'unknown' })
})

test('the last decision stands for the staleness budget, and not a second longer', () => {
  let now = 1000
  const publication = published(1000, () => now)
  expect(publication.target(own)).toEqual({ kind: 'target', replicas: 2, at: 1000 })
  now = 1060
  expect(publication.target(own)).toEqual({ kind: 'target', replicas: 2, at: 1000 })
  now = 1061
  expect(publication.target(own)).toEqual({
    kind: 'unavailable',
    why: 'the last decision is 61 s old: the policy allows 60 s',
  })
})

test('a decision from the future is no fresher than one from the past', () => {
  const publication = published(1000, () => 900)
  expect(publication.target(own).kind).toBe('unavailable')
})

test('a missing target is an error that says what is missing', () => {
  const publication = publishedDecision(() => 1000, 'target')
  publication.setPolicies(set)
  publication.publish(decisionOf(set, 1000, missing('backendDown')))
  expect(publication.target(own)).toEqual({
    kind: 'unavailable',
    why: `no target: ${missingName('backendDown')}`,
  })
})

test('a target of 0 is an answer', () => {
  const publication = publishedDecision(() => 1000, 'target')
  publication.setPolicies(set)
  publication.publish(decisionOf(set, 1000, 0))
  expect(publication.target(own)).toEqual({ kind: 'target', replicas: 0, at: 1000 })
})

test('a dry run emits the count that is asked for already', () => {
  const publication = publishedDecision(() => 1000, 'current')
  publication.setPolicies(set)
  publication.publish(decisionOf(set, 1000, 9))
  expect(publication.target(own)).toEqual({ kind: 'target', replicas: 3, at: 1000 })
})

test('a policy that goes is unknown at once; a new one is unavailable until it is decided', () => {
  const publication = published(1000, () => 1000)
  publication.setPolicies(policySetOf([policyOf({ name: 'qwen' })]))
  expect(publication.target(own)).toEqual({ kind: 'unknown' })
  expect(publication.target({ ...own, policy: 'qwen' }).kind).toBe('unavailable')
})

test('another namespace is answered only where the policy opens itself to it', () => {
  const publication = publishedDecision(() => 1000, 'target')
  const open = policySetOf([policyOf()], { 'chat/llama': ['batch'] })
  publication.setPolicies(open)
  publication.publish(decisionOf(open, 1000, 2))
  expect(publication.target({ ...own, namespace: 'batch' }).kind).toBe('target')
  expect(publication.target({ ...own, namespace: 'batch', policy: 'chat/llama' }).kind).toBe('target')
  expect(publication.target({ ...own, namespace: 'other' })).toEqual({ kind: 'unknown' })
  expect(publication.target({ ...own, namespace: 'other', policy: 'chat/llama' })).toEqual({
    kind: 'unknown',
  })
})

test("a caller's own policy comes before an open one of the same name, and two open ones need the full name", () => {
  const sets = policySetOf(
    [policyOf({ namespace: 'a' }), policyOf({ namespace: 'b' }), policyOf({ namespace: 'c' })],
    {
      'a/llama': ['c', 'd'],
      'b/llama': ['d'],
    },
  )
  const publication = publishedDecision(() => 1000, 'target')
  publication.setPolicies(sets)
  const { policies, ...rest } = decisionOf(sets, 1000, 1)
  publication.publish({
    ...rest,
    policies: policies.map((policy, index) => ({
      ...policy,
      variants: policy.variants.map((variant) => ({ ...variant, target: index + 1 })),
    })),
  })
  const asked = (namespace: string, policy: string) =>
    publication.target({ namespace, policy, variant: 'h100' })
  expect(asked('c', 'llama')).toMatchObject({ replicas: 3 })
  expect(asked('c', 'a/llama')).toMatchObject({ replicas: 1 })
  expect(asked('d', 'llama')).toEqual({ kind: 'unknown' })
  expect(asked('d', 'b/llama')).toMatchObject({ replicas: 2 })
})

test('listeners hear of each decision until they leave', () => {
  const publication = publishedDecision(() => 1000, 'target')
  publication.setPolicies(set)
  let heard = 0
  const listener = () => {
    heard += 1
  }
  const leave = publication.subscribe(listener)
  publication.subscribe(listener)
  publication.publish(decisionOf(set, 1000, 2))
  expect(heard).toBe(2)
  leave()
  publication.publish(decisionOf(set, 1015, 2))
  expect(heard).toBe(3)
})
