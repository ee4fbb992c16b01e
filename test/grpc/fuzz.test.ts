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

const stillServing = async (): Promise<void> => {
  const answer = await running.keda.call('IsActive', ref('h100'))
  expect(answer).toEqual({ code: 'OK', value: { result: true } })
}

describe('fuzz', () => {
  it('random metadata and metric names get an answer or a refusal, and a number only for the owner', async () => {
    const key = fc.oneof(
      fc.constantFrom('policy', 'variant', 'scalerAddress', '__proto__', 'constructor', 'tokenFromEnv'),
      fc.string({ unit: 'binary', maxLength: 20 }),
    )
    const text = fc.oneof(
      fc.constantFrom('llama', 'h100', 'chat'),
      fc.string({ unit: 'binary', maxLength: 50 }),
    )
    const asked = fc.record({
      name: text,
      namespace: text,
      scalerMetadata: fc
        .array(fc.tuple(key, text), { maxLength: 10 })
        .map((pairs) => Object.fromEntries(pairs)),
    })
    await fc.assert(
      fc.asyncProperty(atOnce(fc.tuple(asked, text)), async (calls) => {
        const answers = calls.map(async ([scaledObjectRef, metricName]) => {
          const answer = await running.keda.call('GetMetrics', { scaledObjectRef, metricName })
          const { policy } = scaledObjectRef.scalerMetadata
          if (answer.code === 'OK') expect([scaledObjectRef.namespace, policy]).toEqual(['chat', 'llama'])
          else expect(['INVALID_ARGUMENT', 'NOT_FOUND', 'PERMISSION_DENIED']).toContain(answer.code)
        })
        await Promise.all(answers)
      }),
      { numRuns: 4_000 / callsAtOnce },
    )
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
