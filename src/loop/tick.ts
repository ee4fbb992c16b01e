// One tick: observe, decide, publish. What fails is caught here and reported; the last decision stands.
// Ticks may come twice, late, in the wrong order or after a clock jump: a tick that was decided is not decided again.
import type { Decided } from '../core/decide.ts'
import type { Decision } from '../core/decision.ts'
import type { Observation } from '../core/observation.ts'
import type { PolicySet } from '../core/policy.ts'
import type { State } from '../core/state.ts'
import type { Known, Question } from './catchUp.ts'
import { type Clock, tickAt, withDeadline } from './clock.ts'

export interface LoopPorts {
  readonly clock: Clock
  /** The policies in force, reloaded if they changed. Must not fail: a bad file leaves the good ones in force. */
  readonly policies: () => Promise<PolicySet>
  /**
   * Tells what another server decided, where this one is not to decide for itself yet: the tick of that. Never rejects. Absent:
   * nobody is followed.
   */
  readonly follow?: (policies: PolicySet, at: number, signal: AbortSignal) => Promise<number | undefined>
  readonly observe: (policies: PolicySet, at: number, signal: AbortSignal) => Promise<Observation>
  readonly decide: (policies: PolicySet, state: State, observation: Observation) => Promise<Decided>
  /** What is to be known before the tick at `at` is decided, where that is more than what is known already. */
  readonly catchUp: (question: Question, signal: AbortSignal) => Promise<State>
  readonly publish: (decided: DecidedTick) => void
  readonly report: (report: TickReport) => void
}

/** A decision with all that it was made from. */
export interface DecidedTick extends Decided {
  readonly policies: PolicySet
  readonly before: State
  readonly observation: Observation
}

interface LoopOptions {
  readonly intervalSeconds: number
  /** Ticks run so much after the instant that they look at: samples of that instant have arrived by then. */
  readonly evaluationDelaySeconds: number
  readonly observeDeadlineSeconds: number
  /** After a tick that failed, or that was not decided but followed: how soon it is tried again, if the next one is not sooner. */
  readonly retrySeconds: number
}

export interface TickReport {
  readonly at: number
  readonly outcome: TickOutcome
  /** How long the tick took, and the steps that were begun and ended. */
  readonly seconds: TickSeconds
}

export interface TickSeconds {
  readonly whole: number
  readonly observe?: number
  readonly decide?: number
}

export type TickOutcome =
  | { readonly kind: 'published'; readonly decision: Decision }
  /** Another server's decision is told, of that tick. */
  | { readonly kind: 'followed'; readonly at: number }
  /** This tick, or a later one, was decided before. */
  | { readonly kind: 'repeated' }
  | { readonly kind: 'failed'; readonly step: TickStep; readonly error: Error }

type TickStep = 'policies' | 'observe' | 'catchUp' | 'decide' | 'publish'

export interface ControlLoop {
  /** Decides for one instant of the grid; ticks asked for at the same time run one after the other. Never rejects. */
  readonly tick: (at: number, signal: AbortSignal) => Promise<TickReport>
  /** Ticks along the grid until the signal aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>
}

export function controlLoop(ports: LoopPorts, options: LoopOptions): ControlLoop {
  let known: Known | undefined
  let running: Promise<unknown> = Promise.resolve()

  async function attempt(at: number, signal: AbortSignal): Promise<TickReport> {
    const watch = stopwatch(ports.clock)
    let step: TickStep = 'policies'
    const report = (outcome: TickOutcome): TickReport => ({ at, outcome, seconds: watch.seconds() })
    try {
      const policies = await ports.policies()
      known = afterClockStep(known, at, policies)
      if (known !== undefined && at <= known.decidedAt) return report({ kind: 'repeated' })
      const follow = async () => ports.follow?.(policies, at, signal)
      const followed = await follow()
      if (followed !== undefined) return report({ kind: 'followed', at: followed })
      step = 'observe'
      const observing = (ended: AbortSignal) => ports.observe(policies, at, ended)
      const observation = await watch.time('observe', () =>
        withDeadline(ports.clock, 'observing', options.observeDeadlineSeconds, signal, observing),
      )
      step = 'catchUp'
      const before = await ports.catchUp({ policies, at, known }, signal)
      // Missed ticks that are lost leave it knowing less than others.
      const followedAfterAll = await follow()
      if (followedAfterAll !== undefined) return report({ kind: 'followed', at: followedAfterAll })
      step = 'decide'
      const decided = await watch.time('decide', () => ports.decide(policies, before, observation))
      known = { state: decided.state, decidedAt: at, policies }
      step = 'publish'
      ports.publish({ ...decided, policies, before, observation })
      return report({ kind: 'published', decision: decided.decision })
    } catch (error) {
      return report({
        kind: 'failed',
        step,
        error: error instanceof Error ? error : new Error(String(error)),
      })
    }
  }

  function tick(at: number, signal: AbortSignal): Promise<TickReport> {
    const turn = running.then(async () => {
      const report = await attempt(at, signal)
      ports.report(report)
      return report
    })
    running = turn
    return turn
  }

  return {
    tick,
    run: async (signal) => {
      const seen = () => ports.clock.now() - options.evaluationDelaySeconds
      while (!signal.aborted) {
        const { outcome } = await tick(tickAt(seen(), options.intervalSeconds), signal)
        const now = seen()
        const untilNext = tickAt(now, options.intervalSeconds) + options.intervalSeconds - now
        const soon = outcome.kind === 'failed' || outcome.kind === 'followed'
        const pause = soon ? Math.min(untilNext, options.retrySeconds) : untilNext
        await ports.clock.sleep(pause, signal)
      }
    },
  }
}

/**
 * A clock that was set back a little makes ticks repeat until it has caught up. Set back by more than every
 * staleness budget, waiting would be an outage: memory from the future is dropped, as a restart would.
 */
function afterClockStep(known: Known | undefined, at: number, { policies }: PolicySet): Known | undefined {
  const longest = Math.max(0, ...policies.map(({ behavior }) => behavior.stalenessBudgetSeconds))
  return known === undefined || at < known.decidedAt - longest ? undefined : known
}

function stopwatch(clock: Clock) {
  const begun = clock.now()
  const steps: { observe?: number; decide?: number } = {}
  return {
    seconds: (): TickSeconds => ({ whole: since(clock, begun), ...steps }),
    time: async <T>(step: keyof typeof steps, work: () => Promise<T>): Promise<T> => {
      const stepBegun = clock.now()
      const result = await work()
      steps[step] = since(clock, stepBegun)
      return result
    },
  }
}

/** Never negative, whatever happens to the clock. */
function since(clock: Clock, begun: number): number {
  return Math.max(0, clock.now() - begun)
}
