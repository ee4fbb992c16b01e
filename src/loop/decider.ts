// `decide` in a worker thread, so that a hard program never blocks the event loop that answers KEDA.
// A worker that hangs, crashes or eats memory is replaced; its tick fails and the last decision stands.
import { type MessagePort, Worker } from 'node:worker_threads'
import type { Decided } from '../core/decide.ts'
import type { Observation } from '../core/observation.ts'
import type { PolicySet } from '../core/policy.ts'
import type { State } from '../core/state.ts'

/** `decide` with its tools in hand. */
export type Decide = (policies: PolicySet, state: State, observation: Observation) => Decided

export interface Decider {
  /** One decision at a time. Rejects when there is none; the caller keeps the last one. */
  readonly decide: (policies: PolicySet, state: State, observation: Observation) => Promise<Decided>
  readonly close: () => Promise<void>
}

interface WorkerOptions {
  /** The module that calls `answerDecisions`. */
  readonly entry: URL
  /** Wall clock; it never shapes a decision, it only ends a worker that hangs. */
  readonly limitSeconds: number
  readonly memoryLimitMebibytes: number
  /** Told each time a worker is given up. */
  readonly lost: (why: string) => void
}

/** What the worker has already, from its last answer, is not copied to it again: state and policies are the bulk. */
interface Question {
  readonly policies: PolicySet | 'asBefore'
  readonly state: State | 'asDecided'
  readonly observation: Observation
}

type Answer =
  | { readonly kind: 'decided'; readonly decided: Decided }
  | { readonly kind: 'failed'; readonly why: string }

/** The worker's side: answers each question with `decide`. */
export function answerDecisions(port: MessagePort, decide: Decide): void {
  let inForce: PolicySet | undefined
  let decided: State | undefined
  port.on('message', ({ policies, state, observation }: Question) => {
    const answered = answer(() => {
      inForce = policies === 'asBefore' ? inForce : policies
      const before = state === 'asDecided' ? decided : state
      if (inForce === undefined || before === undefined)
        throw new Error('the worker was never told the state')
      return decide(inForce, before, observation)
    })
    decided = answered.kind === 'decided' ? answered.decided.state : undefined
    port.postMessage(answered)
  })
}

export function decideInWorker(options: WorkerOptions): Decider {
  let worker: Worker | undefined = start()
  /** What the worker of now holds after its last answer. */
  let held: { readonly worker: Worker; readonly policies: PolicySet; readonly state: State } | undefined

  function start(): Worker {
    const resourceLimits = { maxOldGenerationSizeMb: options.memoryLimitMebibytes }
    const started = new Worker(options.entry, { resourceLimits, name: 'decide' })
    let why = 'the worker ended'
    started.on('error', (error: Error) => {
      why = `the worker crashed: ${error.message}`
    })
    started.on('exit', () => {
      if (worker !== started) return
      worker = undefined
      options.lost(why)
    })
    return started
  }

  async function stop(): Promise<void> {
    const stopped = worker
    worker = undefined
    await stopped?.terminate()
  }

  return {
    decide: async (policies, state, observation) => {
      worker ??= start()
      const asked = worker
      const question: Question = {
        policies: held?.worker === asked && held.policies === policies ? 'asBefore' : policies,
        state: held?.worker === asked && held.state === state ? 'asDecided' : state,
        observation,
      }
      held = undefined
      const received = await ask(asked, question, options.limitSeconds)
      switch (received.kind) {
        case 'decided':
          held = { worker: asked, policies, state: received.decided.state }
          return received.decided
        case 'failed':
          throw new Error(received.why)
        case 'hung':
          options.lost('the worker hung')
          await stop()
          throw new Error(`no decision within ${options.limitSeconds} s`)
      }
    },
    close: stop,
  }
}

function answer(decide: () => Decided): Answer {
  try {
    return { kind: 'decided', decided: decide() }
  } catch (error) {
    return { kind: 'failed', why: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

function ask(
  worker: Worker,
  question: Question,
  limitSeconds: number,
): Promise<Answer | { readonly kind: 'hung' }> {
  return new Promise((resolve, reject) => {
    const onMessage = (received: Answer) => settle(() => resolve(received))
    const onError = (error: Error) => settle(() => reject(error))
    const onExit = () => settle(() => reject(new Error('the worker ended before it answered')))
    const timer = setTimeout(() => settle(() => resolve({ kind: 'hung' })), limitSeconds * 1000)
    function settle(act: () => void): void {
      clearTimeout(timer)
      worker.off('message', onMessage).off('error', onError).off('exit', onExit)
      act()
    }
    worker.on('message', onMessage).on('error', onError).on('exit', onExit)
    worker.postMessage(question)
  })
}
