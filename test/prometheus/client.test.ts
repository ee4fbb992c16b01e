import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type PrometheusClient,
  type PrometheusOptions,
  prometheusClient,
} from '../../src/prometheus/client.ts'
import { PrometheusError } from '../../src/prometheus/error.ts'
import { json, type Loopback, loopback, type Reply, refused, vector } from './loopback.ts'

const at = 1_760_000_000.25
const cleanups: (() => void | Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

interface Scene {
  readonly client: PrometheusClient
  readonly server: Loopback
  /** Pauses between attempts, as they were asked for. */
  readonly pauses: readonly number[]
  readonly ask: (signal?: AbortSignal) => Promise<unknown>
}

async function scene(replies: readonly Reply[], options: Partial<PrometheusOptions> = {}): Promise<Scene> {
  const server = await loopback(...replies)
  const pauses: number[] = []
  const client = prometheusClient(
    { url: server.url, ...options },
    {
      random: () => 0.5,
      sleep: async (seconds) => {
        pauses.push(seconds)
      },
    },
  )
  cleanups.push(client.close, server.close)
  return {
    client,
    server,
    pauses,
    ask: (signal = new AbortController().signal) => client.instant('up', at, signal),
  }
}

async function failure(work: Promise<unknown>): Promise<PrometheusError> {
  const error = await work.then(
    (answer) => new Error(`answered ${JSON.stringify(answer)}`),
    (reason: unknown) => reason,
  )
  if (!(error instanceof PrometheusError)) throw error
  return error
}

function file(name: string, content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'mixscaler-client-'))
  cleanups.push(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}

describe('an instant query', () => {
  it('is posted as a form, for the instant that is asked about', async () => {
    const { server, ask } = await scene([json(vector([{ pod: 'a' }, '1.5']))], { attemptSeconds: 3 })
    expect(await ask()).toEqual({ rows: [{ labels: { pod: 'a' }, value: 1.5 }], warnings: [] })
    const [asked] = server.asked
    expect(asked?.path).toBe('/api/v1/query')
    expect(Object.fromEntries(asked?.form ?? [])).toEqual({
      query: 'up',
      time: '1760000000.25',
      timeout: '3s',
      partial_response: 'false',
    })
  })

  it('tells NaN, infinities, an empty vector and a scalar apart', async () => {
    const { ask } = await scene([
      json(
        vector([{ pod: 'a' }, 'NaN'], [{ pod: 'b' }, '+Inf'], [{ pod: 'c' }, '-Inf'], [{ pod: 'd' }, '1e-7']),
      ),
      json(vector()),
      json({ status: 'success', data: { resultType: 'scalar', result: [1, '7'] } }),
    ])
    const values = async () => ((await ask()) as { rows: { value: number }[] }).rows.map(({ value }) => value)
    expect(await values()).toEqual([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-7])
    expect(await values()).toEqual([])
    expect(await values()).toEqual([7])
  })

  it('passes on what the back end warns about', async () => {
    const { ask } = await scene([json({ ...(vector() as object), warnings: ['store eu-2 is down'] })])
    expect(await ask()).toEqual({ rows: [], warnings: ['store eu-2 is down'] })
  })

  it('keeps the path of a back end behind a prefix', async () => {
    const server = await loopback(json(vector()))
    const environment = { random: () => 0, sleep: async () => undefined }
    const client = prometheusClient({ url: `${server.url}/prometheus/` }, environment)
    cleanups.push(client.close, server.close)
    await client.instant('up', at, new AbortController().signal)
    expect(server.asked[0]?.path).toBe('/prometheus/api/v1/query')
  })

  it('says who asks: tenant, headers, basic authentication', async () => {
    const { server, ask } = await scene([json(vector())], {
      tenant: 'team-a',
      headers: { 'X-Extra': 'yes' },
      basicAuth: { username: 'mix', passwordFile: file('password', 'scaler\n') },
    })
    await ask()
    expect(server.asked[0]?.headers).toMatchObject({
      'x-scope-orgid': 'team-a',
      'x-extra': 'yes',
      authorization: `Basic ${Buffer.from('mix:scaler').toString('base64')}`,
    })
  })

  it('reads the bearer token again for each query, so that it may rotate', async () => {
    const bearerTokenFile = file('token', 'first\n')
    const { server, ask } = await scene([json(vector())], { bearerTokenFile })
    await ask()
    writeFileSync(bearerTokenFile, 'second\n')
    await ask()
    expect(server.asked.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer first',
      'Bearer second',
    ])
  })

  it('has at most so many requests under way', async () => {
    let open = 0
    let most = 0
    const reply: Reply = (response) => {
      open++
      most = Math.max(most, open)
      setTimeout(() => {
        open--
        json(vector())(response, { path: '', headers: {}, form: new URLSearchParams() })
      }, 5)
    }
    const { ask } = await scene([reply], { maxConcurrentQueries: 3 })
    await Promise.all(Array.from({ length: 20 }, () => ask()))
    expect(most).toBe(3)
  })
})

describe('a back end that misbehaves', () => {
  it('hangs: the query ends in time', async () => {
    const { ask, server } = await scene([() => undefined], { attemptSeconds: 0.05, attempts: 2 })
    expect(await failure(ask())).toMatchObject({ failure: 'timeout', message: 'no answer within 0.1 s' })
    expect(server.asked).toHaveLength(2)
  })

  it('sends its answer byte by byte: the whole attempt is limited, not the silence in it', async () => {
    const trickle: Reply = (response) => {
      const timer = setInterval(() => response.write(' '), 10)
      response.on('close', () => clearInterval(timer))
    }
    const { ask } = await scene([trickle], { attemptSeconds: 0.15, attempts: 1 })
    expect((await failure(ask())).failure).toBe('timeout')
  })

  it('is down for a moment: the query is repeated after a jittered pause that doubles', async () => {
    const down = json('down', 503)
    const { ask, pauses, server } = await scene([down, down, json(vector())], { attempts: 3 })
    expect(await ask()).toEqual({ rows: [], warnings: [] })
    expect(pauses).toEqual([0.1, 0.2])
    expect(server.asked).toHaveLength(3)
  })

  it('stays down: the number of attempts is bounded', async () => {
    const { ask, server } = await scene([json('down', 500)], { attempts: 3 })
    expect(await failure(ask())).toMatchObject({
      failure: 'httpStatus',
      status: 500,
      message: 'HTTP status 500',
    })
    expect(server.asked).toHaveLength(3)
  })

  it('asks for patience: it is waited for as long as it says, if the time is there', async () => {
    const patient = await scene([json('', 429, { 'Retry-After': '3' }), json(vector())])
    await patient.ask()
    expect(patient.pauses).toEqual([3])
    const hurried = await scene([json('', 429, { 'Retry-After': '60' })])
    expect(await failure(hurried.ask())).toMatchObject({ failure: 'httpStatus', status: 429 })
    expect(hurried.pauses).toEqual([])
  })

  it('cuts the connection: unreachable, and repeated', async () => {
    const cut: Reply = (response) => response.destroy()
    const { ask, server } = await scene([cut, json(vector())])
    await ask()
    expect(server.asked).toHaveLength(2)
  })

  it('does not listen: unreachable, without an address in the message', async () => {
    const { ask, server } = await scene([json(vector())], { attempts: 1 })
    await server.close()
    const { failure: kind, message } = await failure(ask())
    expect([kind, message]).toEqual(['unreachable', 'no connection: ECONNREFUSED'])
  })

  it.each([
    ['{"status":"success","data":{"resultType":"vec', 'not JSON, or cut short, after 45 characters'],
    ['<html>proxy</html>', 'not JSON, or cut short, after 18 characters'],
    ['null', 'the answer is null, not an object'],
    [refused('boom'), 'status is "error": "boom"'],
    [{ status: 'success' }, 'data is absent, not an object'],
    [
      { status: 'success', data: { resultType: 'matrix', result: [] } },
      'resultType is "matrix", not a vector or a scalar',
    ],
    [{ status: 'success', data: { resultType: 'vector', result: {} } }, 'data.result is {}, not a list'],
    [
      { status: 'success', data: { resultType: 'vector', result: [{ metric: { a: 1 }, value: [1, '2'] }] } },
      'result 0, label a is not text',
    ],
    [
      { status: 'success', data: { resultType: 'vector', result: [{ metric: {}, value: [1, 2] }] } },
      '[1,2] is not a time and a value',
    ],
    [vector([{}, '']), '"" is not a value'],
    [vector([{}, 'many']), '"many" is not a value'],
    [vector([{ pod: 'a' }, '1'], [{ pod: 'a' }, '2']), 'result 1 is a series that was there before'],
  ])('answers nonsense: %j', async (body, message) => {
    const { ask, server } = await scene([json(body)])
    expect(await failure(ask())).toMatchObject({
      failure: 'badAnswer',
      message: `answer not understood: ${message}`,
    })
    expect(server.asked).toHaveLength(1)
  })

  it('answers without end: reading stops at the limit', async () => {
    const endless: Reply = (response) => {
      const more = () => {
        while (response.write('x'.repeat(10_000)));
      }
      response.on('drain', more)
      more()
    }
    const { ask } = await scene([endless], { maxResponseBytes: 100_000 })
    expect(await failure(ask())).toMatchObject({
      failure: 'badAnswer',
      message: 'answer longer than 100000 bytes',
    })
  })

  it('answers several queries without end: what is held of all together is limited', async () => {
    const endless: Reply = (response) => {
      const timer = setInterval(() => response.write('x'.repeat(10_000)), 1)
      response.on('close', () => clearInterval(timer))
    }
    const { client } = await scene([endless], { maxResponseBytes: 200_000, maxBytesUnderWay: 300_000 })
    const asked = ['a', 'b', 'c', 'd'].map((query) =>
      failure(client.instant(query, at, new AbortController().signal)),
    )
    const messages = (await Promise.all(asked)).map(({ failure: kind, message }) => `${kind}: ${message}`)
    expect(messages).toContain('badAnswer: answers longer than 300000 bytes together')
    expect(messages.filter((message) => !message.startsWith('badAnswer: answer'))).toEqual([])
  })

  it.each([400, 422])('refuses the query with %i: not repeated, and the reason is told', async (status) => {
    const { ask, server } = await scene([json(refused('parse error: unexpected ")"'), status)])
    expect(await failure(ask())).toMatchObject({
      failure: 'refused',
      status,
      message: 'parse error: unexpected ")"',
    })
    expect(server.asked).toHaveLength(1)
  })

  it.each([
    301, 401, 403, 404,
  ])('answers %i: told by its number, not repeated, not followed', async (status) => {
    const { ask, server } = await scene([json('secret body', status, { Location: 'http://127.0.0.1:1/' })])
    expect(await failure(ask())).toMatchObject({
      failure: 'httpStatus',
      status,
      message: `HTTP status ${status}`,
    })
    expect(server.asked).toHaveLength(1)
  })

  it('repeats our secrets in its error: we do not', async () => {
    const echo: Reply = (response, asked) =>
      json(refused(`bad token ${asked.headers.authorization} ${asked.headers['x-api-key']}`), 400)(
        response,
        asked,
      )
    const { ask } = await scene([echo], {
      bearerTokenFile: file('token', 's3cr3t-token'),
      headers: { 'X-Api-Key': 'k3y-of-keys' },
    })
    expect((await failure(ask())).message).toBe('bad token Bearer *** ***')
  })
})

describe('giving up and refusing to start', () => {
  it('ends at once when the caller aborts', async () => {
    const { ask } = await scene([() => undefined])
    const controller = new AbortController()
    const asked = failure(ask(controller.signal))
    controller.abort()
    expect((await asked).failure).toBe('aborted')
  })

  it('names the file that holds no token', async () => {
    const bearerTokenFile = file('token', ' \n')
    const { ask, server } = await scene([json(vector())], { bearerTokenFile })
    expect(await failure(ask())).toMatchObject({
      failure: 'credentials',
      message: `${bearerTokenFile} must hold one line of text`,
    })
    rmSync(bearerTokenFile)
    expect((await failure(ask())).message).toBe(`cannot read ${bearerTokenFile}: ENOENT`)
    expect(server.asked).toHaveLength(0)
  })

  it.each([
    [{ url: 'prometheus:9090' }, 'the URL of Prometheus must start with http:// or https://'],
    [
      { url: 'http://user:pw@host' },
      'the URL of Prometheus must not contain credentials: use a password or token file',
    ],
    [
      { url: 'http://host', bearerTokenFile: 'a', basicAuth: { username: 'a', passwordFile: 'b' } },
      'a bearer token and basic authentication exclude each other: both are given',
    ],
    [
      { url: 'https://host', certificateFile: 'a' },
      'a client certificate needs both its certificate file and its key file: one is given',
    ],
  ])('refuses %j', (options, message) => {
    expect(() => prometheusClient(options, { random: () => 0, sleep: async () => undefined })).toThrow(
      message,
    )
  })
})

describe('a range', () => {
  const span = { from: 1_760_000_000, until: 1_760_000_120, stepSeconds: 60 }
  const matrix = (...values: unknown[]) => ({
    status: 'success',
    data: { resultType: 'matrix', result: [{ metric: { pod: 'a' }, values }] },
  })
  const range = async (reply: Reply) => {
    const { client, server } = await scene([reply])
    return { server, answer: client.range('up', span, new AbortController().signal) }
  }

  it('is asked for by its ends and step, and read with its gaps and infinities', async () => {
    const { server, answer } = await range(json(matrix([1_760_000_000, '1'], [1_760_000_120, '+Inf'])))
    expect((await answer).series).toEqual([
      {
        labels: { pod: 'a' },
        samples: [
          { at: 1_760_000_000, value: 1 },
          { at: 1_760_000_120, value: Number.POSITIVE_INFINITY },
        ],
      },
    ])
    expect(server.asked[0]?.path).toBe('/api/v1/query_range')
    expect(Object.fromEntries(server.asked[0]?.form ?? [])).toMatchObject({
      query: 'up',
      start: '1760000000',
      end: '1760000120',
      step: '60',
      partial_response: 'false',
    })
  })

  it('that is no matrix, or whose samples are malformed, is a bad answer', async () => {
    for (const reply of [json(vector([{}, '1'])), json(matrix([1, 2])), json(matrix('x'))]) {
      expect((await failure((await range(reply)).answer)).failure).toBe('badAnswer')
    }
  })

  it('that is refused says why, in the words that an instant is refused with', async () => {
    const { answer } = await range(json(refused('invalid parameter "query": 1:1: parse error'), 400))
    expect(await failure(answer)).toMatchObject({ failure: 'refused', message: '1:1: parse error' })
  })
})
