// What the scaler reads back of itself: under both spellings of its labels, from several servers, and nothing that is no count.
import { describe, expect, it } from 'vitest'
import type { Observation } from '../../src/core/observation.ts'
import {
  lastDecided,
  lastDecidedQuery,
  recordedReplicas,
  toldBySettled,
  toldQuery,
  withReplicas,
} from '../../src/core/observe/ownSeries.ts'
import { missing } from '../../src/core/reading.ts'
import { blind, observe, signals } from '../decide/world.ts'

const labels = { namespace: 'chat', policy: 'llama', variant: 'h100' }
const four = { desired: 3, ready: 2, starting: 1, terminating: 0 }
const none = { desired: 0, ready: 0, starting: 0, terminating: 0 }

describe('what the scaler told and saw', () => {
  const series = (name: string, value: number, more: Readonly<Record<string, string>> = {}) => ({
    labels: { __name__: `mixscaler_${name}`, ...more },
    value,
  })
  const server = (instance: string, at: number, read: 0 | 1, count: number) => [
    series('decision_timestamp_seconds', at, { instance }),
    series('past_read', read, { instance }),
    series('target_replicas', count, { ...labels, instance }),
  ]

  it('is found whether or not Prometheus renamed its labels', () => {
    const renamed = { ...labels, namespace: 'mixscaler', exported_namespace: 'chat', variant: 'spare' }
    const rows = [series('target_replicas', 3, labels), series('target_replicas', 0, renamed)]
    expect(lastDecided(rows).targets).toEqual({ 'chat/llama/h100': 3, 'chat/llama/spare': 0 })
  })

  it('tells what the plan wanted, and since when fewer would have done', () => {
    const policy = { namespace: 'chat', policy: 'llama' }
    const rows = [
      series('wanted_replicas', 2, labels),
      series('wanted_replicas', Number.NaN, { ...labels, variant: 'other' }),
      series('spare_since_timestamp_seconds', 1_788_480_015, policy),
    ]
    expect(lastDecided(rows).wanted).toEqual({ 'chat/llama/h100': 2 })
    expect(lastDecided(rows).spareSince).toEqual({ 'chat/llama': 1_788_480_015 })
  })

  it('is that of the server that decided last, and of one that knows its past before one that does not', () => {
    const rows = [...server('a', 100, 1, 3), ...server('b', 115, 1, 4), ...server('c', 130, 0, 9)]
    for (const some of [rows, rows.toReversed()])
      expect(lastDecided(some)).toEqual({
        at: 115,
        targets: { 'chat/llama/h100': 4 },
        wanted: {},
        spareSince: {},
        headrooms: {},
        speeds: {},
      })
    expect(lastDecided(server('c', 130, 0, 9))).toMatchObject({ at: 130, targets: { 'chat/llama/h100': 9 } })
    expect(lastDecided([])).toEqual({ targets: {}, wanted: {}, spareSince: {}, headrooms: {}, speeds: {} })
  })

  it('tells what a class has learnt only where all of it is on record, digit for digit', () => {
    const known = { learnt: 0.1 + 0.2, spent: -1 / 3, lost: 1 / 7, reserve: 3 / 7 }
    const of = (what: string, value: number) =>
      series('headroom_memory_ratio', value, { namespace: 'chat', policy: 'llama', class: 'chat', of: what })
    const told = Object.entries(known).map(([what, value]) => of(what, value))
    expect(lastDecided(told).headrooms).toEqual({ 'chat/llama/chat': known })
    for (const missingOne of told)
      expect(lastDecided(told.filter((row) => row !== missingOne)).headrooms).toEqual({})
    expect(lastDecided([...told.slice(1), of('learnt', Number.NaN)]).headrooms).toEqual({})
    // Servers of before do not tell what is usual.
    const chat = { namespace: 'chat', policy: 'llama', class: 'chat' }
    const usual = series('headroom_usual_requests_per_second', 100 / 3, chat)
    expect(lastDecided([...told, usual]).headrooms).toEqual({
      'chat/llama/chat': { ...known, usual: 100 / 3 },
    })
    expect(lastDecided([usual]).headrooms).toEqual({})
  })

  it('tells what was learnt of a variant’s speed only where all of it is on record, and of which profile, digit for digit', () => {
    const [ratio, base, slopes, offSince] = [Math.exp(0.14), Math.exp(0.12), Math.exp(0.22), 1_788_480_015]
    const digest = series('profile_digest', 4_294_967_295, labels)
    const learnt = [
      series('profile_time_ratio', ratio, labels),
      series('profile_correction_ratio', base, { ...labels, of: 'base' }),
      series('profile_correction_ratio', slopes, { ...labels, of: 'slopes' }),
      series('profile_overhead_seconds', 35 / 1000, labels),
    ]
    const off = series('profile_off_since_timestamp_seconds', offSince, labels)
    const speedOf = (rows: Parameters<typeof lastDecided>[0]) => lastDecided(rows).speeds['chat/llama/h100']
    const known = { applied: { base, slopes, overheadMs: 35 }, ratio }
    expect(speedOf([digest, ...learnt])).toEqual({ profile: 4_294_967_295, learnt: known })
    expect(speedOf([digest, ...learnt, off])?.learnt).toEqual({ ...known, offSince })
    for (const missingOne of learnt)
      expect(speedOf([digest, ...learnt.filter((row) => row !== missingOne)])).toEqual({
        profile: 4_294_967_295,
      })
    expect(speedOf(learnt)).toBeUndefined()
  })

  it('is asked for under the same matchers as everything else', () => {
    expect(lastDecidedQuery({ cluster: 'a"b' })).toBe(
      '{__name__=~"mixscaler_decision_timestamp_seconds|mixscaler_past_read|mixscaler_target_replicas|mixscaler_wanted_replicas|mixscaler_spare_since_timestamp_seconds|mixscaler_headroom_memory_ratio|mixscaler_headroom_usual_requests_per_second|mixscaler_profile_digest|mixscaler_profile_time_ratio|mixscaler_profile_correction_ratio|mixscaler_profile_overhead_seconds|mixscaler_profile_off_since_timestamp_seconds", cluster="a\\"b"}',
    )
  })

  it('is that of every server that knows its past and says by which policies it decided, for those that do not yet', () => {
    const policies = (instance: string, digest: number) => series('policies_digest', digest, { instance })
    const rows = [
      ...[...server('a', 100, 1, 3), policies('a', 77)],
      ...[...server('b', 115, 1, 0), policies('b', 78)],
      ...[...server('c', 130, 0, 9), policies('c', 77)],
      ...server('d', 130, 1, 9),
      // It follows another server: it has decided nothing.
      ...[series('past_read', 1, { instance: 'e' }), policies('e', 77)],
      series('target_available', 1, { ...labels, instance: 'a' }),
      series('target_available', 0, { ...labels, variant: 'blind', instance: 'a' }),
    ]
    expect(toldBySettled(rows)).toEqual([
      {
        at: 100,
        policies: 77,
        targets: { 'chat/llama/h100': 3, 'chat/llama/blind': { missing: 'noSeries' } },
      },
      { at: 115, policies: 78, targets: { 'chat/llama/h100': 0 } },
    ])
    expect(toldQuery({ cluster: 'a' })).toBe(
      '{__name__=~"mixscaler_decision_timestamp_seconds|mixscaler_past_read|mixscaler_policies_digest|mixscaler_target_replicas|mixscaler_target_available", cluster="a"}',
    )
  })

  it('leaves out what is no count', () => {
    const rows = [1.5, -1, Number.NaN].map((value) => series('target_replicas', value, labels))
    expect(lastDecided(rows).targets).toEqual({})
    const told = [...server('a', 100, 1, 1.5), series('policies_digest', 77, { instance: 'a' })]
    expect(toldBySettled(told)).toEqual([{ at: 100, policies: 77, targets: {} }])
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
