import { afterEach, describe, expect, it } from 'vitest'
import { prometheusClient } from '../../src/prometheus/client.ts'
import {
  type PrometheusObserver,
  prometheusObserver,
  type QueryReport,
} from '../../src/prometheus/observer.ts'
import { owner, policySet } from '../observe/policies.ts'
import { json, type Loopback, loopback, type Reply, refused, vector } from './loopback.ts'

const at = 1_760_000_010
const set = policySet({
  variants: [owner('h100', 'llama')],
  classes: [{ name: 'api', demand: { kind: 'query', requestsPerSecond: 'api_rate' } }],
})
const id = 'chat/llama/h100'
const cleanups: (() => void | Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

interface Scene {
  readonly server: Loopback
  readonly observer: PrometheusObserver
  readonly reports: QueryReport[]
}

async function scene(reply: Reply): Promise<Scene> {
  const server = await loopback(reply)
  const environment = { random: () => 0, sleep: async () => undefined }
  const client = prometheusClient({ url: server.url, attempts: 1 }, environment)
  cleanups.push(client.close, server.close)
  const reports: QueryReport[] = []
  return {
    server,
    reports,
    observer: prometheusObserver(client, { onQuery: (report) => reports.push(report) }),
  }
}

const labels = { namespace: 'chat', model_name: 'llama-70b', mixscaler_workload: 'llama' }
const running = vector(
  [{ ...labels, mixscaler_part: 'running' }, '3'],
  [{ ...labels, mixscaler_part: 'waiting' }, '0'],
)

describe('an observation through Prometheus', () => {
  it('asks everything at the time of the tick, and reports each query', async () => {
    const { server, observer, reports } = await scene(json(vector()))
    const observation = await observer.observe(set, at, {}, new AbortController().signal)
    expect(observation.at).toBe(at)
    expect(server.asked.map(({ form }) => form.get('time'))).toEqual(server.asked.map(() => String(at)))
    expect(server.asked).toHaveLength(13)
    expect(reports.map(({ query }) => query).sort()).toEqual([
      'classes',
      'counters',
      'doubled',
      'gauges',
      'growth',
      'inventory',
      'itl',
      'kvConfig',
      'outputTokens',
      'presence',
      'promptTokens',
      'targets',
      'ttft',
    ])
    expect(reports.every(({ outcome, seconds }) => outcome === 'answered' && seconds >= 0)).toBe(true)
  })

  it('loses only what a failing query would have told', async () => {
    const { observer, reports } = await scene((response, asked) => {
      const text = asked.form.get('query') ?? ''
      if (text.includes('time_to_first_token_seconds_bucket')) json('gone', 404)(response, asked)
      else if (text.includes('api_rate')) json(refused('unknown function'), 400)(response, asked)
      else json(text.includes('"waiting"') ? running : vector())(response, asked)
    })
    const observation = await observer.observe(set, at, {}, new AbortController().signal)
    expect(observation.variants[id]?.running).toBe(3)
    expect(observation.variants[id]?.ttft).toEqual({ missing: 'backendDown', detail: 'HTTP status 404' })
    expect(observation.classes['chat/llama/api']?.requestsPerSecond).toMatchObject({ missing: 'noSeries' })
    expect(observation.warnings).toContain('class chat/llama/api, query requestsPerSecond: unknown function')
    const failed = reports.filter(({ outcome }) => outcome !== 'answered')
    expect(Object.fromEntries(failed.map(({ query, outcome }) => [query, outcome]))).toEqual({
      classes: 'refused',
      ttft: 'httpStatus',
    })
  })

  it('says that the back end is down where nothing answers', async () => {
    const { observer, server } = await scene(json(vector()))
    await server.close()
    const observation = await observer.observe(set, at, {}, new AbortController().signal)
    for (const [name, reading] of Object.entries(observation.variants[id] ?? {})) {
      expect([name, reading]).toEqual([
        name,
        { missing: 'backendDown', detail: 'no connection: ECONNREFUSED' },
      ])
    }
    expect(observation.classes['chat/llama/api']?.requestsPerSecond).toMatchObject({ missing: 'backendDown' })
  })

  it('passes on replicas and pools, and the warnings of the back end once', async () => {
    const { observer } = await scene(json({ ...(vector() as object), warnings: ['partial response'] }))
    const counts = { desired: 2, ready: 1, starting: 1, terminating: 0 }
    const known = { replicas: { [id]: counts }, pools: { h100: 64 } }
    const observation = await observer.observe(set, at, known, new AbortController().signal)
    expect(observation.variants[id]?.replicas).toEqual(counts)
    expect(observation.pools).toEqual({ h100: 64 })
    expect(observation.warnings.filter((warning) => warning.startsWith('Prometheus'))).toEqual([
      'Prometheus: partial response',
    ])
  })

  it('rejects when it is stopped', async () => {
    const { observer } = await scene(() => undefined)
    const controller = new AbortController()
    const observing = observer.observe(set, at, {}, controller.signal)
    controller.abort()
    await expect(observing).rejects.toThrow('aborted')
  })

  it('holds no address', async () => {
    const { observer, server } = await scene(json('down', 500))
    const observation = await observer.observe(set, at, {}, new AbortController().signal)
    expect(JSON.stringify(observation)).not.toContain(new URL(server.url).port)
    expect(JSON.stringify(observation)).not.toContain('127.0.0.1')
  })
})
