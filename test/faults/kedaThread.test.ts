// The thread that answers KEDA: what the rest of the server does, or fails to do, costs no answer.
import { createServer } from 'node:net'
import { Worker } from 'node:worker_threads'
import { protoPath as healthProto } from 'grpc-health-check'
import { afterEach, expect, it } from 'vitest'
import {
  type KedaFigures,
  type KedaSettings,
  type KedaThread,
  startKedaThread,
} from '../../src/cli/kedaThread.ts'
import { askablePolicies } from '../../src/loop/publication.ts'
import { client, kedaClient, loadService, ref, until } from '../grpc/harness.ts'
import { decisionOf, policyOf, policySetOf } from '../loop/values.ts'
import type { KedaOrder, KedaOrders } from './workers/keda.ts'

const set = policySetOf([policyOf({})])
const asked = { scaledObjectRef: ref('h100'), metricName: '' }
const longestMilliseconds = 20_000
const closing: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

interface Started {
  readonly thread: KedaThread
  readonly worker: Worker
  readonly figures: readonly KedaFigures[]
  readonly lost: Error[]
}

async function started(changes: Partial<KedaSettings> = {}): Promise<Started> {
  const figures: KedaFigures[] = []
  const lost: Error[] = []
  const workers: Worker[] = []
  const note = (worker: Worker): void => void workers.push(worker)
  process.on('worker', note)
  const thread = await startKedaThread(
    new URL('../../src/cli/kedaWorker.ts', import.meta.url),
    {
      ...{ address: '127.0.0.1', port: 0, emission: 'target', silentSeconds: 60 },
      policies: askablePolicies(set),
      ...changes,
    },
    {
      figures: (some) => figures.push(some),
      problem: () => undefined,
      certificateProblem: () => undefined,
      lost: (error) => lost.push(error),
    },
  ).finally(() => process.off('worker', note))
  closing.push(() => thread.stop(1000))
  const [worker] = workers
  if (worker === undefined) throw new Error('no thread was started')
  return { thread, worker, figures, lost }
}

/**
 * Until the thread has taken what it was told: a call comes by another way than what is published, and on a busy machine may be
 * there first. It tells its figures from the loop that hears, so that two more of them come after.
 */
async function heard(figures: readonly KedaFigures[]): Promise<void> {
  const after = figures.length + 2
  await until(() => figures.length >= after)
}

/** KEDA in another thread, and a way to stand still until it has done what it was told. */
async function kedaElsewhere(port: number) {
  const done = new Int32Array(new SharedArrayBuffer(4))
  const orders: KedaOrders = { port, done }
  const keda = new Worker(new URL('./workers/keda.ts', import.meta.url), { workerData: orders })
  closing.push(() => keda.terminate())
  await new Promise((resolve) => keda.once('online', resolve))
  return (order: KedaOrder): 'ok' | 'not-equal' | 'timed-out' => {
    const before = Atomics.load(done, 0)
    keda.postMessage(order)
    return Atomics.wait(done, 0, before, longestMilliseconds)
  }
}

it('KEDA gets its answers while the thread of the loop does nothing at all', async () => {
  const { thread, figures } = await started()
  thread.publish(decisionOf(set, Date.now() / 1000, 3))
  const standingStill = await kedaElsewhere(thread.port)
  expect(standingStill({ kind: 'getMetrics', times: 50 })).not.toBe('timed-out')
  const calls = () => figures.flatMap((some) => some.calls)
  await until(() => calls().length === 50)
  expect(new Set(calls().map(({ path, code }) => `${path} ${code}`))).toEqual(
    new Set(['/externalscaler.ExternalScaler/GetMetrics OK']),
  )
})

it('it tells of its streams, heap and delays', async () => {
  const { thread, figures } = await started()
  thread.publish(decisionOf(set, Date.now() / 1000, 3))
  const keda = kedaClient(thread.port)
  closing.push(() => keda.close())
  const streams = [keda.stream('StreamIsActive', ref('h100')), keda.stream('StreamIsActive', ref('h100'))]
  await until(() => figures.at(-1)?.streamsOpen === 2)
  for (const stream of streams) stream.cancel()
  await until(() => figures.at(-1)?.streamsOpen === 0)
  const { heapUsedBytes, activeResources, longestDelaySeconds } = figures.at(-1) as KedaFigures
  expect(heapUsedBytes).toBeGreaterThan(2 ** 20)
  // Its port, the client's connection and the channel to us.
  expect(activeResources).toBeGreaterThanOrEqual(3)
  expect(longestDelaySeconds).toBeGreaterThanOrEqual(0)
  expect(longestDelaySeconds).toBeLessThan(longestMilliseconds / 1000)
})

it('targets and policies arrive as they were published, in their order', async () => {
  const { thread, figures } = await started()
  const keda = kedaClient(thread.port)
  closing.push(() => keda.close())
  expect(await keda.call('GetMetrics', asked)).toMatchObject({ code: 'UNAVAILABLE' })
  const now = Date.now() / 1000
  for (const replicas of [1, 2, 3]) {
    thread.publish(decisionOf(set, now, replicas))
    await heard(figures)
    expect(await keda.call('GetMetrics', asked)).toMatchObject({
      value: { metricValues: [{ metricValue: String(replicas) }] },
    })
  }
  thread.setPolicies(policySetOf([]))
  await heard(figures)
  expect(await keda.call('GetMetrics', asked)).toMatchObject({ code: 'PERMISSION_DENIED' })
})

it('a loop that hangs is said by liveness, for the kubelet to start the server anew, and no longer once it lives', async () => {
  const { thread } = await started({ silentSeconds: 0.5 })
  const standingStill = await kedaElsewhere(thread.port)
  const health = client(loadService(healthProto, 'grpc.health.v1.Health'), thread.port)
  closing.push(() => health.close())
  const lives = () =>
    expect
      .poll(() => health.call('Check', { service: 'liveness' }), { timeout: longestMilliseconds })
      .toMatchObject({ value: { status: 'SERVING' } })
  await lives()
  expect(standingStill({ kind: 'liveness', until: 'NOT_SERVING' })).not.toBe('timed-out')
  await lives()
})

it('a thread that ends without having been told to is lost, and one that stops is not', async () => {
  const ended = await started()
  await ended.worker.terminate()
  await until(() => ended.lost.length > 0)
  expect(ended.lost).toEqual([new Error('the thread that answers KEDA ended')])
  const stopped = await started()
  await stopped.thread.stop(1000)
  expect(stopped.lost).toEqual([])
})

it('a port that is taken ends the start with the address', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  closing.push(() => other.close())
  const address = other.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  await expect(started({ port })).rejects.toThrow(`cannot listen on 127.0.0.1:${port}: `)
})
