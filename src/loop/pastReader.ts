// The past read back in a thread of its own: days of it are parsed and learnt while the event loop answers KEDA, and while
// the first ticks are decided with what is known early.
import { type MessagePort, Worker } from 'node:worker_threads'
import type { PolicySet } from '../core/policy.ts'
import { emptyState, type State } from '../core/state.ts'
import type { CaughtUp } from './readPast.ts'

/** `Facts`: what cannot be read from the past and is told instead. */
export interface PastQuestion<Facts> {
  readonly policies: PolicySet
  /** The last tick that is to be known. */
  readonly previous: number
  readonly facts: Facts
}

/** `Aside`: what else the reader tells on its way. */
export type PastAnswer<Aside> =
  | { readonly kind: 'latest'; readonly state: State }
  | { readonly kind: 'whole'; readonly caught: CaughtUp }
  | { readonly kind: 'aside'; readonly aside: Aside }

/** A past that is being read. Neither promise rejects: a reader that fails has lost all of it. */
export interface Reading {
  /** What the first decision needs most. */
  readonly latest: Promise<State | undefined>
  readonly whole: Promise<CaughtUp>
  readonly stop: () => void
}

interface ReaderOptions<Aside> {
  /** The module that calls `answerPast`. */
  readonly entry: URL
  /** For that module. */
  readonly settings: unknown
  readonly memoryLimitMebibytes: number
  readonly told: (aside: Aside) => void
}

/** Most of what is read is garbage at once: a larger nursery saves a third of the time. */
const nurseryMebibytes = 32

/** Facts may come later than the thread needs to start; where they cannot be had, nothing is read. */
export function readInWorker<Facts, Aside>(
  { facts, ...question }: Omit<PastQuestion<Facts>, 'facts'> & { readonly facts: Promise<Facts> },
  { entry, settings, memoryLimitMebibytes, told }: ReaderOptions<Aside>,
): Reading {
  const worker = new Worker(entry, {
    name: 'past',
    workerData: settings,
    resourceLimits: {
      maxOldGenerationSizeMb: memoryLimitMebibytes,
      maxYoungGenerationSizeMb: nurseryMebibytes,
    },
  })
  const latest = Promise.withResolvers<State | undefined>()
  const whole = Promise.withResolvers<CaughtUp>()
  const failed = (why: string): void => {
    latest.resolve(undefined)
    whole.resolve({ state: emptyState, lost: [`the past: ${why}`] })
  }
  worker.on('message', (answer: PastAnswer<Aside>) => {
    switch (answer.kind) {
      case 'latest':
        latest.resolve(answer.state)
        return
      case 'whole':
        latest.resolve(answer.caught.state)
        whole.resolve(answer.caught)
        void worker.terminate()
        return
      case 'aside':
        told(answer.aside)
    }
  })
  worker.on('error', (error: Error) => failed(`the reader crashed: ${error.message}`))
  worker.on('exit', () => failed('the reader ended'))
  facts.then(
    (told) => worker.postMessage({ ...question, facts: told } satisfies PastQuestion<Facts>),
    (error: unknown) => {
      failed(error instanceof Error ? error.message : String(error))
      void worker.terminate()
    },
  )
  return {
    latest: latest.promise,
    whole: whole.promise,
    stop: () => void worker.terminate(),
  }
}

/** The worker's side: answers one question. */
export function answerPast<Facts, Aside>(
  port: MessagePort,
  read: (question: PastQuestion<Facts>, tell: (answer: PastAnswer<Aside>) => void) => Promise<void>,
): void {
  port.once('message', (question: PastQuestion<Facts>) => {
    // A defect ends the worker, which its owner is told.
    void read(question, (answer) => port.postMessage(answer))
  })
}
