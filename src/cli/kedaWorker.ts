// The thread of `serve` that answers KEDA: the published targets and the gRPC server, and nothing that could take long.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import { parentPort, workerData } from 'node:worker_threads'
import type { FinishedCall } from '../grpc/calls.ts'
import { type GrpcServer, startGrpcServer } from '../grpc/server.ts'
import { systemClock } from '../loop/clock.ts'
import { publishedDecision } from '../loop/publication.ts'
import type { FromKeda, KedaSettings, ToKeda } from './kedaThread.ts'

if (parentPort === null) throw new Error('this module runs as a worker thread')
const port = parentPort
const { address, port: grpcPort, tls, emission, policies, silentSeconds } = workerData as KedaSettings

const figuresMilliseconds = 250
/** Of the timer that notices how late the thread is. */
const delayMilliseconds = 10

const publication = publishedDecision(systemClock.now, emission)
publication.setPolicies(policies)
let calls: FinishedCall[] = []
let streamsOpen = 0
const delays = monitorEventLoopDelay({ resolution: delayMilliseconds })
delays.enable()

const server = await startGrpcServer({
  publication,
  address,
  port: grpcPort,
  ...(tls === undefined ? {} : { tls }),
  reflection: 'on',
  finished: (call) => calls.push(call),
  streamsOpen: (count) => {
    streamsOpen = count
  },
  problem: (problem) => tell({ kind: 'problem', problem }),
  certificateProblem: (text) => tell({ kind: 'certificateProblem', text }),
})
watchOver(server)
tell({ kind: 'listening', port: server.port })

function tell(message: FromKeda): void {
  port.postMessage(message)
}

function report(): void {
  const longestMilliseconds = delays.max / 1e6
  tell({
    kind: 'figures',
    figures: {
      calls,
      streamsOpen,
      longestDelaySeconds: Math.max(0, longestMilliseconds - delayMilliseconds) / 1000,
      heapUsedBytes: getHeapStatistics().used_heap_size,
      activeResources: process.getActiveResourcesInfo().length,
    },
  })
  calls = []
  delays.reset()
}

function watchOver({ sayAlive, stop }: GrpcServer): void {
  let heardAt = performance.now()
  setInterval(() => {
    sayAlive(performance.now() - heardAt > 1000 * silentSeconds ? 'NOT_SERVING' : 'SERVING')
    report()
  }, figuresMilliseconds)
  port.on('message', (message: ToKeda) => {
    heardAt = performance.now()
    switch (message.kind) {
      case 'policies':
        return publication.setPolicies(message.policies)
      case 'decision':
        return publication.publish(message.decision)
      case 'beat':
        return
      case 'stop':
        void stop(message.graceMilliseconds).then(() => {
          report()
          tell({ kind: 'stopped' })
        })
    }
  })
}
