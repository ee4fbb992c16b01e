// The running server: loop, worker, gRPC, HTTP and telemetry, put together, and taken down in the reverse order.
import type { PolicySet } from '../core/policy.ts'
import type { TlsFiles } from '../grpc/certificates.ts'
import { systemClock } from '../loop/clock.ts'
import { type Decider, decideInWorker } from '../loop/decider.ts'
import { observationDigest, policiesDigest, targetsDigest } from '../loop/digest.ts'
import { type Journal, type JournalOptions, openJournal } from '../loop/journal.ts'
import { type Reading, readInWorker } from '../loop/pastReader.ts'
import {
  type PoliciesInForce,
  type PolicyFiles,
  type PolicyStatus,
  type PolicyStore,
  policyStore,
} from '../loop/policyStore.ts'
import { askablePolicies, type Emission } from '../loop/publication.ts'
import { type ControlLoop, controlLoop, type TickReport } from '../loop/tick.ts'
import type { QueryReport } from '../prometheus/observer.ts'
import { livePage } from '../report/html/livePage.ts'
import { type HttpServer, startHttpServer } from '../telemetry/http.ts'
import type { Logger } from '../telemetry/logger.ts'
import { createMetrics, type Metrics, type PastBehind } from '../telemetry/metrics.ts'
import { follower } from './following.ts'
import { type KedaThread, startKedaThread } from './kedaThread.ts'
import { type ClusterNow, type Eyes, observeOptionsOf } from './observing.ts'
import type { PastAside, PastSettings } from './pastWorker.ts'
import { type Latest, planView } from './planView.ts'
import { nowAndThen, patientRememberer } from './remembering.ts'
import { webAssets } from './reportFiles.ts'
import { tickLog } from './tickLog.ts'
import { version } from './version.ts'

interface ServerOptions {
  readonly address: string
  /** 0: any free port. */
  readonly grpcPort: number
  readonly httpPort: number
  readonly tls?: TlsFiles
  readonly journal?: JournalOptions
  readonly emission: Emission
  readonly intervalSeconds: number
  readonly evaluationDelaySeconds: number
  readonly observeDeadlineSeconds: number
}

interface ServerPorts {
  readonly policies: PoliciesInForce
  readonly readPolicies: () => Promise<PolicyFiles>
  /** Called once; `queried` is told of each query. */
  readonly openEyes: (queried: (report: QueryReport) => void) => Eyes
  readonly logger: Logger
}

/** A failed tick is tried again after this, so that the first decision follows a returning Prometheus closely. */
const retrySeconds = 3
/** Far above any honest decision: only a worker that hangs meets it. */
const decideLimitSeconds = 20
const workerMemoryMebibytes = 512
const drainMilliseconds = 10_000
/** Far above any tick: only a loop that hangs is silent for so long. */
const silentSeconds = 60

/** What the parts share. */
interface Shared {
  readonly options: ServerOptions
  readonly logger: Logger
  readonly metrics: Metrics
  readonly store: PolicyStore
  readonly signal: AbortSignal
}

interface Shown {
  latest: Latest
}

/** Serves until the signal aborts and all is drained. Rejects where a port is taken, and on a defect of the loop or of a thread. */
export async function runServer(
  options: ServerOptions,
  ports: ServerPorts,
  signal: AbortSignal,
): Promise<void> {
  const { logger } = ports
  const metrics = createMetrics(systemClock.now, version())
  const eyes = ports.openEyes(metrics.queried)
  const broken = new AbortController()
  let keda: KedaThread | undefined
  const changed = (policies: PolicySet, status: PolicyStatus) => {
    keda?.setPolicies(policies)
    policyNews(policies, status, metrics, logger)
  }
  const store = policyStore({ read: ports.readPolicies, now: systemClock.now, changed }, ports.policies)
  const shared = { options, logger, metrics, store, signal: AbortSignal.any([signal, broken.signal]) }
  const shown: Shown = { latest: { kind: 'nothing' } }
  let http: HttpServer | undefined
  let decider: Decider | undefined
  const journal = startJournal(shared)
  try {
    policyNews(store.current(), store.status(), metrics, logger)
    keda = await startKeda(shared, broken)
    http = await startHttp(shared, shown)
    logger.info({ grpcPort: keda.port, httpPort: http.port, emission: options.emission }, 'ready')
    decider = startDecider(shared)
    await loopOf(shared, { eyes, decider, journal, keda, shown }).run(shared.signal)
    broken.signal.throwIfAborted()
  } finally {
    await eyes.close()
    await decider?.close()
    await journal?.close()
    await keda?.stop(drainMilliseconds)
    await http?.close()
  }
  logger.info({}, 'stopped')
}

/** Ready to answer GetMetricSpec from its first moment; the first decision follows. */
function startKeda(
  { options, store, metrics, logger }: Shared,
  broken: AbortController,
): Promise<KedaThread> {
  const { address, grpcPort: port, tls, emission } = options
  const policies = askablePolicies(store.current())
  return startKedaThread(
    workerModule('kedaWorker'),
    { address, port, emission, policies, silentSeconds, ...(tls === undefined ? {} : { tls }) },
    {
      figures: ({ calls, ...thread }) => {
        for (const { path, code, milliseconds } of calls)
          metrics.called({ path, code, seconds: milliseconds / 1000 })
        metrics.answering(thread)
      },
      problem: ({ text, ...fields }) => logger.warn(fields, `refused: ${text}`),
      certificateProblem: (text) => logger.error({}, text),
      lost: (error) => broken.abort(error),
    },
  )
}

function startHttp({ options, store, metrics, logger, signal }: Shared, shown: Shown): Promise<HttpServer> {
  return startHttpServer(
    { address: options.address, port: options.httpPort },
    {
      page: livePage(webAssets(), version(), options.emission),
      metrics: metrics.render,
      ready: () => (signal.aborted ? { kind: 'notReady', why: 'the server is stopping' } : { kind: 'ready' }),
      plan: () => planView(shown.latest),
      policies: () => ({ ...store.status(), ...store.current() }),
      failed: (error) => logger.error({ error: error.message }, 'a page failed'),
    },
  )
}

/** A fault is said once, and once when it is over. */
function startJournal({ options, metrics, logger }: Shared): Journal | undefined {
  if (options.journal === undefined) return undefined
  let faulty: string | undefined
  return openJournal(options.journal, {
    failed: (why) => {
      metrics.journaled('failed')
      if (faulty === undefined)
        logger.error({ why }, 'the journal cannot be written; decisions go on without it')
      faulty = why
    },
    written: () => {
      metrics.journaled('written')
      if (faulty !== undefined) logger.info({}, 'the journal is written again')
      faulty = undefined
    },
  })
}

function startDecider({ metrics, logger, signal }: Shared): Decider {
  const decider = decideInWorker({
    entry: workerModule('decideWorker'),
    limitSeconds: decideLimitSeconds,
    memoryLimitMebibytes: workerMemoryMebibytes,
    lost: (why) => {
      metrics.workerLost()
      logger.error({ why }, 'the deciding worker is replaced')
    },
  })
  // A tick that is deciding would hold up the stop: without its worker it fails at once.
  signal.addEventListener('abort', () => void decider.close(), { once: true })
  return decider
}

/** Reads the past in a thread of its own. */
function readerOf({ options, metrics, logger }: Shared, eyes: Eyes) {
  const progress = nowAndThen(systemClock, (text) => logger.info({}, text))
  return (policies: PolicySet, previous: number): Reading =>
    readInWorker<ClusterNow | undefined, PastAside>(
      { policies, previous, facts: eyes.clusterNow(policies) },
      {
        entry: workerModule('pastWorker'),
        settings: { values: eyes.values, intervalSeconds: options.intervalSeconds } satisfies PastSettings,
        memoryLimitMebibytes: workerMemoryMebibytes,
        told: (aside) => (aside.kind === 'queried' ? metrics.queried(aside.report) : progress(aside.text)),
      },
    )
}

function workerModule(name: string): URL {
  return new URL(`./${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)
}

interface Limbs {
  readonly eyes: Eyes
  readonly decider: Decider
  readonly journal: Journal | undefined
  readonly keda: KedaThread
  readonly shown: Shown
}

function loopOf(shared: Shared, { eyes, decider, journal, keda, shown }: Limbs): ControlLoop {
  const { options, store, metrics, logger, signal } = shared
  const log = tickLog(logger)
  let past: PastBehind = 'someOfThePast'
  const memory = patientRememberer(
    {
      clock: systemClock,
      eyes,
      decide: decider.decide,
      read: readerOf(shared, eyes),
      rests: (on) => {
        past = on
      },
      progress: (text) => logger.info({}, text),
      lost: (text) => logger.warn({}, text),
    },
    options,
  )
  const { sampleMaxAgeSeconds } = observeOptionsOf(eyes.values)
  const follow = follower(
    {
      clock: systemClock,
      memory,
      record: eyes.told,
      tell: (decision) => {
        keda.publish(decision)
        shown.latest = { kind: 'followed', decision }
        metrics.followed(decision.at)
      },
    },
    { ...options, sampleMaxAgeSeconds },
  )
  return controlLoop(
    {
      clock: systemClock,
      policies: store.refresh,
      // In a dry run KEDA is told counts that are the same for all servers as it is.
      ...(options.emission === 'target' ? { follow } : {}),
      observe: eyes.observe,
      decide: decider.decide,
      catchUp: memory.remember,
      publish: (decided) => {
        keda.publish(decided.decision)
        shown.latest = { kind: 'decided', decision: decided.decision }
        metrics.decided(decided.decision, decided.state)
        // Of the decision that KEDA is told now: the next one may have more behind it long before it is taken.
        metrics.restsOn({ past, policies: policiesDigest(decided.policies) })
        eyes.decided(store.current(), decided.decision)
        metrics.digested(Math.round(decided.decision.at / options.intervalSeconds), {
          targets: targetsDigest(decided.decision),
          observation: observationDigest(decided.observation),
        })
        journal?.record(decided)
      },
      report: (report) => {
        metrics.ticked(figuresOf(report))
        // What the stop itself interrupts is no news.
        if (!signal.aborted) log(report)
      },
    },
    { ...options, retrySeconds },
  )
}

function policyNews({ policies }: PolicySet, status: PolicyStatus, metrics: Metrics, logger: Logger): void {
  const { loadedAt, problems, warnings } = status
  metrics.policiesLoaded({ policies: policies.length, problems: problems.length, loadedAt })
  if (problems.length > 0) {
    logger.error({ problems }, 'the policy files are not valid: the policies in force stay')
    return
  }
  logger.info({ policies: policies.map(({ id }) => id) }, 'policies in force')
  for (const warning of warnings) logger.warn({}, warning)
}

function figuresOf({ outcome, seconds }: TickReport) {
  return {
    outcome: outcome.kind,
    seconds,
    ...(outcome.kind === 'failed' ? { failedStep: outcome.step } : {}),
  }
}
