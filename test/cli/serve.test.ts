// The server as a process: from its first moment to its drained end, with a Prometheus that misbehaves beside it.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Mood, type StubPrometheus, stubPrometheus } from './prometheus.ts'
import { type Running, scratch, start } from './run.ts'

const smallest = readFileSync(join(import.meta.dirname, '..', '..', 'policies', 'smallest.yaml'), 'utf8')

let directory: string
let prometheus: StubPrometheus
let server: Running | undefined

beforeEach(() => {
  directory = scratch()
  writeFileSync(join(directory, 'chat.yaml'), smallest)
})

afterEach(async () => {
  server?.child.kill('SIGKILL')
  await server?.ended
  prometheus.close()
  rmSync(directory, { recursive: true, force: true })
})

/** A server, and a way to read its pages. */
async function serving(mood: Mood, interval = '1s') {
  prometheus = await stubPrometheus(mood)
  const flags = [
    '--policy',
    directory,
    '--prometheus',
    prometheus.url,
    '--kubernetes',
    'off',
    '--interval',
    interval,
  ]
  const ports = [
    '--address',
    '127.0.0.1',
    '--grpc-port',
    '0',
    '--http-port',
    '0',
    '--prometheus-timeout',
    '1s',
  ]
  const running = start(['serve', ...flags, ...ports])
  server = running
  const ready = await logged(running, 'ready')
  const get = (path: string) => fetch(`http://127.0.0.1:${ready['httpPort']}${path}`)
  return { running, get, json: async (path: string) => (await get(path)).json() }
}

type Line = Readonly<Record<string, unknown>>

function lines(running: Running): readonly Line[] {
  return running
    .error()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}

function logged(running: Running, message: string): Promise<Line> {
  return eventually(() => lines(running).find(({ msg }) => msg === message))
}

async function eventually<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const until = Date.now() + 20_000
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (Date.now() > until) throw new Error(`waited in vain; the server said:\n${server?.error()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function metric(get: (path: string) => Promise<Response>, sample: string): Promise<number> {
  const text = await (await get('/metrics')).text()
  const line = text.split('\n').find((each) => each.startsWith(`${sample} `))
  return line === undefined ? Number.NaN : Number(line.slice(sample.length + 1))
}

test('it is ready at once, decides from what it sees, and drains on SIGTERM with 0', async () => {
  const { running, get, json } = await serving('empty')
  expect((await get('/readyz')).status).toBe(200)
  expect((await get('/healthz')).status).toBe(200)
  const plan = await eventually(async () => {
    const response = await get('/api/v1/plan')
    return response.ok ? response.json() : undefined
  })
  expect(plan).toMatchObject({
    format: 'mixscaler-plan/1',
    policies: [
      { id: 'chat/llama-70b', variants: [{ name: 'h100-tp4', target: { missing: expect.any(String) } }] },
    ],
  })
  expect(await json('/api/v1/policies')).toMatchObject({ problems: [], policies: [{ id: 'chat/llama-70b' }] })
  expect(await metric(get, 'mixscaler_policies')).toBe(1)
  running.child.kill('SIGTERM')
  const { exitCode, out } = await running.ended
  expect([exitCode, out]).toEqual([0, ''])
  expect(lines(running).at(-1)).toMatchObject({ msg: 'stopped' })
})

test('a Prometheus that hangs fails the tick and not the server; when it answers again a decision follows', async () => {
  const { running, get } = await serving('hangs')
  const failed = await logged(running, 'tick failed; the last decision stands')
  expect(failed).toMatchObject({
    level: 'warn',
    step: 'observe',
    error: 'Prometheus answers no query: timeout',
  })
  expect((await get('/readyz')).status).toBe(200)
  expect((await get('/api/v1/plan')).status).toBe(503)
  expect(await metric(get, 'mixscaler_tick_errors_total{step="observe"}')).toBeGreaterThanOrEqual(1)
  prometheus.mood = 'empty'
  await logged(running, 'ticks succeed again')
  expect((await get('/api/v1/plan')).status).toBe(200)
})

test('a broken policy file leaves the old policies in force and says so in log, metric and API, until it is repaired', async () => {
  const { running, get, json } = await serving('empty')
  const file = join(directory, 'chat.yaml')
  writeFileSync(file, smallest.replace('max: 12', 'max: 0'))
  const refused = await logged(running, 'the policy files are not valid: the policies in force stay')
  expect(JSON.stringify(refused['problems'])).toContain('chat.yaml:')
  expect(await json('/api/v1/policies')).toMatchObject({
    problems: [expect.stringContaining('chat.yaml:')],
    policies: [{ variants: [{ replicas: { min: 1, max: 12 } }] }],
  })
  expect(await metric(get, 'mixscaler_policy_problems')).toBe(1)
  writeFileSync(file, smallest.replace('max: 12', 'max: 20'))
  await eventually(async () => ((await metric(get, 'mixscaler_policy_problems')) === 0 ? true : undefined))
  expect(await json('/api/v1/policies')).toMatchObject({
    problems: [],
    policies: [{ variants: [{ replicas: { max: 20 } }] }],
  })
})

test('reading pages, the one for people among them, causes no query', async () => {
  const { running, get } = await serving('empty', '1h')
  await eventually(async () => ((await get('/api/v1/plan')).ok ? true : undefined))
  const before = prometheus.asked()
  for (const path of ['/', '/metrics', '/readyz', '/api/v1/plan', '/api/v1/policies'])
    expect((await get(path)).status).toBe(200)
  expect(prometheus.asked()).toBe(before)
  expect(running.child.exitCode).toBeNull()
})

test('a port that is taken ends the start with 1 and the address', async () => {
  const { running } = await serving('empty')
  const port = lines(running).find(({ msg }) => msg === 'ready')?.['httpPort']
  const flags = [
    '--policy',
    directory,
    '--prometheus',
    prometheus.url,
    '--kubernetes',
    'off',
    '--address',
    '127.0.0.1',
  ]
  const second = await start(['serve', ...flags, '--grpc-port', '0', '--http-port', String(port)]).ended
  expect(second.exitCode).toBe(1)
  expect(second.error).toContain(`mixscaler serve: cannot listen on 127.0.0.1:${port}`)
})
