// The eyes of serve, plan and record: flags to a Prometheus client and a Kubernetes reader, and one function that
// observes through both.
import { hostname } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import type { Decision } from '../core/decision.ts'
import type { Observation, Pause, ReplicaCounts } from '../core/observation.ts'
import { type Told, withReplicas } from '../core/observe/ownSeries.ts'
import type { ObserveOptions } from '../core/observe/queries.ts'
import type { PolicySet, VariantId } from '../core/policy.ts'
import type { Reading } from '../core/reading.ts'
import type { ReplicaReader } from '../kubernetes/reader.ts'
import type { PastPorts } from '../loop/readPast.ts'
import { type PrometheusClient, type PrometheusOptions, prometheusClient } from '../prometheus/client.ts'
import {
  ownPast,
  type PrometheusObserver,
  prometheusObserver,
  type QueryReport,
} from '../prometheus/observer.ts'
import { breather } from './breather.ts'
import type { Flags, Terminal, Values } from './command.ts'
import { usageError } from './exit.ts'
import { choiceFlag, defaultInterval, durationFlag } from './values.ts'

/** Where the metrics are, and how they are to be read. */
export const metricsFlags = {
  prometheus: {
    type: 'string',
    placeholder: 'URL',
    text: 'Prometheus, or what speaks its API (Thanos, Mimir, VictoriaMetrics)',
  },
  'prometheus-token-file': {
    type: 'string',
    placeholder: 'FILE',
    text: 'bearer token, read again for each query',
  },
  'prometheus-user': { type: 'string', placeholder: 'NAME', text: 'basic authentication: user' },
  'prometheus-password-file': { type: 'string', placeholder: 'FILE', text: 'basic authentication: password' },
  'prometheus-org-id': {
    type: 'string',
    placeholder: 'TENANT',
    text: 'X-Scope-OrgID of a multi-tenant back end',
  },
  'prometheus-header': {
    type: 'string',
    multiple: true,
    placeholder: 'NAME=VALUE',
    secret: true,
    text: 'one more header; repeatable',
  },
  'prometheus-ca-file': {
    type: 'string',
    placeholder: 'FILE',
    text: 'PEM of the authority that signed its certificate',
  },
  'prometheus-cert-file': { type: 'string', placeholder: 'FILE', text: 'PEM of our client certificate' },
  'prometheus-key-file': { type: 'string', placeholder: 'FILE', text: 'PEM of its key' },
  'prometheus-insecure': { type: 'boolean', text: 'accept any certificate: for a first look only' },
  'prometheus-timeout': {
    type: 'string',
    default: '10s',
    placeholder: 'TIME',
    text: 'for one query with its retries',
  },
  'metric-prefix': {
    type: 'string',
    default: 'vllm:',
    placeholder: 'TEXT',
    text: 'how the engines’ metric names begin',
  },
  match: {
    type: 'string',
    multiple: true,
    placeholder: 'LABEL=VALUE',
    text: 'read only series with this label; repeatable',
  },
  window: {
    type: 'string',
    default: '60s',
    placeholder: 'TIME',
    text: 'for rates: at least four scrape intervals',
  },
  'max-sample-age': {
    type: 'string',
    default: '45s',
    placeholder: 'TIME',
    text: 'older gauges are stale: at least two scrape intervals',
  },
  workloads: {
    type: 'string',
    default: 'podName',
    placeholder: 'podName|podOwner',
    text: 'whose a pod is: by its name, or by kube-state-metrics',
  },
} as const satisfies Flags

export const observingFlags = {
  ...metricsFlags,
  interval: { type: 'string', default: defaultInterval, placeholder: 'TIME', text: 'between decisions' },
  'evaluation-delay': {
    type: 'string',
    default: '2s',
    placeholder: 'TIME',
    text: 'look so far into the past that samples have arrived: longer than a scrape takes',
  },
  history: {
    type: 'string',
    default: 'auto',
    placeholder: 'auto|off',
    text: 'at start, read back nine days of demand and the last minutes',
  },
  kubernetes: {
    type: 'string',
    default: 'auto',
    placeholder: 'auto|off',
    text: 'count replicas and GPUs through the API server',
  },
} as const satisfies Flags

/** What is read of the past: by the server itself, or by a thread of its own. */
interface PastEyes {
  /** What `observe` would have seen, in a cluster that is now so. Rejects where that cannot be told. */
  readonly observePast: (
    cluster: ClusterNow | undefined,
    ...past: Parameters<PastPorts['observe']>
  ) => ReturnType<PastPorts['observe']>
  readonly lastDecided: PastPorts['lastDecided']
  /** What the servers on record told KEDA last. Rejects where that cannot be told. */
  readonly told: (at: number, signal: AbortSignal) => Promise<readonly Told[]>
}

/** What Kubernetes tells of now, and no series of then. Absent without access to it. */
export interface ClusterNow {
  readonly replicas: Readonly<Record<VariantId, Reading<ReplicaCounts>>>
  readonly pools: Readonly<Record<string, Reading>>
  readonly pauses: Readonly<Record<VariantId, Pause>>
}

export interface Eyes {
  /** What they were opened with. */
  readonly values: Values<typeof observingFlags>
  /** Rejects where nothing could be seen: no query was answered, or the signal aborted. */
  readonly observe: (policies: PolicySet, at: number, signal: AbortSignal) => Promise<Observation>
  /** What `observe` would have seen. Rejects where that cannot be told. */
  readonly observePast: PastPorts['observe']
  readonly lastDecided: PastPorts['lastDecided']
  readonly told: PastEyes['told']
  readonly clusterNow: (policies: PolicySet) => Promise<ClusterNow | undefined>
  /** Whether the past is to be read at all. */
  readonly history: 'auto' | 'off'
  /** Tells the cluster, where Events are to be written. Waits for nothing. */
  readonly decided: (policies: PolicySet, decision: Decision) => void
  readonly close: () => Promise<void>
}

interface EyesPorts {
  readonly env: Terminal['env']
  readonly queried: (report: QueryReport) => void
  /** What is lost, or works again, for the log. */
  readonly noticed: (message: string) => void
  /** Events are to be written, dated by this clock (seconds since the epoch). */
  readonly events?: { readonly now: () => number }
}

/** What became of the queries since an observation began. */
interface Round {
  answered: number
  failed?: QueryReport
}

/** How long the first observation waits for the lists of Kubernetes; without them replicas are counted by metrics. */
const settleSeconds = 3

/** Throws usage errors. Asks nothing yet. */
export function openEyes(values: Values<typeof observingFlags>, ports: EyesPorts): Eyes {
  const { queried } = ports
  const client = prometheusClientFor(values)
  const kubernetes = choiceFlag('kubernetes', values.kubernetes, ['auto', 'off'])
  let reader: Promise<ReplicaReader | undefined> | undefined
  let opened: ReplicaReader | undefined
  let round: Round = { answered: 0 }
  const observer = observerFor(client, values, (report) => {
    if (report.outcome === 'answered') round.answered += 1
    else round.failed = report
    queried(report)
  })
  const past = pastEyes(client, observer, values)
  const clusterOf = (policies: PolicySet) => {
    if (kubernetes === 'auto') reader ??= openReader(policies, ports)
    return reader
  }
  const clusterNow = async (policies: PolicySet) => {
    const cluster = await clusterOf(policies)
    return cluster === undefined ? undefined : clusterFacts(cluster, policies)
  }
  return {
    values,
    observe: async (policies, at, signal) => {
      round = { answered: 0 }
      const cluster = await clusterOf(policies)
      opened = cluster
      const known = cluster === undefined ? {} : clusterFacts(cluster, policies)
      const observation = await observer.observe(policies, at, known, signal)
      const { answered, failed } = round
      if (answered === 0 && failed !== undefined)
        throw new Error(`Prometheus answers no query: ${failed.outcome}`, { cause: failed.why })
      return observation
    },
    observePast: async (policies, ...asked) =>
      past.observePast(await clusterNow(policies), policies, ...asked),
    lastDecided: past.lastDecided,
    told: past.told,
    clusterNow,
    history: choiceFlag('history', values.history, ['auto', 'off']),
    decided: (policies, decision) => opened?.decided(policies, decision),
    close: async () => {
      client.close()
      const cluster = await reader
      cluster?.stop()
    },
  }
}

/** For the thread that reads the past. */
export function openPastEyes(
  values: Values<typeof observingFlags>,
  queried: (report: QueryReport) => void,
): PastEyes {
  const client = prometheusClientFor(values)
  return pastEyes(client, observerFor(client, values, queried), values)
}

function pastEyes(
  client: PrometheusClient,
  observer: PrometheusObserver,
  values: Values<typeof observingFlags>,
): PastEyes {
  const own = ownPast(client, observeOptionsOf(values).matchers)
  return {
    observePast: async (cluster, policies, span, signals, signal) => {
      const past = await observer.observePast(policies, span, signals, signal)
      if (cluster === undefined) return past
      const { replicas, pools, pauses } = cluster
      const recorded = await own.replicas(span, signal)
      return past.map((observation, index) => ({
        ...withReplicas(observation, recorded[index] ?? {}, replicas),
        pools,
        pauses,
      }))
    },
    lastDecided: (_, at, signal) => own.lastDecided(at, signal),
    told: own.told,
  }
}

function observerFor(
  client: PrometheusClient,
  values: Values<typeof observingFlags>,
  onQuery: (report: QueryReport) => void,
): PrometheusObserver {
  return prometheusObserver(client, { ...observeOptionsOf(values), pause: breather(), onQuery })
}

function clusterFacts(cluster: ReplicaReader, policies: PolicySet) {
  const { pauses, warnings } = cluster.scaling(policies)
  return {
    replicas: cluster.replicas(policies),
    pools: cluster.pools(policies),
    pauses,
    clusterWarnings: warnings,
  }
}

/** Throws usage errors, as do the other readers of these flags. */
export function observeOptionsOf(
  values: Values<typeof metricsFlags>,
): Omit<ObserveOptions, 'lengthWindowSeconds'> {
  return {
    metricPrefix: values['metric-prefix'],
    matchers: Object.fromEntries((values.match ?? []).map((pair) => split('match', pair))),
    rateWindowSeconds: durationFlag('window', values.window),
    sampleMaxAgeSeconds: durationFlag('max-sample-age', values['max-sample-age']),
    workloads: choiceFlag('workloads', values.workloads, ['podName', 'podOwner']),
  }
}

export function prometheusClientFor(values: Values<typeof metricsFlags>): PrometheusClient {
  const { prometheus: url } = values
  if (url === undefined)
    throw usageError('--prometheus is missing: the URL of Prometheus, such as http://localhost:9090')
  const user = values['prometheus-user']
  const passwordFile = values['prometheus-password-file']
  if ((user === undefined) !== (passwordFile === undefined))
    throw usageError('basic authentication needs both --prometheus-user and --prometheus-password-file')
  const optional: Partial<Record<keyof PrometheusOptions, string | undefined>> = {
    bearerTokenFile: values['prometheus-token-file'],
    tenant: values['prometheus-org-id'],
    caFile: values['prometheus-ca-file'],
    certificateFile: values['prometheus-cert-file'],
    keyFile: values['prometheus-key-file'],
  }
  try {
    return prometheusClient(
      {
        url,
        ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
        ...(user !== undefined &&
          passwordFile !== undefined && { basicAuth: { username: user, passwordFile } }),
        headers: Object.fromEntries(
          (values['prometheus-header'] ?? []).map((pair) => split('prometheus-header', pair)),
        ),
        insecureSkipVerify: values['prometheus-insecure'] ?? false,
        querySeconds: durationFlag('prometheus-timeout', values['prometheus-timeout']),
      },
      {
        random: Math.random,
        sleep: (seconds, signal) => wait(seconds * 1000, undefined, { signal }).catch(() => undefined),
      },
    )
  } catch (error) {
    // What the client refuses to be built with, it refuses as a RangeError that says what is allowed.
    if (error instanceof RangeError) throw usageError(error.message)
    throw error
  }
}

/** The client of Kubernetes is loaded when it is needed: it takes as long as all the rest together. */
async function openReader(
  policies: PolicySet,
  { env, noticed, events }: EyesPorts,
): Promise<ReplicaReader | undefined> {
  const [{ findAccess, ownNamespace }, { startReplicaReader }] = await Promise.all([
    import('../kubernetes/access.ts'),
    import('../kubernetes/reader.ts'),
  ])
  const access = findAccess({ ...env })
  if (access.kind === 'notConfigured') {
    noticed(access.why)
    return undefined
  }
  const namespace = ownNamespace()
  if (events !== undefined && namespace === undefined)
    noticed('Events are not written: their Lease needs the namespace of a pod, and this is none')
  const reader = startReplicaReader({
    config: access.config,
    onHealth: ({ message }) => noticed(message),
    ...(events === undefined || namespace === undefined
      ? {}
      : { events: { place: { namespace, identity: hostname() }, now: events.now } }),
  })
  await reader.settled(policies, settleSeconds)
  return reader
}

function split(flag: string, pair: string): readonly [string, string] {
  const at = pair.indexOf('=')
  // The value may be a secret: it is not repeated.
  if (at < 1) throw usageError(`--${flag} must be NAME=VALUE, with a name and an equals sign`)
  return [pair.slice(0, at), pair.slice(at + 1)]
}
