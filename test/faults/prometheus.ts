// A Prometheus on loopback that answers the queries of a tick as the real one would, from pods that serve a steady load,
// and misbehaves as told. Its clock is its own: it does not follow steps of the scaler's.
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { seasonGridSeconds } from '../../src/core/forecast/history.ts'
import { toldQuery } from '../../src/core/observe/ownSeries.ts'
import { defaultObserveOptions, demandOnly, queryPlan } from '../../src/core/observe/queries.ts'
import type { Row } from '../../src/core/observe/series.ts'
import type { PolicySet } from '../../src/core/policy.ts'
import { promql } from '../../src/prometheus/promql.ts'
import { answerQuery } from '../../src/simulation/seriesQuery.ts'
import { SeriesStore } from '../../src/simulation/seriesStore.ts'
import { type Pod, targetOf, textOf } from '../observe/stage.ts'

/** What is done with an honest answer on its way out. `query` is the id of the query, or `days`: of days ago. */
export type Mood = (response: ServerResponse, honest: string, query: string) => void

export interface PlayedPrometheus {
  readonly url: string
  /** The pods that it scrapes, from the next second on. */
  pods: readonly Pod[]
  mood: Mood
  /** What it has of scalers' own metrics. */
  record: () => readonly Row[]
  /** Queries asked for so far. */
  readonly asked: () => number
  readonly close: () => Promise<void>
}

export const windowSeconds = 6
export const sampleMaxAgeSeconds = 3

export const honestly: Mood = (response, honest) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(honest)
}

/** Half a minute of the past is there when it starts. */
export async function playPrometheus(
  policies: PolicySet,
  pods: readonly Pod[],
  record: () => readonly Row[] = () => [],
): Promise<PlayedPrometheus> {
  const plan = queryPlan(policies, {
    ...defaultObserveOptions,
    rateWindowSeconds: windowSeconds,
    sampleMaxAgeSeconds,
  })
  const byText = new Map(
    [...demandOnly(plan).queries, ...plan.queries].map((query) => [promql(query), query]),
  )
  const store = new SeriesStore(600)
  const begun = Math.floor(worldSeconds()) - 30
  let scrapedAt = begun
  let asked = 0

  function scrapeUntil(now: number): void {
    for (; scrapedAt < now; scrapedAt++) {
      for (const pod of played.pods)
        store.scrape(targetOf(pod, 'chat/vllm'), textOf(pod, scrapedAt - begun), scrapedAt)
    }
  }

  function answer(form: URLSearchParams): { readonly id: string; readonly body: string } {
    const text = form.get('query') ?? ''
    const query = byText.get(text)
    const rows = (at: number) => {
      if (text === toldQuery({})) return played.record()
      return query === undefined ? [] : answerQuery(store, query, at)
    }
    const data = form.has('step')
      ? matrix(
          rows,
          Math.max(begun, Number(form.get('start'))),
          Number(form.get('end')),
          Number(form.get('step')),
        )
      : vector(rows(Number(form.get('time'))))
    const id = Number(form.get('step')) >= seasonGridSeconds ? 'days' : (query?.id ?? 'other')
    return { id, body: JSON.stringify({ status: 'success', data }) }
  }

  const server = createServer(async (request, response) => {
    asked += 1
    let form = ''
    for await (const chunk of request.setEncoding('utf8')) form += chunk
    scrapeUntil(worldSeconds())
    const { id, body } = answer(new URLSearchParams(form))
    played.mood(response, body, id)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const played: PlayedPrometheus = {
    url: `http://127.0.0.1:${port}`,
    pods,
    mood: honestly,
    record,
    asked: () => asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  scrapeUntil(worldSeconds())
  return played
}

function vector(rows: readonly Row[]) {
  const result = rows.map(({ labels, value }) => ({ metric: labels, value: [0, String(value)] }))
  return { resultType: 'vector', result }
}

function matrix(rows: (at: number) => readonly Row[], from: number, until: number, step: number) {
  const result = new Map<string, { readonly metric: Row['labels']; readonly values: unknown[] }>()
  for (let at = Math.ceil(from / step) * step; at <= until; at += step) {
    for (const { labels, value } of rows(at)) {
      const identity = JSON.stringify(labels)
      const series = result.get(identity) ?? { metric: labels, values: [] }
      series.values.push([at, String(value)])
      result.set(identity, series)
    }
  }
  return { resultType: 'matrix', result: [...result.values()] }
}

/** What the clock on the wall says, whatever was made of `Date`. */
function worldSeconds(): number {
  return (performance.timeOrigin + performance.now()) / 1000
}
