// A Prometheus that fails as a whole: what KEDA is told meanwhile, what operators see, and that it ends by itself.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { honestly, type Mood } from './prometheus.ts'
import { eventually, type FaultStage, startFaultStage } from './stage.ts'

let stage: FaultStage

beforeAll(async () => {
  stage = await startFaultStage({ pods: { llama: 3, qwen: 2 }, budgets })
})

afterAll(async () => {
  await stage?.stop()
})

afterEach(async () => {
  stage.prometheus.mood = honestly
  await stage.ticks('published', 1)
  expect(await stage.targets()).toEqual(steady)
})

const steady = { llama: 3, qwen: 2 }
/** Seconds: one that no fault here outlasts, and one that a short fault does. */
const budgets = { llama: 60, qwen: 4 }
const failedObservations = 'mixscaler_tick_errors_total{step="observe"}'

function answering(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Mood {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(body)
  }
}

const wrongTypes =
  '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"pod":7},"value":"1"}]}}'

const moods: Readonly<Record<string, readonly [mood: Mood, outcome: string, why: RegExp]>> = {
  'answers 503': [answering(503, 'down'), 'httpStatus', /^HTTP status 503$/],
  'answers 429': [answering(429, '', { 'retry-after': '60' }), 'httpStatus', /^HTTP status 429$/],
  'cuts its JSON short': [
    (response, honest) => answering(200, honest.slice(0, -2))(response, honest, ''),
    'badAnswer',
    /not JSON, or cut short/,
  ],
  'answers with wrong types': [answering(200, wrongTypes), 'badAnswer', /result 0, label pod is not text/],
  'closes every connection': [(response) => response.destroy(), 'unreachable', /^no connection/],
  hangs: [() => undefined, 'timeout', /^no answer within/],
}

describe('a Prometheus that', () => {
  it.each(Object.entries(moods))('%s leaves the last targets standing', async (_, [mood, outcome, why]) => {
    expect(await stage.targets()).toEqual(steady)
    const before = (await stage.metric(failedObservations)) || 0
    stage.prometheus.mood = mood
    await eventually(async () => ((await stage.metric(failedObservations)) > before ? true : undefined))
    expect(await stage.targets()).toEqual(steady)
    expect((await stage.get('/readyz')).status).toBe(200)
    const failed = stage.log.findLast(({ msg }) => msg === 'tick failed; the last decision stands')
    expect(failed?.['error']).toBe(`Prometheus answers no query: ${outcome}`)
    expect(failed?.['why']).toMatch(why)
  })

  it('stays away longer than the staleness budget makes targets unavailable, never 0, and is asked no more for that', async () => {
    stage.prometheus.mood = answering(503, 'down')
    const seen = new Set<string>()
    await eventually(async () => {
      const targets = await stage.targets()
      for (const target of Object.values(targets)) seen.add(String(target))
      return targets['qwen'] === 'UNAVAILABLE' ? true : undefined
    })
    expect([...seen].sort()).toEqual(['2', '3', 'UNAVAILABLE'])
    expect(await stage.metric('mixscaler_observation_age_seconds')).toBeGreaterThan(budgets.qwen)
    expect(await stage.targets()).toEqual({ ...steady, qwen: 'UNAVAILABLE' })
    expect((await stage.get('/readyz')).status).toBe(200)
  })

  it('is slow, but within the limit, is waited for', async () => {
    const before = (await stage.metric(failedObservations)) || 0
    stage.prometheus.mood = (...asked) => void setTimeout(() => honestly(...asked), 200)
    await stage.ticks('published', 2)
    expect(await stage.metric(failedObservations)).toBe(before)
    expect(await stage.targets()).toEqual(steady)
  })

  it('answers one query without end costs that query alone, and says so; no more is read than the limit', async () => {
    const chunk = Buffer.alloc(2 ** 20, 'x')
    let gauges = 0
    // Every second time: on a busy machine so much may take longer than a query is given.
    stage.prometheus.mood = (response, honest, query) => {
      if (query !== 'gauges' || gauges++ % 2 === 1) return honestly(response, honest, query)
      const more = (): void => {
        while (!response.destroyed && response.write(chunk));
      }
      response.on('drain', more)
      more()
    }
    const held = await eventually(async () => {
      const plan = await stage.plan()
      return JSON.stringify(plan).includes('answer longer than 67108864 bytes') ? plan : undefined
    })
    expect(held.policies.map(({ variants }) => variants[0]?.target)).toEqual([3, 2])
    expect(await stage.targets()).toEqual(steady)
    expect(
      await stage.metric('mixscaler_query_duration_seconds_count{query="gauges",outcome="badAnswer"}'),
    ).toBeGreaterThanOrEqual(1)
  })
})
