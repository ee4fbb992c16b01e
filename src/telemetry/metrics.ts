// Everything that /metrics shows: decisions, and how the server itself fares. docs/OPERATIONS.md lists the names.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Decision } from '../core/decision.ts'
import type { State } from '../core/state.ts'
import { decisionMetrics } from './decisionMetrics.ts'

export interface Metrics {
  readonly decided: (decision: Decision, state: State) => void
  /** Another server's decision is told, of that tick, and none of one's own. */
  readonly followed: (at: number) => void
  readonly ticked: (tick: TickFigures) => void
  readonly queried: (query: QueryFigures) => void
  readonly journaled: (outcome: 'written' | 'failed') => void
  /** Of a tick, by its number on the grid. */
  readonly digested: (tick: number, digests: Readonly<Record<'targets' | 'observation', number>>) => void
  readonly policiesLoaded: (load: PolicyLoadFigures) => void
  readonly called: (call: CallFigures) => void
  readonly answering: (thread: AnsweringFigures) => void
  readonly workerLost: () => void
  /** Of the decision that is published; `policies` is their digest. */
  readonly restsOn: (on: { readonly past: PastBehind; readonly policies: number }) => void
  readonly render: () => Promise<{ readonly contentType: string; readonly text: string }>
}

/** What of the past that is read at a start a decision rests on. */
export type PastBehind = 'allOfThePast' | 'someOfThePast'

export interface TickFigures {
  readonly outcome: 'published' | 'followed' | 'repeated' | 'failed'
  /** The step that failed, where one did. */
  readonly failedStep?: string
  readonly seconds: { readonly whole: number; readonly observe?: number; readonly decide?: number }
}

export interface QueryFigures {
  readonly query: string
  readonly outcome: string
  readonly seconds: number
}

export interface PolicyLoadFigures {
  readonly policies: number
  /** Of the newest files; 0 where they are in force. */
  readonly problems: number
  /** When the policies in force were loaded, seconds since the epoch. */
  readonly loadedAt: number
}

export interface CallFigures {
  /** `/package.Service/Method`. */
  readonly path: string
  readonly code: string
  readonly seconds: number
}

/** Of the thread that answers KEDA, now and since the last figures. */
export interface AnsweringFigures {
  readonly streamsOpen: number
  readonly longestDelaySeconds: number
  readonly heapUsedBytes: number
  readonly activeResources: number
}

/** `now` in seconds since the epoch, by the clock that decisions are dated with. */
export function createMetrics(now: () => number, version: string): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  new Gauge({
    name: 'mixscaler_build_info',
    help: 'Always 1; the labels say what runs.',
    labelNames: ['version', 'node'],
    registers: [registry],
  }).set({ version, node: process.versions.node }, 1)
  const decisions = decisionMetrics(registry, now)
  const { forgetPast, ...loop } = loopMetrics(registry)
  const { forgetDigests, ...agreement } = agreementMetrics(registry)
  return {
    decided: decisions.decided,
    followed: (at) => {
      decisions.followed(at)
      forgetPast()
      forgetDigests()
    },
    ...loop,
    ...agreement,
    ...policyMetrics(registry),
    ...grpcMetrics(registry),
    render: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  }
}

const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** An answer from memory takes well under a millisecond. */
const callBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1]

const delayBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1]

function loopMetrics(
  registry: Registry,
): Pick<Metrics, 'ticked' | 'queried' | 'workerLost' | 'restsOn'> & { readonly forgetPast: () => void } {
  const ticks = new Counter({
    name: 'mixscaler_ticks_total',
    help: 'Ticks by outcome.',
    labelNames: ['outcome'],
    registers: [registry],
  })
  const steps = new Histogram({
    name: 'mixscaler_tick_duration_seconds',
    help: 'Time of a tick and of its steps.',
    labelNames: ['step'],
    buckets: secondsBuckets,
    registers: [registry],
  })
  const errors = new Counter({
    name: 'mixscaler_tick_errors_total',
    help: 'Failed ticks by the step that failed; the last decision stands.',
    labelNames: ['step'],
    registers: [registry],
  })
  const queries = new Histogram({
    name: 'mixscaler_query_duration_seconds',
    help: 'Time of one query to Prometheus, by its outcome.',
    labelNames: ['query', 'outcome'],
    buckets: secondsBuckets,
    registers: [registry],
  })
  const workers = new Counter({
    name: 'mixscaler_decide_workers_lost_total',
    help: 'Workers that hung, crashed or ran out of memory while deciding, and were replaced.',
    registers: [registry],
  })
  const past = new Gauge({
    name: 'mixscaler_past_read',
    help: '1 where decisions rest on all of the past that is read at start; 0 while it is read, or where some was lost: other servers may know more.',
    registers: [registry],
  })
  let decidedBy: number | undefined
  const policies = new Gauge({
    name: 'mixscaler_policies_digest',
    help: 'Of the policies that the last decision was taken by: while their past is read, servers follow only those with equal ones.',
    registers: [registry],
    collect() {
      if (decidedBy === undefined) this.remove()
    },
  })
  for (const outcome of ['published', 'followed', 'repeated', 'failed']) ticks.inc({ outcome }, 0)
  for (const step of ['policies', 'observe', 'catchUp', 'decide', 'publish']) errors.inc({ step }, 0)
  return {
    ticked: ({ outcome, failedStep, seconds }) => {
      ticks.inc({ outcome })
      if (failedStep !== undefined) errors.inc({ step: failedStep })
      for (const [step, taken] of Object.entries(seconds)) steps.observe({ step }, taken)
    },
    queried: ({ query, outcome, seconds }) => queries.observe({ query, outcome }, seconds),
    workerLost: () => workers.inc(),
    restsOn: (on) => {
      past.set(on.past === 'allOfThePast' ? 1 : 0)
      decidedBy = on.policies
      policies.set(decidedBy)
    },
    forgetPast: () => past.set(0),
  }
}

/** Digests of so many ticks are shown at a time, so that servers scraped at different moments can be compared. */
const digestSlots = 8

function agreementMetrics(
  registry: Registry,
): Pick<Metrics, 'journaled' | 'digested'> & { readonly forgetDigests: () => void } {
  const journal = new Counter({
    name: 'mixscaler_journal_ticks_total',
    help: 'Ticks by whether the journal has them; only with --journal.',
    labelNames: ['outcome'],
    registers: [registry],
  })
  const digests = new Gauge({
    name: 'mixscaler_tick_digest',
    help: 'Digest of what was seen and of what KEDA is told, for the latest ticks: equal on servers that agree.',
    labelNames: ['of', 'slot'],
    registers: [registry],
  })
  return {
    journaled: (outcome) => journal.inc({ outcome }),
    digested: (tick, { targets, observation }) => {
      const slot = String(tick % digestSlots)
      digests.set({ of: 'targets', slot }, targets)
      digests.set({ of: 'observation', slot }, observation)
    },
    forgetDigests: () => digests.reset(),
  }
}

function policyMetrics(registry: Registry): Pick<Metrics, 'policiesLoaded'> {
  const state = (name: string, help: string) =>
    new Gauge({ name: `mixscaler_${name}`, help, registers: [registry] })
  const policies = state('policies', 'Policies in force.')
  const problems = state(
    'policy_problems',
    'Problems of the newest policy files; above 0 they are not in force.',
  )
  const loadedAt = state('policies_loaded_timestamp_seconds', 'When the policies in force were loaded.')
  return {
    policiesLoaded: (load) => {
      policies.set(load.policies)
      problems.set(load.problems)
      loadedAt.set(load.loadedAt)
    },
  }
}

/** The path comes from the caller: only those that exist become a label. */
const methods: ReadonlyMap<string, string> = new Map(
  ['GetMetricSpec', 'GetMetrics', 'IsActive', 'StreamIsActive', 'StreamMetricSpec'].map((method) => [
    `/externalscaler.ExternalScaler/${method}`,
    method,
  ]),
)

function grpcMetrics(registry: Registry): Pick<Metrics, 'called' | 'answering'> {
  const calls = new Histogram({
    name: 'mixscaler_grpc_call_duration_seconds',
    help: 'Calls by method and gRPC code; a stream lasts until it ends.',
    labelNames: ['method', 'code'],
    buckets: callBuckets,
    registers: [registry],
  })
  const state = (name: string, help: string) =>
    new Gauge({ name: `mixscaler_grpc_${name}`, help, registers: [registry] })
  const streams = state('streams_open', 'StreamIsActive streams that are open.')
  const heap = state('thread_heap_bytes', 'Heap in use of the thread that answers KEDA.')
  const resources = state(
    'thread_active_resources',
    'Sockets, timers and requests of the thread that answers KEDA.',
  )
  const delays = new Histogram({
    name: 'mixscaler_grpc_thread_delay_seconds',
    help: 'How late the thread that answers KEDA was at most, each quarter of a second: so long a call may have waited.',
    buckets: delayBuckets,
    registers: [registry],
  })
  return {
    called: ({ path, code, seconds }) =>
      calls.observe({ method: methods.get(path) ?? 'other', code }, seconds),
    answering: ({ streamsOpen, longestDelaySeconds, heapUsedBytes, activeResources }) => {
      streams.set(streamsOpen)
      delays.observe(longestDelaySeconds)
      heap.set(heapUsedBytes)
      resources.set(activeResources)
    },
  }
}
