// What KEDA needs of a scaler, item by item: docs/KEDA.md has the list. Against the running server, with clients
// made from KEDA's field numbers.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createBoard, kedaClient, type Running, ref, replicas, start, until } from './harness.ts'
import { frame, rawCall, rawSession } from './raw.ts'

const service = '/externalscaler.ExternalScaler'
const name = 'mixscaler-llama-h100'

let running: Running

beforeEach(async () => {
  running = await start()
})

afterEach(async () => {
  await running.stop()
})

const getMetrics = (variant = 'h100', metricName = '') =>
  running.keda.call('GetMetrics', { scaledObjectRef: ref(variant), metricName })

const value = (count: number, metricName = name) => ({
  code: 'OK',
  value: { metricValues: [{ metricName, metricValue: String(count), metricValueFloat: count }] },
})

describe('protocol', () => {
  it('conformance 1: the four methods answer under KEDA paths', async () => {
    running.board.setAll(replicas(1))
    const session = rawSession(running.server.port)
    const request = Buffer.from('0a02736f1204636861741a0f0a06706f6c69637912056c6c616d61', 'hex')
    const variant = Buffer.from('1a0f0a0776617269616e74120468313030', 'hex')
    const askedRef = Buffer.concat([request, variant])
    for (const method of ['IsActive', 'GetMetricSpec']) {
      const call = rawCall(session, `${service}/${method}`)
      call.stream.end(frame(askedRef))
      expect(await call.status, method).toBe('0')
    }
    const metrics = rawCall(session, `${service}/GetMetrics`)
    metrics.stream.end(frame(Buffer.concat([Buffer.from([0x0a, askedRef.length]), askedRef])))
    expect(await metrics.status).toBe('0')
    const stream = rawCall(session, `${service}/StreamIsActive`)
    stream.stream.end(frame(askedRef))
    await until(() => stream.body().length > 0)
    expect(stream.body()).toEqual(frame(Buffer.from('0801', 'hex')))
    stream.stream.close()
    session.close()
  })

  it('conformance 2: a KEDA without floating-point fields reads the right integers', async () => {
    const old = kedaClient(running.server.port, '2.16')
    running.board.setAll(replicas(7))
    expect(await old.call('GetMetricSpec', ref('h100'))).toEqual({
      code: 'OK',
      value: { metricSpecs: [{ metricName: name, targetSize: '1' }] },
    })
    expect(await old.call('GetMetrics', { scaledObjectRef: ref('h100'), metricName: name })).toEqual({
      code: 'OK',
      value: { metricValues: [{ metricName: name, metricValue: '7' }] },
    })
    old.close()
  })

  it('conformance 3: integer and floating-point fields agree, and 0 is 0 in both', async () => {
    for (const count of [0, 1, 2, 9, 10, 1_000]) {
      running.board.setAll(replicas(count))
      expect(await getMetrics()).toEqual(value(count))
    }
  })

  it('conformance 4: StreamMetricSpec is UNIMPLEMENTED, so that KEDA 2.21 falls back quietly', async () => {
    const stream = running.keda.stream('StreamMetricSpec', ref('h100'))
    expect(await stream.end).toMatchObject({ code: 'UNIMPLEMENTED' })
  })

  it('conformance 5: unknown fields and metadata keys are accepted and change nothing', async () => {
    running.board.setAll(replicas(4))
    const scalerMetadata = {
      policy: 'llama',
      variant: 'h100',
      scalerAddress: 'elsewhere:1',
      enableTLS: 'true',
      unsafeSsl: 'true',
      metricType: 'Value',
      targetSize: '100',
      __proto__x: 'y',
    }
    const scaledObjectRef = ref('h100', { scalerMetadata, fromTheFuture: 'x' })
    expect(await running.keda.call('GetMetrics', { scaledObjectRef, metricName: '' })).toEqual(value(4))
  })

  it('conformance 6: counts beyond 32 bits arrive whole, and a ref without metadata is refused, not fatal', async () => {
    running.board.setAll(replicas(2 ** 31 + 5))
    expect(await getMetrics()).toEqual(value(2 ** 31 + 5))
    const bare = await running.keda.call('IsActive', { name: 'so', namespace: 'chat' })
    expect(bare).toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})

describe('GetMetricSpec', () => {
  it('conformance 7: gives exactly one metric with target 1 in both fields', async () => {
    expect(await running.keda.call('GetMetricSpec', ref('h100'))).toEqual({
      code: 'OK',
      value: { metricSpecs: [{ metricName: name, targetSize: '1', targetSizeFloat: 1 }] },
    })
  })

  it('conformance 8: names are lower-case letters, digits and dashes, and equal on every server', async () => {
    const other = await start()
    for (const variant of ['h100', 'H100_TP4', 'h100.tp4', 'x'.repeat(200)]) {
      const one = await running.keda.call('GetMetricSpec', ref(variant))
      expect(await other.keda.call('GetMetricSpec', ref(variant))).toEqual(one)
      expect(JSON.stringify(one)).toMatch(/"metricName":"[a-z0-9]([-a-z0-9]*[a-z0-9])?"/)
    }
    await other.stop()
  })

  it('conformance 9: answers before anything is published, for any ref, without asking for a decision', async () => {
    const foreign = ref('h100', { namespace: 'elsewhere' })
    expect(await running.keda.call('GetMetricSpec', ref('h100'))).toMatchObject({ code: 'OK' })
    expect(await running.keda.call('GetMetricSpec', foreign)).toMatchObject({ code: 'OK' })
    expect(running.board.questions()).toBe(0)
  })

  it('conformance 10: refuses invalid metadata by naming the key and not its value', async () => {
    const scalerMetadata = { policy: 's3cret value', variant: '' }
    const refused = await running.keda.call('GetMetricSpec', ref('', { scalerMetadata }))
    expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(JSON.stringify(refused)).toMatch(
      /scalerMetadata\.policy must be.*scalerMetadata\.variant is missing/,
    )
    expect(JSON.stringify(refused)).not.toContain('s3cret')
  })

  it('conformance 11: may be called at any rate without side effects', async () => {
    const calls = Array.from({ length: 200 }, () => running.keda.call('GetMetricSpec', ref('h100')))
    const answers = new Set((await Promise.all(calls)).map((answer) => JSON.stringify(answer)))
    expect(answers.size).toBe(1)
    expect([running.board.questions(), running.board.listeners()]).toEqual([0, 0])
  })
})

describe('GetMetrics', () => {
  it('conformance 12: gives exactly one value under the name asked for', async () => {
    running.board.setAll(replicas(3))
    expect(await getMetrics('h100', name)).toEqual(value(3))
  })

  it('conformance 13: takes the name in upper and lower case', async () => {
    running.board.setAll(replicas(3))
    expect(await getMetrics('h100', name.toUpperCase())).toEqual(value(3))
    const [spec] = await Promise.all([running.keda.call('GetMetricSpec', ref('H100'))])
    const mixed = JSON.stringify(spec).match(/"metricName":"([^"]+)"/)?.[1] ?? ''
    expect(await getMetrics('H100', mixed.toUpperCase())).toEqual(value(3, mixed))
  })

  it('conformance 14: does not know prefixed or foreign names, and takes an empty one for its only metric', async () => {
    running.board.setAll(replicas(3))
    for (const wrong of [`s0-${name}`, 'mixscaler-llama-l40s', 'x']) {
      expect(await getMetrics('h100', wrong), wrong).toMatchObject({ code: 'NOT_FOUND' })
    }
    expect(await getMetrics('h100', '')).toEqual(value(3))
  })

  it('conformance 15: never passes on what is not a count', async () => {
    for (const broken of [Number.NaN, Number.POSITIVE_INFINITY, -1, 2.5]) {
      running.board.setAll(replicas(broken))
      expect(await getMetrics()).toMatchObject({ code: 'INTERNAL' })
      expect(await running.keda.call('IsActive', ref('h100'))).toMatchObject({ code: 'INTERNAL' })
    }
  })

  it('conformance 16: gives the last good value within the staleness budget and UNAVAILABLE beyond', async () => {
    running.board.setAll({ kind: 'target', replicas: 5, at: 1_600_000_000 })
    expect(await getMetrics()).toEqual(value(5))
    running.board.setAll({
      kind: 'unavailable',
      why: 'the last decision is 95 s old: the policy allows 60 s',
    })
    expect(await getMetrics()).toEqual({
      code: 'UNAVAILABLE',
      details: 'the last decision is 95 s old: the policy allows 60 s',
    })
  })

  it('conformance 17: is UNAVAILABLE before the first decision, not 0', async () => {
    expect(await getMetrics()).toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('conformance 20: never waits longer than its own deadline, and stops when the client does', async () => {
    await running.stop()
    running = await start({ limits: { requestMilliseconds: 100 } })
    running.board.setAll(replicas(1))
    const session = rawSession(running.server.port)
    for (const method of ['GetMetrics', 'StreamIsActive']) {
      const call = rawCall(session, `${service}/${method}`)
      call.stream.write(frame(Buffer.alloc(20)).subarray(0, 10)) // and never the rest
      expect(await call.status, method).toBe('4')
    }
    session.close()
    const stream = running.keda.stream('StreamIsActive', ref('h100'), 150)
    expect(await stream.end).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    await until(() => running.board.listeners() === 0)
    expect(stream.messages.map(({ result }) => result)).toEqual([true])
  })

  it('conformance 21: refuses a request without a ref and goes on', async () => {
    running.board.setAll(replicas(2))
    const refused = await running.keda.call('GetMetrics', { metricName: name })
    expect(refused).toEqual({ code: 'INVALID_ARGUMENT', details: 'scaledObjectRef is missing' })
    expect(await getMetrics()).toEqual(value(2))
  })

  it('conformance 22: two triggers of one ScaledObject get their own values', async () => {
    running.board.set('h100', replicas(2))
    running.board.set('l40s', replicas(9))
    expect(await getMetrics('h100')).toEqual(value(2))
    expect(await getMetrics('l40s')).toEqual(value(9, 'mixscaler-llama-l40s'))
  })
})

describe('IsActive', () => {
  it('conformance 23: is "GetMetrics is positive", also while decisions come in between', async () => {
    let decisions = 0
    const churn = setInterval(() => {
      decisions += 1
      running.board.setAll(replicas(decisions % 3))
      running.board.publish()
    }, 1)
    try {
      running.board.setAll(replicas(0))
      for (let i = 0; i < 300; i += 1) {
        const before = decisions
        const [metrics, active] = await Promise.all([
          getMetrics(),
          running.keda.call('IsActive', ref('h100')),
        ])
        // Sent together: where no decision came in between, they must agree.
        if (decisions > before) continue
        expect(metrics).toEqual(value(before % 3))
        expect(active).toEqual({ code: 'OK', value: { result: before % 3 > 0 } })
      }
    } finally {
      clearInterval(churn)
    }
    for (const settled of [0, 1, 2]) {
      running.board.setAll(replicas(settled))
      expect(await getMetrics()).toEqual(value(settled))
      const active = await running.keda.call('IsActive', ref('h100'))
      expect(active).toEqual({ code: 'OK', value: { result: settled > 0 } })
    }
  })

  it('conformance 24: fails where GetMetrics fails, and is never false for unknown', async () => {
    const unavailable = await running.keda.call('IsActive', ref('h100'))
    expect(unavailable).toEqual(await getMetrics())
    expect(unavailable).toMatchObject({ code: 'UNAVAILABLE' })
    const unknown = await running.keda.call('IsActive', ref('h100', { namespace: 'elsewhere' }))
    expect(unknown).toMatchObject({ code: 'PERMISSION_DENIED' })
  })

  it('conformance 25: changes nothing', async () => {
    running.board.setAll(replicas(1))
    const before = await getMetrics()
    await Promise.all(Array.from({ length: 100 }, () => running.keda.call('IsActive', ref('h100'))))
    expect(await getMetrics()).toEqual(before)
    expect(running.board.listeners()).toBe(0)
  })

  it('conformance 45: unary calls alone tell all there is, for triggers of type external', async () => {
    for (const count of [0, 3, 0]) {
      running.board.setAll(replicas(count))
      running.board.publish()
      const active = await running.keda.call('IsActive', ref('h100'))
      expect(active).toEqual({ code: 'OK', value: { result: count > 0 } })
      expect(await getMetrics()).toEqual(value(count))
    }
  })
})

describe('security', () => {
  it('conformance 38: "does not exist" and "not yours" are the same answer', async () => {
    running.board.setAll(replicas(3))
    const foreign = await running.keda.call('IsActive', ref('h100', { namespace: 'elsewhere' }))
    const scalerMetadata = { policy: 'no-such-policy', variant: 'h100' }
    const absent = await running.keda.call('IsActive', ref('h100', { scalerMetadata }))
    expect(foreign).toMatchObject({ code: 'PERMISSION_DENIED' })
    expect(absent).toEqual(foreign)
  })

  it('conformance 39: names that could carry a query are refused, and so is too much metadata', async () => {
    const injection = ref('h100"} or vector(1) #')
    expect(await running.keda.call('GetMetricSpec', injection)).toMatchObject({ code: 'INVALID_ARGUMENT' })
    const manyKeys = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`key-${i}`, 'x']))
    const tooMany = await running.keda.call('GetMetricSpec', ref('', { scalerMetadata: manyKeys }))
    expect(tooMany).toMatchObject({ code: 'INVALID_ARGUMENT' })
    const tooLong = ref('', { scalerMetadata: { policy: 'llama', variant: 'h100', x: 'y'.repeat(17_000) } })
    expect(await running.keda.call('GetMetricSpec', tooLong)).toMatchObject({ code: 'INVALID_ARGUMENT' })
    const huge = ref('', { scalerMetadata: { x: 'y'.repeat(100_000) } })
    expect(await running.keda.call('GetMetricSpec', huge)).toMatchObject({ code: 'RESOURCE_EXHAUSTED' })
    expect(running.board.questions()).toBe(0)
  })

  it('conformance 40: no address, query or stack reaches the caller, not even from a bug', async () => {
    running.board.setAll({
      kind: 'unavailable',
      why: 'GET http://prometheus:9090 said sum(rate(x[1m])) is bad',
    })
    expect(await getMetrics()).toEqual({
      code: 'UNAVAILABLE',
      details: 'no current target: the scaler logs why',
    })
    const problems: string[] = []
    const broken = await start({
      publication: {
        ...createBoard(),
        target: () => {
          throw new Error('token abc at http://prometheus:9090')
        },
      },
      problem: ({ text }) => problems.push(text),
    })
    expect(await broken.keda.call('IsActive', ref('h100'))).toEqual({
      code: 'INTERNAL',
      details: 'internal error: the scaler logs it',
    })
    expect(problems).toEqual(['Error: token abc at http://prometheus:9090'])
    await broken.stop()
  })

  it('conformance 41: keys ending in FromEnv are accepted, and no metadata reaches the log', async () => {
    const logged: unknown[] = []
    const server = await start({
      problem: (problem) => logged.push(problem),
      finished: (call) => logged.push(call),
    })
    const scalerMetadata = { policy: 'llama', variant: 'h100', tokenFromEnv: 'hunter2' }
    const asked = ref('h100', { scalerMetadata })
    expect(await server.keda.call('GetMetricSpec', asked)).toMatchObject({ code: 'OK' })
    expect(await server.keda.call('IsActive', asked)).toMatchObject({ code: 'UNAVAILABLE' })
    await until(() => logged.length === 3)
    expect(JSON.stringify(logged)).not.toContain('hunter2')
    await server.stop()
  })
})

describe('operation', () => {
  it('conformance 36: a thousand ScaledObjects that come at once are all served', async () => {
    running.board.setAll(replicas(1))
    const refs = Array.from({ length: 1_000 }, (_, i) => ref('h100', { name: `so-${i}` }))
    const streams = refs.map((asked) => running.keda.stream('StreamIsActive', asked))
    const specs = await Promise.all(refs.map((asked) => running.keda.call('GetMetricSpec', asked)))
    expect(specs.filter(({ code }) => code !== 'OK')).toEqual([])
    await until(() => streams.every(({ messages }) => messages.length > 0))
    for (const stream of streams) stream.cancel()
    await until(() => running.board.listeners() === 0)
  })

  it('conformance 44: each call is reported with its path, code and time, and the number of streams', async () => {
    const calls: string[] = []
    const open: number[] = []
    const server = await start({
      finished: ({ path, code, milliseconds }) => {
        expect(milliseconds).toBeGreaterThanOrEqual(0)
        calls.push(`${path} ${code}`)
      },
      streamsOpen: (count) => open.push(count),
    })
    server.board.setAll(replicas(1))
    await server.keda.call('IsActive', ref('h100'))
    await server.keda.call('IsActive', {})
    const stream = server.keda.stream('StreamIsActive', ref('h100'))
    await until(() => stream.messages.length === 1)
    stream.cancel()
    await until(() => calls.length === 3)
    expect(calls).toEqual([
      `${service}/IsActive OK`,
      `${service}/IsActive INVALID_ARGUMENT`,
      `${service}/StreamIsActive CANCELLED`,
    ])
    expect(open).toEqual([1, 0])
    await server.stop()
  })

  it('conformance 47: a ScaledJob is answered like a ScaledObject, since KEDA does not say which it is', async () => {
    running.board.setAll(replicas(2))
    const job = ref('h100', { name: 'nightly-job' })
    const answer = await running.keda.call('GetMetrics', { scaledObjectRef: job, metricName: name })
    expect(answer).toEqual(value(2))
  })
})
