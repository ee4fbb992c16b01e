// What a real Prometheus has on record of the scaler's own counts: those of each tick, however late it was scraped, and the
// ones before where no scrape shows them.
import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prometheusClient } from '../../src/prometheus/client.ts'
import { ownPast } from '../../src/prometheus/observer.ts'
import { type RealPrometheus, startPrometheus } from '../stage/prometheus.ts'

const interval = 15
const ticks = 40
const began = Math.floor(Date.now() / 1000 / 3600) * 3600 - 7200
const states = ['desired', 'ready', 'starting', 'terminating'] as const

/** Of policies in a namespace named like the server, which is scraped so many seconds after each tick. */
const servers = [
  { name: 'promptly', every: 15, phase: 3, labels: 'namespace="promptly"' },
  { name: 'between', every: 15, phase: 9, labels: 'namespace="between"' },
  // Just before the next decision is there: under another tick's instant.
  { name: 'late', every: 15, phase: 16, labels: 'namespace="late"' },
  { name: 'renamed', every: 15, phase: 9, labels: 'namespace="scaler",exported_namespace="renamed"' },
  { name: 'seldom', every: 30, phase: 9, labels: 'namespace="seldom"' },
] as const

/** Decided two seconds after each tick: so many replicas as ticks went by. */
function samples(): string {
  const families = new Map<string, string[]>([
    ['mixscaler_current_replicas', []],
    ['mixscaler_decision_timestamp_seconds', []],
  ])
  const say = (name: string, labels: string, value: number, at: number) =>
    families.get(name)?.push(`${name}{${labels}} ${value} ${at}`)
  for (const { name, every, phase, labels } of servers) {
    for (let at = began + phase; at < began + ticks * interval; at += every) {
      const tick = Math.floor((at - 2 - began) / interval)
      const own = `job="mixscaler",instance="${name}"`
      const server = labels.startsWith('namespace="scaler"') ? 'scaler' : 'mixscaler'
      say('mixscaler_decision_timestamp_seconds', `namespace="${server}",${own}`, began + tick * interval, at)
      for (const state of states)
        say(
          'mixscaler_current_replicas',
          `${labels},policy="llama",variant="h100",state="${state}",${own}`,
          tick,
          at,
        )
    }
  }
  return [...families]
    .flatMap(([name, lines]) => [`# TYPE ${name} gauge`, ...lines])
    .concat('# EOF\n')
    .join('\n')
}

let prometheus: RealPrometheus

beforeAll(async () => {
  const config = { global: { scrape_interval: '1m' }, scrape_configs: [] }
  prometheus = await startPrometheus(config, async (directory) => {
    const file = join(directory, 'own.om')
    await writeFile(file, samples())
    await promisify(execFile)('promtool', [
      'tsdb',
      'create-blocks-from',
      'openmetrics',
      file,
      join(directory, 'data'),
    ])
    await rm(file)
  })
}, 60_000)

afterAll(() => prometheus.close())

describe('the counts that a scaler saw', () => {
  const readyOf = async (name: string, first: number, last: number) => {
    const client = prometheusClient(
      { url: prometheus.url },
      { random: () => 0.5, sleep: async () => undefined },
    )
    const span = { from: began + first * interval, until: began + last * interval, stepSeconds: interval }
    const past = await ownPast(client, {}).replicas(span, AbortSignal.timeout(10_000))
    client.close()
    return past.map((counts) => counts[`${name}/llama/h100`]?.ready)
  }
  const numbers = (first: number, last: number) =>
    Array.from({ length: last - first + 1 }, (_, i) => first + i)

  it.each([
    'promptly',
    'between',
    'late',
    'renamed',
  ])('are those of the very tick: scraped %s', async (name) => {
    expect(await readyOf(name, 2, 30)).toEqual(numbers(2, 30))
  })

  it('are of the tick before where a tick was never scraped', async () => {
    expect(await readyOf('seldom', 10, 15)).toEqual([10, 10, 12, 12, 14, 14])
  })

  it('are the last ones on record where no later scrape shows the tick’s own', async () => {
    expect(await readyOf('between', 37, 42)).toEqual([37, 38, 39, 39, 39, 39])
  })
})
