// Many backtests over a few worker threads: one per seed and setting. Results come back in the order of the jobs,
// whatever finished first, so that the number of threads changes nothing but the time.
import { Worker } from 'node:worker_threads'
import type { Setup } from '../backtest/backtest.ts'
import type { Result } from '../backtest/result.ts'
import type { Observation } from '../core/observation.ts'
import { CommandError, exitCodes } from './exit.ts'
import type { TrafficDescription } from './traceFiles.ts'

/** Plain data, to be sent to a worker. */
export interface BacktestJob extends Omit<Setup, 'traffic' | 'tools' | 'controllerOf'> {
  readonly traffic: TrafficDescription
  readonly controller: string
  /** Whether the clairvoyant bound is worked out too. */
  readonly bound: 'asked' | 'not asked'
}

export type JobMessage =
  | { readonly kind: 'at'; readonly seconds: number }
  /** Before it is done: what the controller saw at the busiest instant. */
  | { readonly kind: 'busiest'; readonly observation: Observation }
  | { readonly kind: 'done'; readonly result: Result }
  /** `known`: foreseen, and written for people. */
  | { readonly kind: 'failed'; readonly why: string; readonly known: boolean }

export interface JobsOptions {
  readonly workers: number
  /** Simulated seconds of all jobs together. */
  readonly simulated: (seconds: number) => void
  /** What the controller of a job saw at its busiest instant. */
  readonly busiest?: (job: BacktestJob, observation: Observation) => void
  /** Ends the workers. */
  readonly signal: AbortSignal
}

const entry = new URL(
  import.meta.url.endsWith('.ts') ? './backtestWorker.ts' : './backtestWorker.js',
  import.meta.url,
)

export async function runJobs(
  jobs: readonly BacktestJob[],
  options: JobsOptions,
): Promise<readonly Result[]> {
  const results = new Map<number, Result>()
  const at = jobs.map(() => 0)
  let next = 0
  const work = async (): Promise<void> => {
    const worker = new Worker(entry)
    const ending = (): void => void worker.terminate()
    options.signal.addEventListener('abort', ending)
    try {
      while (next < jobs.length) {
        const index = next++
        const job = jobs[index] as BacktestJob
        const result = await answered(worker, job, options, (seconds) => {
          at[index] = Math.min(seconds, job.traffic.untilSeconds)
          options.simulated(at.reduce((sum, each) => sum + each, 0))
        })
        results.set(index, result)
        at[index] = job.traffic.untilSeconds
      }
    } finally {
      options.signal.removeEventListener('abort', ending)
      await worker.terminate()
    }
  }
  await Promise.all(Array.from({ length: Math.min(options.workers, jobs.length) }, work))
  return jobs.map((_, index) => results.get(index) as Result)
}

function answered(
  worker: Worker,
  job: BacktestJob,
  { signal, busiest }: JobsOptions,
  at: (seconds: number) => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const heard = (message: JobMessage): void => {
      switch (message.kind) {
        case 'at':
          at(message.seconds)
          return
        case 'busiest':
          busiest?.(job, message.observation)
          return
        case 'done':
          leave()
          resolve(message.result)
          return
        case 'failed':
          leave()
          reject(message.known ? new CommandError(exitCodes.failed, message.why) : new Error(message.why))
      }
    }
    const failed = (error: Error): void => {
      leave()
      reject(error)
    }
    const ended = (): void =>
      failed(
        signal.aborted ? new CommandError(exitCodes.failed, 'stopped') : new Error('a worker thread ended'),
      )
    // Its own listeners only: the worker takes the next job after this one.
    const leave = (): void => {
      worker.off('message', heard)
      worker.off('error', failed)
      worker.off('exit', ended)
    }
    worker.on('message', heard)
    worker.on('error', failed)
    worker.on('exit', ended)
    worker.postMessage(job)
  })
}
