// What the scaler reads back of itself: under both spellings of its labels, from several servers, and nothing that is no count.
import { describe, expect, it } from 'vitest'
import type { Observation } from '../../src/core/observation.ts'
import {
  emittedTargets,
  recordedReplicas,
  targetsQuery,
  withReplicas,
} from '../../src/core/observe/ownSeries.ts'
import { missing } from '../../src/core/reading.ts'
import { blind, observe, signals } from '../decide/world.ts'

const labels = { namespace: 'chat', policy: 'llama', variant: 'h100' }
const four = { desired: 3, ready: 2, starting: 1, terminating: 0 }
const none = { desired: 0, ready: 0, starting: 0, terminating: 0 }

describe('what the scaler told and saw', () => {
  it('is found whether or not Prometheus renamed its labels', () => {
    const renamed = { ...labels, namespace: 'mixscaler', exported_namespace: 'chat', variant: 'spare' }
    expect(
      emittedTargets([
        { labels, value: 3 },
        { labels: renamed, value: 0 },
      ]),
    ).toEqual({
      'chat/llama/h100': 3,
      'chat/llama/spare': 0,
    })
  })

  it('is asked for under the same matchers as everything else', () => {
    expect(targetsQuery({ cluster: 'a"b' })).toBe(
      'max by (namespace, exported_namespace, policy, variant) (mixscaler_target_replicas{cluster="a\\"b"})',
    )
  })

  it('leaves out what is no count', () => {
    expect(emittedTargets([1.5, -1, Number.NaN].map((value) => ({ labels, value })))).toEqual({})
  })

  it('counts replicas only where all of their states are known', () => {
    const rows = Object.entries(four).map(([state, value]) => ({ labels: { ...labels, state }, value }))
    expect(recordedReplicas(rows)).toEqual({ 'chat/llama/h100': four })
    expect(recordedReplicas(rows.slice(1))).toEqual({})
  })
})

describe('replicas of the past', () => {
  const replicas = (observation: Observation) => observation.variants['chat/llama/h100']?.replicas
  const seen = observe(0, { h100: signals(2, 5) })
  const silent = observe(0, { h100: blind(missing('noSeries')) })

  it('are those on record, else those that reported', () => {
    expect(replicas(withReplicas(seen, { 'chat/llama/h100': four }, {}))).toEqual(four)
    expect(replicas(withReplicas(seen, {}, {}))).toMatchObject({ ready: 2 })
  })

  it('are none where nothing reported then and nothing runs now, and unknown where something runs now', () => {
    expect(replicas(withReplicas(silent, {}, { 'chat/llama/h100': none }))).toEqual(none)
    expect(replicas(withReplicas(silent, {}, { 'chat/llama/h100': four }))).toEqual({ missing: 'noSeries' })
    const down = observe(0, { h100: blind(missing('backendDown')) })
    expect(replicas(withReplicas(down, {}, { 'chat/llama/h100': none }))).toEqual({ missing: 'backendDown' })
  })
})
