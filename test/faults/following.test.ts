// A server that starts beside others, on a Prometheus that takes its time for what was days ago: it tells what another one decided,
// and decides for itself once it knows as much, or where the record of the others is not to be relied on.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Row } from '../../src/core/observe/series.ts'
import type { PolicySet } from '../../src/core/policy.ts'
import { policiesDigest } from '../../src/loop/digest.ts'
import { eventually, type FaultStage, startFaultStage, type Targets } from './stage.ts'

/** Of a server that decided last so many seconds ago. */
interface Peer {
  readonly ageSeconds: number
  readonly read: 0 | 1
  /** Added to the digest of the policies. */
  readonly otherwise: number
  /** By policy. */
  readonly targets: Readonly<Record<string, number>>
}

/** No load of the stage asks for so many. */
const targets = { even: 7, odd: 0 }
const sound: Peer = { ageSeconds: 0.5, read: 1, otherwise: 0, targets }

const unreliable: Readonly<Record<string, readonly Peer[]>> = {
  'nobody is on record': [],
  'the target of one variant is missing': [{ ...sound, targets: { even: 7 } }],
  'it has not decided for longer than its gauges count': [{ ...sound, ageSeconds: 3.9 }],
  'it does not know all of its past either': [{ ...sound, read: 0 }],
  'it decides by other policies': [{ ...sound, otherwise: 1 }],
  'two of them differ': [sound, { ...sound, targets: { ...targets, odd: 6 } }],
}

function rowsOf(peers: readonly Peer[], policies: PolicySet): readonly Row[] {
  const now = Math.floor(Date.now() / 1000)
  return peers.flatMap(({ ageSeconds, read, otherwise, targets: told }, index) => {
    const row = (name: string, value: number, labels: Readonly<Record<string, string>> = {}): Row => ({
      labels: { __name__: `mixscaler_${name}`, instance: `server-${index}`, ...labels },
      value,
    })
    return [
      row('decision_timestamp_seconds', now - ageSeconds),
      row('past_read', read),
      row('policies_digest', policiesDigest(policies) + otherwise),
      ...Object.entries(told).map(([policy, value]) =>
        row('target_replicas', value, { namespace: 'chat', policy, variant: 'h100' }),
      ),
    ]
  })
}

describe('a server that starts beside others', () => {
  const days = Promise.withResolvers<void>()
  const directory = mkdtempSync(join(tmpdir(), 'mixscaler-journal-'))
  const journal = join(directory, 'journal.jsonl')
  let peers: readonly Peer[] = [sound]
  let stage: FaultStage
  let own: Targets

  beforeAll(async () => {
    stage = await startFaultStage({
      pods: { even: 2, odd: 2 },
      journal: { file: journal, maxBytes: 1e9, files: 1, version: 'test' },
      past: { record: (policies) => rowsOf(peers, policies), days: days.promise },
    })
  }, 30_000)

  afterAll(async () => {
    days.resolve()
    await stage?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  it('tells their targets, for their tick, and says so; it has decided nothing', async () => {
    await stage.ticks('followed', 2)
    expect(await stage.targets()).toEqual(targets)
    expect(await stage.metric('mixscaler_past_read')).toBe(0)
    expect(await stage.metric('mixscaler_followed_timestamp_seconds')).toBeGreaterThan(Date.now() / 1000 - 5)
    expect(await stage.metric('mixscaler_decision_timestamp_seconds')).toBeNaN()
    expect((await stage.get('/readyz')).status).toBe(200)
    const plan = await stage.get('/api/v1/plan')
    expect([plan.status, await plan.json()]).toMatchObject([
      503,
      {
        error: 'the past is still read: KEDA is told what another server decided',
        followed: { targets: { 'chat/even/h100': 7, 'chat/odd/h100': 0 } },
      },
    ])
    expect(stage.log.filter(({ msg }) => msg.startsWith('the past is still read'))).toHaveLength(1)
    expect(existsSync(journal)).toBe(false)
  })

  it.each(Object.entries(unreliable))(
    'decides for itself where %s, until there is somebody to follow',
    async (_, some) => {
      peers = some
      await stage.ticks('published', 2)
      own = await stage.targets()
      for (const target of Object.values(own)) expect(target).toSatisfy((count) => count >= 1 && count < 7)
      expect(await stage.metric('mixscaler_past_read')).toBe(0)
      expect(await stage.metric('mixscaler_followed_timestamp_seconds')).toBeNaN()
      peers = [sound]
      await stage.ticks('followed', 2)
      expect(await stage.targets()).toEqual(targets)
    },
    30_000,
  )

  it('decides for itself once all of its past is read, whatever others decide', async () => {
    const before = readFileSync(journal, 'utf8').length
    await stage.ticks('followed', 2)
    expect(readFileSync(journal, 'utf8').length).toBe(before)
    days.resolve()
    await stage.ticks('published', 3)
    expect(await stage.targets()).toEqual(own)
    expect(await stage.metric('mixscaler_past_read')).toBe(1)
    expect(await stage.metric('mixscaler_followed_timestamp_seconds')).toBeNaN()
    await eventually(() => (readFileSync(journal, 'utf8').length > before ? true : undefined))
    expect((await stage.plan()).policies.map(({ id }) => id)).toEqual(['chat/even', 'chat/odd'])
    const asked = await stage.metric('mixscaler_ticks_total{outcome="followed"}')
    await stage.ticks('published', 3)
    expect(await stage.metric('mixscaler_ticks_total{outcome="followed"}')).toBe(asked)
  }, 60_000)
})
