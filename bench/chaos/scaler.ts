// The scaler's process without its network: the loop, the decision, what is published and measured, and the past that is read back
// at a start, all as `serve` puts them together. Ending it loses all that it knew.
import { decide } from '../../src/core/decide.ts'
import type { Decision } from '../../src/core/decision.ts'
import type { PolicySet } from '../../src/core/policy.ts'
import type { Tools } from '../../src/core/tools.ts'
import { catchUp, type Known, type Question } from '../../src/loop/catchUp.ts'
import type { Clock } from '../../src/loop/clock.ts'
import { publishedDecision } from '../../src/loop/publication.ts'
import type { PastPorts } from '../../src/loop/readPast.ts'
import { controlLoop, type TickReport } from '../../src/loop/tick.ts'
import { Random } from '../../src/simulation/random.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { active, type Fault } from './faults.ts'
import type { Monitoring } from './monitoring.ts'

/** As `serve` has them by default. */
const timing = {
  intervalSeconds: 15,
  evaluationDelaySeconds: 2,
  observeDeadlineSeconds: 21,
  retrySeconds: 3,
}
const decideLimitSeconds = 20

export interface ScalerOptions {
  readonly policies: PolicySet
  readonly tools: Tools
  readonly clock: Clock
  readonly monitoring: Monitoring
  readonly faults: readonly Fault[]
  /** Seconds of the world, which the clock may be wrong about. */
  readonly second: () => number
  readonly seed: number
  /** What it goes on from; without it, from what can be read back. */
  readonly known?: Known
  /** Its worker is never harmed. */
  readonly lucky?: true
}

export type Scaler = ReturnType<typeof startScaler>

export function startScaler(options: ScalerOptions) {
  const { policies, tools, clock, monitoring, faults, second } = options
  const stopping = new AbortController()
  const publication = publishedDecision(clock.now, 'target')
  publication.setPolicies(policies)
  const metrics = createMetrics(clock.now, 'bench')
  const past: PastPorts = {
    clock,
    observe: async (_, span, signals) => {
      if (active(faults, 'prometheusGone', second())) throw new Error('no connection')
      return monitoring.lookBack(span, signals, second())
    },
    lastDecided: async (_, at) => monitoring.lastDecided(at),
    decide: async (...asked) => decide(...asked, tools),
    pause: async () => undefined,
    progress: () => undefined,
  }
  const lost: string[] = []
  let known = options.known
  let latest: Decision | undefined
  let harmed: Fault | undefined
  const loop = controlLoop(
    {
      clock,
      policies: async () => policies,
      observe: async (_, at, signal) => {
        if (active(faults, 'prometheusGone', second())) throw new Error('Prometheus answers no query')
        const slow = active(faults, 'prometheusSlow', second())
        if (slow !== undefined) await clock.sleep(30 * new Random(options.seed, second()).uniform(), signal)
        signal.throwIfAborted()
        return monitoring.look(at, second())
      },
      catchUp: async (question: Question, signal) => {
        const asked = { ...question, known: question.known ?? options.known }
        const caught = await catchUp(asked, past, { ...timing, limitSeconds: 20 }, signal)
        lost.push(...caught.lost)
        return caught.state
      },
      decide: async (...asked) => {
        const fault = options.lucky ? undefined : active(faults, 'workerKilled', second())
        if (fault !== undefined && fault !== harmed) {
          harmed = fault
          if (fault.severity < 0.5) await clock.sleep(decideLimitSeconds, stopping.signal)
          throw new Error('the deciding worker ended')
        }
        return decide(...asked, tools)
      },
      publish: ({ decision, state }) => {
        known = { state, decidedAt: decision.at, policies }
        metrics.decided(decision, state)
        publication.publish(decision)
        latest = decision
      },
      report: (report: TickReport) => {
        outcomes[report.outcome.kind] += 1
      },
    },
    timing,
  )
  const outcomes = { published: 0, followed: 0, repeated: 0, failed: 0 }
  const running = loop.run(stopping.signal)
  return {
    publication,
    lost,
    outcomes,
    known: () => known,
    latest: () => latest,
    metricsText: async () => (await metrics.render()).text,
    /** Ticks that were decided are asked for once more, in the wrong order. */
    repeat: () => {
      const decidedAt = known?.decidedAt
      for (const late of decidedAt === undefined ? [] : [0, 15, 0, 300])
        void loop.tick((decidedAt ?? 0) - late, stopping.signal)
    },
    kill: async () => {
      stopping.abort()
      await running
    },
  }
}
