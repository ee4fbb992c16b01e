// Whatever comes in, the server answers the next good question, and nobody gets a number that is not theirs.
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Running, ref, replicas, start } from './harness.ts'
import { frame, rawCall, rawSession } from './raw.ts'

let running: Running

beforeAll(async () => {
  running = await start({ limits: { requestMilliseconds: 100 } })
  running.board.setAll(replicas(5))
})

afterAll(() => running.stop())

const methods = ['GetMetrics', 'GetMetricSpec', 'IsActive', 'StreamIsActive', 'NoSuchMethod']

const callsAtOnce = 50
const atOnce = <T>(call: fc.Arbitrary<T>) =>
  fc.array(call, { minLength: callsAtOnce, maxLength: callsAtOnce, size: 'max' })

/** INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED. */
const refusals = ['3', '5', '7']

interface Asked {
  readonly name: Buffer
  readonly namespace: Buffer
  readonly pairs: readonly (readonly [key: Buffer, value: Buffer])[]
  readonly metricName: Buffer
}

const chat = Buffer.from('chat')
const owned = [
  [Buffer.from('policy'), Buffer.from('llama')],
  [Buffer.from('variant'), Buffer.from('h100')],
] as const

/** By field numbers, as no client library would write it: keys that come twice, bytes that are no UTF-8. */
function getMetricsRequest({ name, namespace, pairs, metricName }: Asked): Buffer {
  const entries = pairs.map(([key, value]) => field(3, Buffer.concat([field(1, key), field(2, value)])))
  const scaledObjectRef = Buffer.concat([field(1, name), field(2, namespace), ...entries])
  return Buffer.concat([field(1, scaledObjectRef), field(2, metricName)])
}

/** A field of the wire type that carries its length. */
function field(number: number, content: Buffer): Buffer {
  const length: number[] = []
  for (let left = content.length; ; left >>= 7) {
    if (left < 128) {
      length.push(left)
      break
    }
    length.push((left % 128) + 128)
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), content])
}

const stillServing = async (): Promise<void> => {
  const answer = await running.keda.call('IsActive', ref('h100'))
  expect(answer).toEqual({ code: 'OK', value: { result: true } })
}

describe('fuzz', () => {
  it('random metadata and metric names get an answer or a refusal, and a number only for the owner', async () => {
    const session = rawSession(running.server.port)
    const bytes = fc.uint8Array({ maxLength: 50 }).map((array) => Buffer.from(array))
    const among = (...words: readonly string[]) => fc.constantFrom(...words.map((word) => Buffer.from(word)))
    const text = fc.oneof(
      among('llama', 'h100', 'chat', 'team/llama', '"} or vector(1) #', '../llama'),
      bytes,
    )
    const key = fc.oneof(
      among('policy', 'policy', 'variant', 'scalerAddress', '__proto__', 'constructor', 'tokenFromEnv'),
      bytes,
    )
    const stranger = fc.record({
      name: text,
      namespace: text,
      pairs: fc.array(fc.tuple(key, text), { maxLength: 10 }),
      metricName: text,
    })
    const owner = fc.array(fc.tuple(key, text), { maxLength: 3 }).map((more) => ({
      ...{ name: chat, namespace: chat, metricName: Buffer.alloc(0) },
      pairs: [...owned, ...more],
    }))
    const asked = fc.oneof({ weight: 9, arbitrary: stranger }, { weight: 1, arbitrary: owner })
    let [owners, others] = [0, 0]
    await fc.assert(
      fc.asyncProperty(atOnce(asked), async (calls) => {
        const statuses = calls.map(async (request) => {
          const call = rawCall(session, '/externalscaler.ExternalScaler/GetMetrics')
          call.stream.end(frame(getMetricsRequest(request)))
          const status = await call.status
          if (status !== '0') {
            others += 1
            return expect(refusals).toContain(status)
          }
          owners += 1
          // Of a key that comes twice the last counts.
          const policy = request.pairs.findLast(([name]) => name.toString() === 'policy')?.[1]
          expect([request.namespace.toString(), policy?.toString()]).toEqual(['chat', 'llama'])
        })
        await Promise.all(statuses)
      }),
      { numRuns: 10_000 / callsAtOnce },
    )
    session.close()
    expect(Math.min(owners, others)).toBeGreaterThan(50)
    await stillServing()
  })

  it('random frames end in a status or a closed stream', async () => {
    const session = rawSession(running.server.port)
    const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
    const body = fc.oneof(
      bytes,
      bytes.map((message) => frame(message)),
      bytes.map((message) => frame(message, 1)),
      fc.array(bytes, { maxLength: 4 }).map((messages) => Buffer.concat(messages.map((m) => frame(m)))),
      fc.constant(Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1])),
    )
    const encoding = fc.constantFrom('identity', 'gzip', 'deflate', 'x')
    await fc.assert(
      fc.asyncProperty(atOnce(fc.tuple(fc.constantFrom(...methods), encoding, body)), async (calls) => {
        const statuses = calls.map(([method, grpcEncoding, sent]) => {
          const call = rawCall(session, `/externalscaler.ExternalScaler/${method}`, {
            'grpc-encoding': grpcEncoding,
          })
          call.stream.end(sent)
          return call.status
        })
        // A stream is only opened for a ref that makes sense, which random bytes do not.
        for (const status of await Promise.all(statuses))
          expect(status === undefined || Number(status) > 0).toBe(true)
      }),
      { numRuns: 10_000 / callsAtOnce },
    )
    session.close()
    await stillServing()
  })

  it('clients that leave at any moment leave nothing behind', async () => {
    const session = rawSession(running.server.port)
    for (let i = 0; i < 200; i += 1) {
      const call = rawCall(session, `/externalscaler.ExternalScaler/${methods[i % 4]}`)
      if (i % 3 > 0) call.stream.write(Buffer.from([0, 0, 0]))
      if (i % 3 > 1) await new Promise(setImmediate)
      call.stream.close()
    }
    session.destroy()
    await stillServing()
    expect(running.board.listeners()).toBe(0)
  })
})
