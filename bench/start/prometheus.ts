// A Prometheus of the bench's own, in a thread of its own: it knows the queries that `serve` makes of these policies and
// answers each, at an instant or over a range, for fleets whose demand swings over the day. No storage and no engine, so
// that what is measured is the server that reads.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { lastDecidedQuery } from '../../src/core/observe/ownSeries.ts'
import { demandOnly, queryPlan } from '../../src/core/observe/queries.ts'
import { type Part, partLabel, type SeriesQuery, workloadLabel } from '../../src/core/observe/series.ts'
import type { PolicySet } from '../../src/core/policy.ts'
import { instantsOf, type Span } from '../../src/core/span.ts'
import { promql } from '../../src/prometheus/promql.ts'

export interface Served {
  readonly queries: number
  readonly bytes: number
  /** Spent on making the answers: it is part of every time that is measured. */
  readonly busySeconds: number
}

export interface FakePrometheus {
  readonly url: string
  /** Since it started. */
  readonly served: () => Promise<Served>
  readonly close: () => Promise<void>
}

export function startFakePrometheus(policies: PolicySet): Promise<FakePrometheus> {
  const worker = new Worker(new URL(import.meta.url), { workerData: policies })
  const next = <T>() => new Promise<T>((resolve) => worker.once('message', resolve))
  return next<number>().then((port) => ({
    url: `http://127.0.0.1:${port}`,
    served: () => {
      const answer = next<Served>()
      worker.postMessage('served')
      return answer
    },
    close: async () => {
      await worker.terminate()
    },
  }))
}

/** Fleets differ in phase and height; more kinds than this would only cost the bench time. */
const kinds = 8
const replicas = 2
const edges: Readonly<Record<string, readonly number[]>> = {
  promptTokens: [1, 10, 100, 200, 500, 1000, 2000, 5000, 10_000],
  outputTokens: [1, 10, 50, 100, 200, 500, 1000, 2000],
  ttft: [0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5],
  itl: [0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1],
}
const means: Readonly<Record<string, number>> = {
  promptTokens: 650,
  outputTokens: 150,
  ttft: 0.11,
  itl: 0.018,
}

if (parentPort !== null) {
  const port = parentPort
  const { server, served } = answering(workerData as PolicySet)
  port.on('message', () => port.postMessage(served()))
  server.listen(0, '127.0.0.1', () => port.postMessage((server.address() as AddressInfo).port))
}

function answering(policies: PolicySet): { readonly server: Server; readonly served: () => Served } {
  const plan = queryPlan(policies, {
    metricPrefix: 'vllm:',
    matchers: {},
    rateWindowSeconds: 60,
    lengthWindowSeconds: 300,
    sampleMaxAgeSeconds: 45,
    workloads: 'podName',
  })
  const known = new Map(
    [...plan.queries, ...demandOnly(plan).queries].map((query) => [promql(query), query] as const),
  )
  let [queries, bytes, busySeconds] = [0, 0, 0]
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const form = new URLSearchParams(await bodyOf(request))
    const begun = performance.now()
    const range = request.url?.endsWith('query_range') === true
    const [from, until] = range ? [form.get('start'), form.get('end')] : [form.get('time'), form.get('time')]
    const span = { from: Number(from), until: Number(until), stepSeconds: Number(form.get('step') ?? 1) }
    const asked = form.get('query') ?? ''
    const query = known.get(asked)
    const result =
      query !== undefined
        ? seriesOf(policies, query, range ? span : span.from)
        : asked === lastDecidedQuery({})
          ? targetSeries(policies, span.from)
          : ''
    const text = `{"status":"success","data":{"resultType":"${range ? 'matrix' : 'vector'}","result":[${result}]}}`
    response.setHeader('content-type', 'application/json').end(text)
    queries += 1
    bytes += text.length
    busySeconds += (performance.now() - begun) / 1000
  }
  return {
    server: createServer((request, response) => void answer(request, response)),
    served: () => ({ queries, bytes, busySeconds }),
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}

function seriesOf({ policies }: PolicySet, query: SeriesQuery, when: Span | number): string {
  const instants = typeof when === 'number' ? [when] : instantsOf(when)
  const series: string[] = []
  const some = Math.min(
    kinds,
    policies.reduce((sum, { variants }) => sum + variants.length, 0),
  )
  for (const part of query.parts) {
    for (const extra of extraLabels(query, part)) {
      const values = Array.from({ length: some }, (_, kind) => {
        const pairs = instants.map((at) => `[${at},"${valueAt(query, part, extra, kind, at)}"]`)
        return typeof when === 'number' ? `"value":${pairs[0]}` : `"values":[${pairs.join(',')}]`
      })
      let kind = 0
      for (const { namespace, servedNames, variants } of policies) {
        for (const { scaleTarget } of variants) {
          const labels = {
            namespace,
            [workloadLabel]: scaleTarget.name,
            ...(part.keep.includes('model_name') ? { model_name: servedNames[0] } : {}),
            ...(query.parts.length > 1 ? { [partLabel]: part.name } : {}),
            ...extra,
          }
          series.push(`{"metric":${JSON.stringify(labels)},${values[kind % kinds]}}`)
          kind += 1
        }
      }
    }
  }
  return series.join(',')
}

/** What servers emitted, where they are scraped as deploy/ has it. */
function targetSeries({ policies }: PolicySet, at: number): string {
  return policies
    .flatMap(({ namespace, name, variants }) =>
      variants.map((variant) => {
        const labels = {
          namespace: 'mixscaler',
          exported_namespace: namespace,
          policy: name,
          variant: variant.name,
        }
        return `{"metric":${JSON.stringify(labels)},"value":[${at},"${Math.max(1, variant.replicas.min)}"]}`
      }),
    )
    .join(',')
}

function extraLabels({ id }: SeriesQuery, part: Part): readonly Readonly<Record<string, string>>[] {
  if (part.keep.includes('le')) return [...(edges[id] ?? []).map(String), '+Inf'].map((le) => ({ le }))
  return id === 'kvConfig' ? [{ num_gpu_blocks: '27000', block_size: '16' }] : [{}]
}

function valueAt(
  { id }: SeriesQuery,
  part: Part,
  extra: Readonly<Record<string, string>>,
  kind: number,
  at: number,
): number {
  const day = Math.sin((2 * Math.PI * at) / 86_400 + kind / 3)
  const noise = Math.sin(at * 12.9898 + kind * 78.233) * 0.05
  const perSecond = 2 * (1 + kind / kinds) * (1 + 0.6 * day + noise)
  const mean = means[id]
  if (mean !== undefined) {
    if (part.name === 'typicalCount') return perSecond / replicas
    if (part.name === 'typicalSum') return (perSecond / replicas) * mean
    if (part.name === 'sum') return perSecond * mean
    return perSecond * (extra['le'] === '+Inf' ? 1 : 1 - Math.exp(-Number(extra['le']) / mean))
  }
  switch (part.name) {
    case 'running':
      return id === 'growth' ? 0 : Math.round(perSecond * 3)
    case 'waiting':
    case 'preemptions':
    case 'prefixHits':
      return 0
    case 'kvUsage':
      return 0.06 * perSecond
    case 'generationTokens':
      return perSecond * 150
    case 'prefixQueries':
      return perSecond * 650
    case 'fineSamples':
    case 'coarseSamples':
      return 2
    case 'series':
      return 1
    case 'newestAt':
      return at - 4
    case 'completions':
    case 'fineRate':
    case 'coarseRate':
      return perSecond
    case 'kvEngines':
    case 'engines':
    case 'replicas':
    case 'all':
    case 'up':
    case 'pods':
      return replicas
    default:
      throw new Error(`no value for the part ${part.name} of ${id}`)
  }
}
