// The same pods, scraped by a real Prometheus and kept in the store in memory: the same observation, signal by
// signal. What Prometheus scraped and when is read back from it, so that the two differ in nothing but code.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { quantile } from '../../src/core/histogram.ts'
import type { Observation } from '../../src/core/observation.ts'
import { defaultObserveOptions, type ObserveOptions, queryPlan } from '../../src/core/observe/queries.ts'
import type { DemandSource, GatewayKind, PolicySet } from '../../src/core/policy.ts'
import { isMissing } from '../../src/core/reading.ts'
import { prometheusClient } from '../../src/prometheus/client.ts'
import { prometheusObserver } from '../../src/prometheus/observer.ts'
import { observeStore } from '../../src/simulation/seriesObserver.ts'
import { SeriesStore } from '../../src/simulation/seriesStore.ts'
import { endpointPicker, llmd, router } from '../observe/gatewayTexts.ts'
import { labelled, owner, patterned, policySet } from '../observe/policies.ts'
import { type Pod, textOf } from '../observe/stage.ts'
import { exposition, quiet } from '../observe/vllm.ts'
import { type RealPrometheus, startPrometheus } from '../stage/prometheus.ts'

const runSeconds = 14
const scrapeSeconds = 1
const options: ObserveOptions = {
  ...defaultObserveOptions,
  rateWindowSeconds: 8,
  lengthWindowSeconds: 10,
  sampleMaxAgeSeconds: 4,
}

const pods: readonly Pod[] = [
  {
    pod: 'llama-5d4f8c7b9d-x2x4z',
    state: (t) => ({ running: 3 + (t % 4), waiting: 2 * t, kvUsage: 0.3, finished: 7 * t }),
  },
  // Restarts half-way: its counters begin again.
  {
    pod: 'llama-5d4f8c7b9d-bcdfg',
    state: (t) => ({ running: 5, kvUsage: 0.5, finished: 3 * (t > 9 ? t - 9 : t), preemptions: t }),
  },
  {
    pod: 'llama-decode-7c9f8d6b5-bcd24',
    engine: { version: 'v0' },
    state: (t) => ({ running: 11, kvUsage: 0.9, finished: 5 * t }),
  },
  {
    pod: 'labelled-0',
    labels: { llm_d_ai_variant: 'l40s' },
    engine: { version: 'v1 with old names too' },
    state: (t) => ({ running: 2, finished: t }),
  },
  {
    pod: 'ranks-0',
    says: (t) =>
      [0, 1]
        .map((engine) => exposition({ ...quiet, running: engine + 1, kvUsage: 0.1, finished: t }, { engine }))
        .join(''),
  },
  { pod: 'stray-0', state: () => ({ running: 1 }) },
  // Answers for a while, then its scrapes fail.
  {
    pod: 'failing-0',
    says: (t) => (t < 8 ? exposition({ ...quiet, running: 9, finished: t }) : 'out of memory!'),
  },
  // Loses its metrics, though it goes on to answer: the model was unloaded.
  { pod: 'emptied-0', says: (t) => (t < 8 ? exposition({ ...quiet, running: 9, finished: t }) : '') },
  {
    pod: 'hostile-0',
    labels: { llm_d_ai_variant: 'a"}) or vector(1) #\\' },
    state: (t) => ({ running: 6, finished: t }),
  },
]

const gateways: readonly Pod[] = [
  { pod: 'epp-0', says: endpointPicker },
  { pod: 'epp-1', says: llmd },
  { pod: 'router-0', says: router },
]

const variants = [
  owner('plain', 'llama'),
  owner('decode', 'llama-decode'),
  labelled('l40s'),
  labelled('hostile', 'a"}) or vector(1) #\\'),
  patterned('ranks', 'ra[n]ks-.*'),
  owner('failing', 'failing', 'StatefulSet'),
  owner('emptied', 'emptied', 'StatefulSet'),
  owner('absent', 'absent'),
]
const policies = policySet({
  variants,
  classes: [
    { name: 'good', demand: { kind: 'query', requestsPerSecond: 'sum(vllm:num_requests_running)' } },
    { name: 'empty', demand: { kind: 'query', backlogTokens: 'no_such_metric' } },
    { name: 'wrong', demand: { kind: 'query', backlogTokens: 'no_such_function(up)' } },
    { name: 'nan', demand: { kind: 'query', requestsPerSecond: 'vector(0) / 0' } },
    { name: 'picker', demand: gateway('inferenceGateway', { priority: '0' }) },
    { name: 'router', demand: gateway('productionStack') },
    { name: 'absent', demand: gateway('dynamo') },
  ],
})

function gateway(kind: GatewayKind, match: Readonly<Record<string, string>> = {}): DemandSource {
  return { kind: 'gateway', gateway: kind, namespace: 'chat', match }
}

/** Every text that was served, by `monitor/pod`, in order. */
const served = new Map<string, string[]>()
const owners = pods
  .map(
    ({ pod }) =>
      `kube_pod_owner{namespace="chat",pod="${pod}",owner_kind="StatefulSet",owner_name="of-${pod}",owner_is_controller="true"} 1`,
  )
  .join('\n')
let server: Server
let prometheus: RealPrometheus
let at: number
let client: ReturnType<typeof prometheusClient>

beforeAll(async () => {
  const begun = Date.now()
  server = createServer((request, response) => {
    const [, monitor = '', name = ''] = (request.url ?? '').split('/')
    const pod = [...pods, ...gateways].find((one) => one.pod === name)
    if (pod === undefined) {
      response.end(owners)
      return
    }
    const text = textOf(pod, (Date.now() - begun) / 1000)
    const key = `${monitor}/${name}`
    served.set(key, [...(served.get(key) ?? []), text])
    response.end(text)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const job = (job_name: string, static_configs: unknown) => {
    return { job_name, honor_labels: job_name === 'kube-state-metrics', static_configs }
  }
  const target = (path: string, labels: object) => {
    return { targets: [`127.0.0.1:${port}`], labels: { ...labels, __metrics_path__: path } }
  }
  const monitored = (monitor: string, some: readonly Pod[]) =>
    job(
      monitor,
      some.map(({ pod, labels }) => target(`/${monitor}/${pod}`, { namespace: 'chat', pod, ...labels })),
    )
  prometheus = await startPrometheus({
    global: { scrape_interval: `${scrapeSeconds}s`, scrape_timeout: `${scrapeSeconds}s` },
    scrape_configs: [
      monitored('podmonitor', [...pods, ...gateways]),
      monitored('servicemonitor', [...pods.slice(0, 2), ...gateways.slice(0, 1)]),
      job('kube-state-metrics', [target('/owners', {})]),
    ],
  })
  client = prometheusClient(
    { url: prometheus.url },
    { random: Math.random, sleep: async (seconds) => wait(seconds * 1000) },
  )
  await wait(runSeconds * 1000)
  at = await instantBetweenScrapes(Math.floor(Date.now() / 1000) - 0.5)
}, 60_000)

afterAll(async () => {
  client?.close()
  await prometheus?.close()
  server?.closeAllConnections()
})

interface ScrapedTarget {
  readonly metric: Readonly<Record<string, string>>
  /** Time of each scrape, and whether it succeeded. */
  readonly values: readonly (readonly [number, string])[]
}

async function scrapes(until: number): Promise<readonly ScrapedTarget[]> {
  const query = new URLSearchParams({ query: 'up[1m]', time: String(until) })
  const response = await fetch(`${prometheus.url}/api/v1/query?${query}`)
  const { data } = (await response.json()) as { data: { result: readonly ScrapedTarget[] } }
  return data.result
}

/** Versions disagree on whether a window includes its first instant: none of ours begins with a scrape. */
async function instantBetweenScrapes(from: number): Promise<number> {
  const targets = await scrapes(from)
  const taken = new Set(
    targets.flatMap(({ values }) => values.map(([time]) => Math.round(time * 1000) % 1000)),
  )
  let millisecond = Math.round(from * 1000)
  while (taken.has(millisecond % 1000)) millisecond--
  return millisecond / 1000
}

/** Scrape times and outcomes as Prometheus recorded them, replayed into the store. */
async function replayed(): Promise<SeriesStore> {
  const store = new SeriesStore(600)
  const all = (await scrapes(at)).flatMap(({ metric, values }) => {
    const texts = served.get(`${metric['job']}/${metric['pod']}`)
    const { __name__, ...labels } = metric
    return values.map(([time, up], index) => ({
      time,
      up,
      labels,
      text: texts === undefined ? owners : texts[index],
    }))
  })
  for (const { time, up, labels, text } of all.sort((a, b) => a.time - b.time)) {
    if (up === '1' && text !== undefined) store.scrape(labels, text, time)
    else store.scrapeFailed(labels, time)
  }
  return store
}

async function both(set: PolicySet, changed: Partial<ObserveOptions> = {}) {
  const chosen = { ...options, ...changed }
  const { signal } = new AbortController()
  const real = await prometheusObserver(client, chosen).observe(set, at, {}, signal)
  return { real, store: observeStore(await replayed(), set, queryPlan(set, chosen), at, {}) }
}

/** Where two values differ by more than a millionth; time stamps in seconds leave some 1e-8 of a rate open. */
function differences(a: unknown, b: unknown, path = ''): readonly string[] {
  if (typeof a === 'number' && typeof b === 'number') {
    return Math.abs(a - b) <= 1e-6 * Math.max(1, Math.abs(a)) ? [] : [`${path}: ${a} and ${b}`]
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return a === b ? [] : [`${path}: ${JSON.stringify(a)} and ${JSON.stringify(b)}`]
  }
  const [here, there] = [
    new Map<string, unknown>(Object.entries(a)),
    new Map<string, unknown>(Object.entries(b)),
  ]
  return [...new Set([...here.keys(), ...there.keys()])].flatMap((key) =>
    differences(here.get(key), there.get(key), `${path}/${key}`),
  )
}

/** Of gateways what history asks for: how much arrives, not in how long requests or how large bursts. */
function demandOf(classes: Observation['classes']): object {
  return Object.fromEntries(
    Object.entries(classes).map(([id, { gateway, ...asked }]) => {
      if (gateway === undefined || isMissing(gateway)) return [id, { ...asked, gateway }]
      const { arrivingNow: _, promptTokens: __, outputTokens: ___, ...arriving } = gateway
      return [id, { ...asked, gateway: arriving }]
    }),
  )
}

describe('a real Prometheus and the store in memory', () => {
  it('agree on every signal of every variant, and on the warnings', async () => {
    const { real, store } = await both(policies)
    const warnings = real.warnings.filter((warning) => !warning.startsWith('class'))
    expect(differences({ ...store, classes: {} }, { ...real, classes: {}, warnings })).toEqual([])
    expect(real.variants['chat/llama/plain']).toMatchObject({ reporting: 2, kvUsage: 0.4 })
    expect(real.variants['chat/llama/decode']).toMatchObject({ running: 11 })
    expect(real.variants['chat/llama/l40s']).toMatchObject({ running: 2 })
    expect(real.variants['chat/llama/hostile']).toMatchObject({ running: 6 })
    expect(real.variants['chat/llama/ranks']).toMatchObject({
      running: 3,
      reporting: 1,
      kvTokensPerReplica: 640_000,
    })
    expect(real.variants['chat/llama/failing']).toMatchObject({ running: { missing: 'notScraped' } })
    expect(real.variants['chat/llama/emptied']).toMatchObject({ running: { missing: 'noSeries' } })
    expect(real.variants['chat/llama/absent']).toMatchObject({ running: { missing: 'noSeries' } })
    expect(real.warnings).toContain(
      'chat/llama: every series is there 2 times; do several monitors scrape its pods? Counted once',
    )
    expect(real.warnings).toContain('chat/stray: 1 pod of the model "llama-70b" that no variant claims')
  })

  it('agree on what gateways say', async () => {
    const { real, store } = await both(policies)
    const ofGateways = ({ classes }: typeof real) =>
      Object.fromEntries(Object.entries(classes).filter(([, signals]) => signals.gateway !== undefined))
    expect(differences(ofGateways(store), ofGateways(real))).toEqual([])
    // The newer generation's names, of the pod that has them: 3 requests/s, every tenth second one turned away.
    expect(real.classes['chat/llama/picker']?.gateway).toMatchObject({
      passedPerSecond: expect.closeTo(3, 0),
      rejectedPerSecond: expect.closeTo(0.1, 0),
      queued: 3,
      counted: 'some',
      arrivingNow: { requestsPerSecond: expect.closeTo(3, 0) },
    })
    expect(real.classes['chat/llama/router']?.gateway).toMatchObject({
      passedPerSecond: expect.closeTo(3, 0),
      queued: 0,
    })
    expect(real.classes['chat/llama/absent']?.gateway).toMatchObject({ missing: 'noSeries' })
  })

  it('agree where kube-state-metrics tells the owners', async () => {
    const set = policySet({
      variants: [
        owner('one', 'of-llama-decode-7c9f8d6b5-bcd24', 'StatefulSet'),
        owner('two', 'of-ranks-0', 'StatefulSet'),
      ],
    })
    const { real, store } = await both(set, { workloads: 'podOwner' })
    expect(differences(store, real)).toEqual([])
    expect(real.variants['chat/llama/one']).toMatchObject({ running: 11 })
    expect(real.variants['chat/llama/two']).toMatchObject({ running: 3 })
  })

  it("an author's query is answered, one that Prometheus refuses is told and spoils no other", async () => {
    const { real } = await both(policies)
    expect(real.classes).toMatchObject({
      'chat/llama/good': { requestsPerSecond: expect.any(Number) },
      'chat/llama/empty': { backlogTokens: { missing: 'noSeries' } },
      'chat/llama/nan': { requestsPerSecond: { missing: 'notANumber' } },
      'chat/llama/wrong': { backlogTokens: { missing: 'noSeries' } },
    })
    expect(real.warnings.filter((warning) => warning.startsWith('class'))).toEqual([
      expect.stringMatching(
        /^class chat\/llama\/wrong, query backlogTokens: .*unknown function.*no_such_function/,
      ),
    ])
  })

  it('have the quantiles that a dashboard on the same Prometheus shows', async () => {
    const { real } = await both(policies)
    const { ttft } = real.variants['chat/llama/l40s'] ?? {}
    if (ttft === undefined || isMissing(ttft)) throw new Error(`no TTFT: ${JSON.stringify(ttft)}`)
    const rates = 'sum by (le) (rate(vllm:time_to_first_token_seconds_bucket{pod="labelled-0"}[8s]))'
    for (const q of [0.1, 0.5, 0.95]) {
      const { rows } = await client.instant(
        `histogram_quantile(${q}, ${rates})`,
        at,
        new AbortController().signal,
      )
      expect(quantile(ttft, q)).toBeCloseTo(rows[0]?.value ?? Number.NaN, 9)
    }
  })

  it('the past read back is what was seen at each instant, bit for bit', async () => {
    const { signal } = new AbortController()
    const observer = prometheusObserver(client, options)
    const span = { from: at - 6, until: at, stepSeconds: 2 }
    const instants = [at - 6, at - 4, at - 2, at]
    const seen = await Promise.all(instants.map((instant) => observer.observe(policies, instant, {}, signal)))
    const past = await observer.observePast(policies, span, 'all', signal)
    expect(past).toEqual(seen)
    const demand = await observer.observePast(policies, span, 'demand', signal)
    demand.forEach(({ at: instant, variants, classes }, index) => {
      const live = seen[index]
      expect([instant, demandOf(classes)]).toEqual([live?.at, demandOf(live?.classes ?? {})])
      for (const [id, { replicas, waiting, completionsPerSecond, inSystemGrowthPerSecond }] of Object.entries(
        variants,
      )) {
        const there = live?.variants[id]
        const figures = (signals: typeof there) =>
          signals === undefined
            ? []
            : [signals.waiting, signals.completionsPerSecond, signals.inSystemGrowthPerSecond]
        const known = (reading: unknown) => (typeof reading === 'number' ? reading : 'missing')
        expect([waiting, completionsPerSecond, inSystemGrowthPerSecond].map(known)).toEqual(
          figures(there).map(known),
        )
        expect(typeof replicas).toBe(typeof there?.replicas)
      }
    })
  })

  it('a part of the past that is refused is an error, not an empty past', async () => {
    const { signal } = new AbortController()
    const span = { from: at - 20_000, until: at, stepSeconds: 1 }
    await expect(
      prometheusObserver(client, options).observePast(policies, span, 'demand', signal),
    ).rejects.toThrow(/exceeded maximum resolution of 11,000 points/)
  })

  it('a Prometheus that has lost sight of the pods for longer than the budget has stale data only', async () => {
    const set = policySet({ variants: [owner('decode', 'llama-decode')] })
    const { signal } = new AbortController()
    const later = await prometheusObserver(client, { ...options, sampleMaxAgeSeconds: 0.001 }).observe(
      set,
      at,
      {},
      signal,
    )
    expect(later.variants['chat/llama/decode']?.running).toMatchObject({ missing: 'stale' })
  })
})
