// Runs jobs on worker threads, remembers what came of them in a file of JSON lines, and shows how far it is. A run that
// breaks off is taken up where it ended.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { type Job, keyOf, type Ran } from './job.ts'

export interface PoolOptions {
  readonly data: string
  readonly days: number
  /** Undefined: nothing is kept. */
  readonly cache: string | undefined
  readonly threads: number
}

export type Results = ReadonlyMap<string, Ran>

export async function runAll(jobs: readonly Job[], options: PoolOptions): Promise<Results> {
  const { days, cache, threads } = options
  const results = remembered(cache)
  const left = new Map(jobs.map((job) => [keyOf(job, days), job] as const))
  for (const key of results.keys()) left.delete(key)
  const queue = [...left.values()]
  const total = queue.length
  let done = 0
  const keep = (job: Job, ran: Ran): void => {
    results.set(keyOf(job, days), ran)
    if (cache !== undefined) appendFileSync(cache, `${JSON.stringify([keyOf(job, days), ran])}\n`)
    done++
    process.stderr.write(`\r${done} of ${total} runs  ${nameOf(job).padEnd(90).slice(0, 90)}`)
  }
  await Promise.all(Array.from({ length: Math.min(threads, total) }, () => work(queue, options, keep)))
  if (total > 0) process.stderr.write('\n')
  return results
}

/** One worker until the queue is empty; a job that fails ends everything, with its name. */
function work(queue: Job[], { data, days }: PoolOptions, keep: (job: Job, ran: Ran) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('worker.ts', import.meta.url), { workerData: { data, days } })
    let current: Job | undefined
    const next = (): void => {
      current = queue.shift()
      if (current === undefined) void worker.terminate().then(() => resolve())
      else worker.postMessage(current)
    }
    worker.on('message', ({ job, ran }: { readonly job: Job; readonly ran: Ran }) => {
      keep(job, ran)
      next()
    })
    worker.on('error', (error) => {
      reject(new Error(`${current === undefined ? 'worker' : nameOf(current)}: ${error.message}`))
    })
    next()
  })
}

function remembered(cache: string | undefined): Map<string, Ran> {
  if (cache === undefined || !existsSync(cache)) return new Map()
  const lines = readFileSync(cache, 'utf8').split('\n')
  return new Map(lines.filter((line) => line.endsWith(']')).map((line) => JSON.parse(line) as [string, Ran]))
}

function nameOf(job: Job): string {
  const { trace, fleet, startupSeconds, seed, fidelity = '' } = job.cell
  const cell = `${trace} ${fleet} ${startupSeconds} s seed ${seed} ${fidelity}`
  switch (job.kind) {
    case 'bound':
      return `${cell}: bound`
    case 'clairvoyant':
    case 'sighted':
      return `${cell}: ${job.kind} x ${job.factor}`
    case 'peer':
      return `${cell}: ${job.peer}, ${job.label}`
    case 'ours':
      return `${cell}: mixscaler ${job.behavior}`
  }
}
