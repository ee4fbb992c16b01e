// The thread that answers KEDA, as the rest of the server sees it. It has nothing else to do, so that no call waits for a tick: what
// goes there are the targets alone, what comes back are problems and, a few times a second, figures.
import { Worker } from 'node:worker_threads'
import type { PolicySet } from '../core/policy.ts'
import type { FinishedCall } from '../grpc/calls.ts'
import type { TlsFiles } from '../grpc/certificates.ts'
import type { ReportedProblem } from '../grpc/problems.ts'
import {
  type AskablePolicies,
  askablePolicies,
  type Emission,
  type TellableDecision,
  tellableDecision,
} from '../loop/publication.ts'

export interface KedaSettings {
  readonly address: string
  /** 0: any free port. */
  readonly port: number
  readonly tls?: TlsFiles
  readonly emission: Emission
  /** Those in force at first. */
  readonly policies: AskablePolicies
  /** Where the rest of the server is silent for so long, it hangs: targets grow stale, and liveness says so. */
  readonly silentSeconds: number
}

export type ToKeda =
  | { readonly kind: 'policies'; readonly policies: AskablePolicies }
  | { readonly kind: 'decision'; readonly decision: TellableDecision }
  /** The rest of the server lives. */
  | { readonly kind: 'beat' }
  | { readonly kind: 'stop'; readonly graceMilliseconds: number }

export type FromKeda =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'figures'; readonly figures: KedaFigures }
  | { readonly kind: 'problem'; readonly problem: ReportedProblem }
  | { readonly kind: 'certificateProblem'; readonly text: string }
  | { readonly kind: 'stopped' }

export interface KedaFigures {
  /** That ended since the last figures. */
  readonly calls: readonly FinishedCall[]
  readonly streamsOpen: number
  /** How late the thread was at most since the last figures: so long a call may have waited. */
  readonly longestDelaySeconds: number
  readonly heapUsedBytes: number
  /** What keeps a thread alive: sockets, timers, requests. */
  readonly activeResources: number
}

interface KedaEars {
  readonly figures: (figures: KedaFigures) => void
  readonly problem: (problem: ReportedProblem) => void
  readonly certificateProblem: (text: string) => void
  /** The thread ended without having been told to: nobody answers KEDA any more. */
  readonly lost: (error: Error) => void
}

export interface KedaThread {
  readonly port: number
  readonly setPolicies: (policies: PolicySet) => void
  readonly publish: (decision: TellableDecision) => void
  /** Streams end with OK, calls under way finish; after the grace what is left is cut. */
  readonly stop: (graceMilliseconds: number) => Promise<void>
}

/** While the rest of the server lives it is heard so many times before it counts as silent. */
const beatsBeforeSilent = 12

/** A stream takes 8 KiB, and nearly all that a call leaves is garbage at once. */
const resourceLimits = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 8 }

/** Rejects where it cannot listen. */
export function startKedaThread(entry: URL, settings: KedaSettings, ears: KedaEars): Promise<KedaThread> {
  const worker = new Worker(entry, { workerData: settings, name: 'keda', resourceLimits })
  const tell = (message: ToKeda): void => worker.postMessage(message)
  const beat = setInterval(() => tell({ kind: 'beat' }), (1000 * settings.silentSeconds) / beatsBeforeSilent)
  const listening = Promise.withResolvers<number>()
  const stopped = Promise.withResolvers<void>()
  worker.on('message', (message: FromKeda) => {
    switch (message.kind) {
      case 'listening':
        return listening.resolve(message.port)
      case 'figures':
        return ears.figures(message.figures)
      case 'problem':
        return ears.problem(message.problem)
      case 'certificateProblem':
        return ears.certificateProblem(message.text)
      case 'stopped':
        return stopped.resolve()
    }
  })
  let state: 'serving' | 'stopping' = 'serving'
  let end = new Error('the thread that answers KEDA ended')
  worker.on('error', (error: Error) => {
    end = error
  })
  worker.on('exit', () => {
    clearInterval(beat)
    listening.reject(end)
    stopped.resolve()
    if (state === 'serving') ears.lost(end)
  })
  return listening.promise.then((port) => ({
    port,
    setPolicies: (policies) => tell({ kind: 'policies', policies: askablePolicies(policies) }),
    publish: (decision) => tell({ kind: 'decision', decision: tellableDecision(decision) }),
    stop: async (graceMilliseconds) => {
      state = 'stopping'
      tell({ kind: 'stop', graceMilliseconds })
      await stopped.promise
      await worker.terminate()
    },
  }))
}
