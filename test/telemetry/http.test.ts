// The HTTP surface over loopback: six pages to read, and nothing else.
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type HttpServer, type HttpViews, type PlanView, startHttpServer } from '../../src/telemetry/http.ts'

const servers: HttpServer[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close()
})

const views: HttpViews = {
  page: { text: '<!doctype html><title>Mixscaler</title>', contentSecurityPolicy: "default-src 'none'" },
  metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' }),
  ready: () => ({ kind: 'ready' }),
  plan: () => ({ kind: 'plan', document: { at: 1005 } }),
  policies: () => ({ policies: ['chat/llama'], problems: [] }),
  failed: (error) => {
    throw error
  },
}

async function started(changes: Partial<HttpViews> = {}) {
  const server = await startHttpServer({ address: '127.0.0.1', port: 0 }, { ...views, ...changes })
  servers.push(server)
  return (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${server.port}${path}`, init)
}

test('metrics come with the content type that Prometheus expects', async () => {
  const get = await started()
  const response = await get('/metrics')
  expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
    200,
    'text/plain; version=0.0.4',
    'up 1\n',
  ])
})

test('the page for people comes with its policy, is not kept, and cannot be framed under another type', async () => {
  const get = await started()
  const response = await get('/?from=a-bookmark')
  expect([response.status, await response.text()]).toEqual([200, views.page.text])
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(response.headers.get('content-security-policy')).toBe("default-src 'none'")
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  expect(response.headers.get('referrer-policy')).toBe('no-referrer')
})

test('the process lives whether it is ready or not', async () => {
  const get = await started({ ready: () => ({ kind: 'notReady', why: 'the server is stopping' }) })
  expect((await get('/healthz')).status).toBe(200)
  const ready = await get('/readyz')
  expect([ready.status, await ready.text()]).toEqual([503, 'not ready: the server is stopping\n'])
})

test('the plan is a 503 before the first decision, with what is told in its place, and JSON from then on', async () => {
  let plan: PlanView = { kind: 'none', why: 'nothing has been decided yet' }
  const get = await started({ plan: () => plan })
  const before = await get('/api/v1/plan')
  expect([before.status, await before.json()]).toEqual([503, { error: 'nothing has been decided yet' }])
  plan = { kind: 'none', why: 'another server decided', followed: { at: 1005 } }
  const meanwhile = await get('/api/v1/plan')
  expect([meanwhile.status, await meanwhile.json()]).toEqual([
    503,
    { error: 'another server decided', followed: { at: 1005 } },
  ])
  plan = { kind: 'plan', document: { at: 1020 } }
  const after = await get('/api/v1/plan?pretty')
  expect([after.status, await after.json()]).toEqual([200, { at: 1020 }])
})

test('the policies are shown with the problems of their files', async () => {
  const get = await started()
  expect(await (await get('/api/v1/policies')).json()).toEqual({ policies: ['chat/llama'], problems: [] })
})

test('an unknown page names those that exist', async () => {
  const get = await started()
  const response = await get('/api/v2/plan')
  expect(response.status).toBe(404)
  expect(await response.json()).toEqual({
    error: 'no such page: there are /, /metrics, /healthz, /readyz, /api/v1/plan, /api/v1/policies',
  })
})

test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('%s changes nothing: 405', async (method) => {
  const get = await started()
  const response = await get('/api/v1/plan', { method })
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
})

test('HEAD answers with the headers of GET and no body', async () => {
  const get = await started()
  const response = await get('/metrics', { method: 'HEAD' })
  expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([
    200,
    '5',
    '',
  ])
})

test('a page that fails says so without saying how; the log hears how', async () => {
  const failures: string[] = []
  const get = await started({
    failed: ({ message }) => failures.push(message),
    policies: () => {
      throw new Error('secret at /etc/token')
    },
  })
  const response = await get('/api/v1/policies')
  expect([response.status, await response.text()]).toEqual([
    500,
    '{\n  "error": "the server could not answer: see its log"\n}\n',
  ])
  expect(failures).toEqual(['secret at /etc/token'])
})

test('a port that is taken is an error with its address', async () => {
  await started()
  const port = servers[0]?.port ?? 0
  await expect(startHttpServer({ address: '127.0.0.1', port }, views)).rejects.toThrow(
    `cannot listen on 127.0.0.1:${port}`,
  )
})

test('ends although somebody holds a connection open over which nothing was ever asked', async () => {
  const server = await startHttpServer({ address: '127.0.0.1', port: 0 }, views)
  const silent = connect(server.port, '127.0.0.1')
  await once(silent, 'connect')
  const dropped = once(silent, 'close')
  await server.close()
  await dropped
})
