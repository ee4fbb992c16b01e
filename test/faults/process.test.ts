// What happens to the server itself: its threads, its clock (all of them but KEDA's, which keeps the true one), its disk.
import { existsSync } from 'node:fs'
import type { Worker } from 'node:worker_threads'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { eventually, type FaultStage, startFaultStage } from './stage.ts'

let stage: FaultStage
/** With their names, which those that ended have no more. */
const workers: { readonly name: string | null; readonly worker: Worker }[] = []
const noteWorker = (worker: Worker) => void workers.push({ name: worker.threadName, worker })
const named = (name: string) => workers.filter((each) => each.name === name).map(({ worker }) => worker)
const hasFullDisk = existsSync('/dev/full')
const steady = { llama: 3, qwen: 2 }

beforeAll(async () => {
  process.on('worker', noteWorker)
  const journal = { file: '/dev/full', maxBytes: 2 ** 20, files: 2, version: 'test' }
  stage = await startFaultStage({ pods: steady, ...(hasFullDisk ? { journal } : {}) })
})

afterEach(() => vi.useRealTimers())

afterAll(async () => {
  process.off('worker', noteWorker)
  await stage?.stop()
})

it.skipIf(!hasFullDisk)('a journal whose disk is full costs its lines and nothing else', async () => {
  await stage.ticks('published', 2)
  expect(await stage.targets()).toEqual(steady)
  expect(await stage.metric('mixscaler_journal_ticks_total{outcome="failed"}')).toBeGreaterThanOrEqual(2)
  expect(await stage.metric('mixscaler_journal_ticks_total{outcome="written"}')).toBeNaN()
  const said = stage.log.filter(({ msg }) => msg.startsWith('the journal cannot be written'))
  expect(said).toHaveLength(1)
  expect(String(said[0]?.['why'])).toMatch(/ENOSPC/)
})

it('a worker that is killed is replaced, the last targets stand, and decisions go on', async () => {
  expect(named('decide')).toHaveLength(1)
  await named('decide')[0]?.terminate()
  expect(await stage.targets()).toEqual(steady)
  await eventually(async () =>
    (await stage.metric('mixscaler_decide_workers_lost_total')) === 1 ? true : undefined,
  )
  expect(stage.log.filter(({ msg }) => msg === 'the deciding worker is replaced')).toHaveLength(1)
  await stage.ticks('published', 2)
  expect(named('decide')).toHaveLength(2)
  expect(await stage.targets()).toEqual(steady)
})

it('a clock that steps is never a scale-up, and never a 0: small steps keep the targets, large ones make them unavailable until there is data', async () => {
  const stepped = (seconds: number) => {
    vi.useRealTimers()
    vi.useFakeTimers({ now: Date.now() + seconds * 1000, toFake: ['Date'], shouldAdvanceTime: true })
  }
  // Ahead, by less than a sample may be old, and back to the present: ticks repeat until it has caught up.
  stepped(2)
  await stage.ticks('published', 2)
  expect(await stage.targets()).toEqual(steady)
  stepped(0)
  await stage.ticks('repeated', 1)
  expect(await stage.targets()).toEqual(steady)
  for (const far of [600, -3600]) {
    stepped(far)
    await stage.ticks('published', 2)
    expect(await stage.targets()).toEqual({ llama: 'UNAVAILABLE', qwen: 'UNAVAILABLE' })
    expect((await stage.get('/readyz')).status).toBe(200)
    stepped(0)
    await stage.ticks('published', 2)
    expect(await stage.targets()).toEqual(steady)
  }
})

it('a server whose thread for KEDA ends, ends too, and says why', async () => {
  const other = await startFaultStage({ pods: { llama: 2 } })
  await named('keda').at(-1)?.terminate()
  await expect(other.stop()).rejects.toThrow('the thread that answers KEDA ended')
})
