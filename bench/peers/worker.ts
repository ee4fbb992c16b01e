// A thread that runs jobs one after the other and sends back what came of them.
import { parentPort, workerData } from 'node:worker_threads'
import { createTools } from '../../src/core/tools.ts'
import { loadEngines } from '../../src/solvers/engines.ts'
import { type Job, preparing, runJob } from './job.ts'

const { data, days } = workerData as { readonly data: string; readonly days: number }
const tools = createTools(await loadEngines())
const prepared = preparing(data, days)
parentPort?.on('message', (job: Job) => {
  const before = process.cpuUsage()
  const ran = runJob(job, prepared, tools)
  const { user, system } = process.cpuUsage(before)
  parentPort?.postMessage({ job, ran, cpuSeconds: (user + system) / 1e6 })
})
