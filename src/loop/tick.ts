// One tick: observe, decide, publish. What fails is caught here and reported; the last decision stands.
// Ticks may come twice, late, in the wrong order or after a clock jump: a tick that was decided is not decided again.
import type { Decided } from '../core/decide.ts'
import type { Decision } from '../core/decision.ts'
import type { Observation } from '../core/observation.ts'
import type { PolicySet } from '../core/policy.ts'
import { emptyState, type State } from '../core/state.ts'
import { type Clock, tickAt, withDeadline } from './clock.ts'

export interface LoopPorts {
  readonly clock: Clock
  /** The policies in force, reloaded if they changed. Must not fail: a bad file leaves the good ones in force. */
  readonly policies: () => Promise<PolicySet>
  readonly observe: (policies: PolicySet, at: number, signal: AbortSignal) => Promise<Observation>
  readonly decide: (policies: PolicySet, state: State, observation: Observation) => Promise<Decided>
  readonly publish: (decision: Decision) => void
  readonly report: (report: TickReport) => void
}

export interface LoopOptions {
  readonly intervalSeconds: number
  readonly observeDeadlineSeconds: number
  /** After a failed tick: how soon it is tried again, if the next one is not sooner. */
  readonly retrySeconds: number
}

export interface TickReport {
  readonly at: number
  readonly outcome: TickOutcome
  readonly seconds: number
}

export type TickOutcome =
  | { readonly kind: 'published'; readonly decision: Decision }
  /** This tick, or a later one, was decided before. */
  | { readonly kind: 'repeated' }
  | { readonly kind: 'failed'; readonly step: TickStep; readonly error: Error }

export type TickStep = 'policies' | 'observe' | 'decide' | 'publish'

export interface ControlLoop {
  /** Decides for one instant of the grid; ticks asked for at the same time run one after the other. Never rejects. */
  readonly tick: (at: number, signal: AbortSignal) => Promise<TickReport>
  /** Ticks along the grid until the signal aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>
}

interface Memory {
  readonly state: State
  readonly decidedAt: number
}

export function controlLoop(ports: LoopPorts, options: LoopOptions): ControlLoop {
  let memory: Memory = { state: emptyState, decidedAt: Number.NEGATIVE_INFINITY }
  let running: Promise<unknown> = Promise.resolve()

  async function attempt(at: number, signal: AbortSignal): Promise<TickOutcome> {
    let step: TickStep = 'policies'
    try {
      const policies = await ports.policies()
      memory = afterClockStep(memory, at, policies)
      if (at <= memory.decidedAt) return { kind: 'repeated' }
      step = 'observe'
      const observation = await withDeadline(
        ports.clock,
        'observing',
        options.observeDeadlineSeconds,
        signal,
        (ended) => ports.observe(policies, at, ended),
      )
      step = 'decide'
      const { decision, state } = await ports.decide(policies, memory.state, observation)
      memory = { state, decidedAt: at }
      step = 'publish'
      ports.publish(decision)
      return { kind: 'published', decision }
    } catch (error) {
      return { kind: 'failed', step, error: error instanceof Error ? error : new Error(String(error)) }
    }
  }

  async function tick(at: number, signal: AbortSignal): Promise<TickReport> {
    const turn = running.then(async () => {
      const begun = ports.clock.now()
      const outcome = await attempt(at, signal)
      const report = { at, outcome, seconds: Math.max(0, ports.clock.now() - begun) }
      ports.report(report)
      return report
    })
    running = turn
    return turn
  }

  return {
    tick,
    run: async (signal) => {
      while (!signal.aborted) {
        const { outcome } = await tick(tickAt(ports.clock.now(), options.intervalSeconds), signal)
        const now = ports.clock.now()
        const untilNext = tickAt(now, options.intervalSeconds) + options.intervalSeconds - now
        const pause = outcome.kind === 'failed' ? Math.min(untilNext, options.retrySeconds) : untilNext
        await ports.clock.sleep(pause, signal)
      }
    },
  }
}

/**
 * A clock that was set back a little makes ticks repeat until it has caught up. Set back by more than every
 * staleness budget, waiting would be an outage: memory from the future is dropped, as a restart would.
 */
function afterClockStep(memory: Memory, at: number, { policies }: PolicySet): Memory {
  const longest = Math.max(0, ...policies.map(({ behavior }) => behavior.stalenessBudgetSeconds))
  return at < memory.decidedAt - longest ? { state: emptyState, decidedAt: Number.NEGATIVE_INFINITY } : memory
}
