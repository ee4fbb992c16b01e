// Does the process grow? The real loop, decision, publication, metrics, log, gRPC server and streams on virtual clocks, tick after
// tick: the heap after a full collection, at equal distances. It begins with nine days of past, so that every window is full.
import { connect } from 'node:http2'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { tickLog } from '../../src/cli/tickLog.ts'
import { decide } from '../../src/core/decide.ts'
import type { Decision } from '../../src/core/decision.ts'
import type { Observation } from '../../src/core/observation.ts'
import { nothingDecided } from '../../src/core/observe/ownSeries.ts'
import type { PolicySet, VariantId } from '../../src/core/policy.ts'
import { missing } from '../../src/core/reading.ts'
import { instantsOf } from '../../src/core/span.ts'
import { createTools } from '../../src/core/tools.ts'
import type { Clock as GrpcClock } from '../../src/grpc/clock.ts'
import { startGrpcServer } from '../../src/grpc/server.ts'
import { catchUp } from '../../src/loop/catchUp.ts'
import { observationDigest, targetsDigest } from '../../src/loop/digest.ts'
import { publishedDecision } from '../../src/loop/publication.ts'
import { controlLoop } from '../../src/loop/tick.ts'
import { Random } from '../../src/simulation/random.ts'
import { loadEngines } from '../../src/solvers/engines.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { blind, h100, l40s, policy, policySet, signals, variant } from '../../test/decide/world.ts'
import { virtualClock } from '../../test/loop/virtualClock.ts'
import { call, framesOf, openStream } from './keda.ts'
import { type HeapKinds, heapKinds } from './kinds.ts'

const intervalSeconds = 15
/** On the grid. */
const beginSeconds = 1_790_000_010
const streams = 50
const silent = () => undefined
const quiet = { debug: silent, info: silent, warn: silent, error: silent }

export interface TickRun {
  /** After those that warm up. */
  readonly ticks: readonly number[]
  /** Bytes, after a full collection. */
  readonly heap: readonly number[]
  /** Of them, by V8's name of the space: objects lie in `old`, what the compilers made of our code in `code` and `trusted`. */
  readonly spaces: Readonly<Record<string, readonly number[]>>
  /** Of the state as text. */
  readonly stateBytes: readonly number[]
  readonly kinds: { readonly first: HeapKinds; readonly last: HeapKinds }
  readonly failed: number
  readonly streamMessages: number
}

export interface TickCounts {
  /** Before anything is measured. */
  readonly warmUp: number
  readonly measured: number
  readonly samples: number
}

export async function runTicks(
  { warmUp, measured, samples }: TickCounts,
  progress: (text: string) => void,
): Promise<TickRun> {
  const collect = collector()
  const tools = createTools(await loadEngines())
  const policies = fleet()
  const clock = virtualClock(beginSeconds)
  const publication = publishedDecision(clock.now, 'target')
  publication.setPolicies(policies)
  const metrics = createMetrics(clock.now, 'bench')
  const log = tickLog(quiet)
  const grpcClock = steppedClock()
  let latest: Decision | undefined
  let stateBytes = 0
  let failed = 0
  const loop = controlLoop(
    {
      clock,
      policies: async () => policies,
      observe: async (_, at) => {
        if (Math.round(at / intervalSeconds) % 997 === 0) throw new Error('Prometheus answers no query')
        return seen(at, latest?.policies[0]?.variants.map(({ target }) => target) ?? [])
      },
      catchUp: async (question, signal) => {
        const past = {
          clock,
          observe: async (_: PolicySet, span: Parameters<typeof instantsOf>[0]) =>
            instantsOf(span).map((at) => seen(at, [])),
          lastDecided: async () => nothingDecided,
          decide: async (
            ...asked: Parameters<typeof decide> extends [...infer First, unknown] ? First : never
          ) => decide(...asked, tools),
          pause: async () => undefined,
          progress: silent,
        }
        return (await catchUp(question, past, { intervalSeconds, limitSeconds: 20 }, signal)).state
      },
      decide: async (...asked) => decide(...asked, tools),
      publish: ({ decision, observation, state }) => {
        metrics.decided(decision, state)
        publication.publish(decision)
        latest = decision
        metrics.digested(Math.round(decision.at / intervalSeconds), {
          targets: targetsDigest(decision),
          observation: observationDigest(observation),
        })
        stateBytes =
          Math.round(decision.at / intervalSeconds) % 100 === 0 ? JSON.stringify(state).length : stateBytes
      },
      report: (report) => {
        const { outcome, seconds } = report
        metrics.ticked({ outcome: outcome.kind, seconds })
        if (outcome.kind === 'failed') failed += 1
        log(report)
      },
    },
    { intervalSeconds, evaluationDelaySeconds: 2, observeDeadlineSeconds: 21, retrySeconds: 3 },
  )
  const server = await startGrpcServer({
    publication,
    address: '127.0.0.1',
    port: 0,
    reflection: 'on',
    clock: grpcClock,
    // By the wall's clock: nothing is to end by itself.
    timings: { maxConnectionAgeMilliseconds: 2 ** 31 - 1 },
    streamsOpen: (streamsOpen) =>
      metrics.answering({ streamsOpen, longestDelaySeconds: 0, heapUsedBytes: 0, activeResources: 0 }),
    finished: ({ path, code, milliseconds }) => metrics.called({ path, code, seconds: milliseconds / 1000 }),
  })
  const stopping = new AbortController()
  const running = loop.run(stopping.signal)
  await clock.advance(intervalSeconds)
  const session = connect(`http://127.0.0.1:${server.port}`)
  const frames = framesOf('so', 'chat', 'llama', 'h100')
  const open = Array.from({ length: streams }, (_, i) =>
    openStream(session, framesOf(`so-${i}`, 'chat', 'llama', 'h100')),
  )
  await Promise.all(open.map(({ first }) => first))
  const result = { ticks: [] as number[], heap: [] as number[], stateBytes: [] as number[] }
  const spaces: Record<string, number[]> = {}
  const every = Math.max(1, Math.floor(measured / samples))
  const count = warmUp + measured
  let first: HeapKinds | undefined
  for (let tick = 1; tick <= count; tick++) {
    await clock.advance(intervalSeconds)
    grpcClock.advance(1000 * intervalSeconds)
    await call(session, 'GetMetrics', frames.GetMetrics)
    if (tick % 100 === 0) await metrics.render()
    if (tick % every !== 0) continue
    progress(`${tick} of ${count} ticks`)
    if (tick < warmUp) continue
    first ??= await heapKinds()
    collect()
    result.ticks.push(tick)
    result.heap.push(process.memoryUsage().heapUsed)
    for (const { space_name: name, space_used_size: bytes } of getHeapSpaceStatistics()) {
      spaces[name] ??= []
      spaces[name].push(bytes)
    }
    result.stateBytes.push(stateBytes)
  }
  const last = await heapKinds()
  const streamMessages = open.reduce((sum, { messages }) => sum + messages(), 0)
  stopping.abort()
  await running
  session.destroy()
  await server.stop(1000)
  return { ...result, spaces, kinds: { first: first ?? last, last }, failed, streamMessages }
}

/** A fleet of two cards, one of which is not always needed. */
function fleet(): PolicySet {
  return policySet([
    policy([
      variant('h100', { profile: h100, replicas: { min: 0, max: 20 } }),
      variant('l40s', { profile: l40s, pool: 'l40s', costPerHour: 1.4, replicas: { min: 0, max: 40 } }),
    ]),
  ])
}

/** A day's wave with noise, the same for an instant whenever it is asked for; now and then a variant is gone. */
function seen(at: number, targets: readonly unknown[]): Observation {
  const random = new Random(Math.round(at / intervalSeconds))
  const load = (60 + 50 * Math.sin((2 * Math.PI * at) / 86_400)) * (0.95 + 0.1 * random.uniform())
  const [big, small] = targets.map((target) => (typeof target === 'number' ? target : 2))
  const [h, l] = [Math.max(1, big ?? 2), small ?? 2]
  const share = h / (h + l / 3)
  const gone = random.uniform() < 0.002
  const variants: Readonly<Record<VariantId, Observation['variants'][string]>> = {
    'chat/llama/h100': signals(h, load * share),
    'chat/llama/l40s': gone ? blind(missing('noSeries')) : signals(l, load * (1 - share)),
  }
  return { format: 'mixscaler-observation/1', at, variants, classes: {}, pools: {}, warnings: [] }
}

interface SteppedClock extends GrpcClock {
  readonly advance: (milliseconds: number) => void
}

function steppedClock(): SteppedClock {
  let now = 0
  const timers = new Set<{ readonly due: number; readonly callback: () => void }>()
  return {
    now: () => now,
    after: (milliseconds, callback) => {
      const timer = { due: now + milliseconds, callback }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    advance: (milliseconds) => {
      now += milliseconds
      for (const timer of [...timers]) {
        if (timer.due > now || !timers.delete(timer)) continue
        timer.callback()
      }
    },
  }
}

function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
