// KEDA in a thread of its own, so that it can ask while the thread that the test runs in does nothing at all. Each order is
// carried out and then told of through shared memory, which even a thread that stands still can wait for.
import { parentPort, workerData } from 'node:worker_threads'
import { protoPath as healthProto } from 'grpc-health-check'
import { client, kedaClient, loadService, pause, ref } from '../../grpc/harness.ts'

export interface KedaOrders {
  readonly port: number
  /** How many orders were carried out. */
  readonly done: Int32Array
}

export type KedaOrder =
  | { readonly kind: 'getMetrics'; readonly times: number }
  | { readonly kind: 'liveness'; readonly until: 'SERVING' | 'NOT_SERVING' }

if (parentPort !== null) {
  const { port, done } = workerData as KedaOrders
  const keda = kedaClient(port)
  const health = client(loadService(healthProto, 'grpc.health.v1.Health'), port)
  parentPort.on('message', async (order: KedaOrder) => {
    if (order.kind === 'getMetrics') {
      const asked = { scaledObjectRef: ref('h100'), metricName: '' }
      for (let time = 0; time < order.times; time++) {
        const { value } = await keda.call('GetMetrics', asked)
        if (value === undefined) throw new Error('no answer')
      }
    } else {
      const status = async () => (await health.call('Check', { service: 'liveness' })).value?.['status']
      while ((await status()) !== order.until) await pause(20)
    }
    Atomics.add(done, 0, 1)
    Atomics.notify(done, 0)
  })
}
