// StreamIsActive, drain and connection age against the running server: conformance 26 to 33.
import { once } from 'node:events'
import { protoPath as healthProto } from 'grpc-health-check'
import { describe, expect, it } from 'vitest'
import { client, kedaClient, loadService, pause, ref, replicas, start, until } from './harness.ts'
import { frame, rawCall, rawSession } from './raw.ts'

const results = (stream: { messages: readonly { result: boolean }[] }): boolean[] =>
  stream.messages.map(({ result }) => result)

/** ScaledObjectRef {so, chat, {policy: llama, variant: h100}} on the wire. */
const wireRef = Buffer.from(
  '0a02736f1204636861741a0f0a06706f6c69637912056c6c616d611a0f0a0776617269616e74120468313030',
  'hex',
)

describe('StreamIsActive', () => {
  it('conformance 26: tells the state at once, each change, and repeats active', async () => {
    const { board, keda, stop } = await start({
      timings: { heartbeatMilliseconds: 60, minIntervalMilliseconds: 10 },
    })
    board.setAll(replicas(0))
    const stream = keda.stream('StreamIsActive', ref('h100'))
    await until(() => stream.messages.length === 1)
    await pause(150)
    expect(results(stream)).toEqual([false]) // inactive is not repeated
    board.setAll(replicas(2))
    board.publish()
    await until(() => stream.messages.length >= 4)
    expect(results(stream).slice(0, 4)).toEqual([false, true, true, true])
    await stop()
  })

  it('conformance 26: is never faster than its pace, however often decisions change', async () => {
    const { board, keda, stop } = await start({ timings: { minIntervalMilliseconds: 100 } })
    board.setAll(replicas(0))
    const stream = keda.stream('StreamIsActive', ref('h100'))
    await until(() => stream.messages.length === 1)
    const startedAt = performance.now()
    for (let i = 1; i <= 100; i += 1) {
      board.setAll(replicas(i % 2))
      board.publish()
      await pause(4)
    }
    board.setAll(replicas(1))
    board.publish()
    await until(() => results(stream).at(-1) === true)
    expect(stream.messages.length).toBeLessThanOrEqual(2 + (performance.now() - startedAt) / 100)
    await stop()
  })

  it('conformance 27: an outage neither ends the stream nor makes it say anything', async () => {
    const { board, keda, stop } = await start({
      timings: { heartbeatMilliseconds: 40, minIntervalMilliseconds: 10 },
    })
    const stream = keda.stream('StreamIsActive', ref('h100')) // opened before the first decision
    await until(() => board.listeners() === 1)
    await pause(100)
    expect(results(stream)).toEqual([])
    board.setAll(replicas(1))
    board.publish()
    await until(() => stream.messages.length >= 2)
    board.setAll({ kind: 'unavailable', why: 'Prometheus does not answer' })
    board.publish()
    await pause(50)
    const before = stream.messages.length
    await pause(200)
    expect(stream.messages.length).toBe(before)
    board.setAll(replicas(3))
    board.publish()
    await until(() => stream.messages.length > before)
    expect(results(stream)).not.toContain(false)
    await stop()
  })

  it('conformance 27: the server pings, so that a dead peer is noticed on a silent stream', async () => {
    const { board, server, stop } = await start({ timings: { keepaliveMilliseconds: 30 } })
    board.setAll(replicas(0))
    const session = rawSession(server.port)
    let pings = 0
    session.on('ping', () => {
      pings += 1
    })
    const call = rawCall(session, '/externalscaler.ExternalScaler/StreamIsActive')
    call.stream.end(frame(wireRef))
    await until(() => pings >= 2)
    call.stream.close()
    session.close()
    await stop()
  })

  it('conformance 28: a thousand streams that come and go leave nothing behind', async () => {
    const open: number[] = []
    const { board, keda, stop } = await start({ streamsOpen: (count) => open.push(count) })
    board.setAll(replicas(1))
    const cycle = async (count: number): Promise<void> => {
      const streams = Array.from({ length: count }, (_, i) =>
        keda.stream('StreamIsActive', ref('h100', { name: `so-${i}` })),
      )
      await until(() => streams.every(({ messages }) => messages.length > 0))
      for (const stream of streams) stream.cancel()
      await Promise.all(streams.map(({ end }) => end))
      await until(() => open.at(-1) === 0)
    }
    await cycle(50)
    const timersBefore = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    for (let i = 0; i < 20; i += 1) await cycle(50)
    const timersAfter = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    expect(board.listeners()).toBe(0)
    expect(Math.max(...open)).toBeLessThanOrEqual(50)
    expect(timersAfter).toBeLessThanOrEqual(timersBefore + 2)
    await stop()
  })

  it('conformance 29: five hundred streams on one connection do not starve unary calls', async () => {
    const { board, keda, stop } = await start({ timings: { minIntervalMilliseconds: 1 } })
    board.setAll(replicas(0))
    const streams = Array.from({ length: 500 }, (_, i) =>
      keda.stream('StreamIsActive', ref('h100', { name: `so-${i}` })),
    )
    await until(() => streams.every(({ messages }) => messages.length === 1))
    board.setAll(replicas(1))
    board.publish()
    const unary = await Promise.all(Array.from({ length: 100 }, () => keda.call('IsActive', ref('h100'))))
    expect(unary.every(({ code }) => code === 'OK')).toBe(true)
    await until(() => streams.every((stream) => results(stream).at(-1) === true))
    for (const stream of streams) stream.cancel()
    await stop()
  })

  it('conformance 29: a reader that stands still gets the latest state when it goes on, not the history', async () => {
    const { board, server, stop } = await start({ timings: { minIntervalMilliseconds: 0 } })
    board.setAll(replicas(0))
    const session = rawSession(server.port, { initialWindowSize: 0 })
    const call = rawCall(session, '/externalscaler.ExternalScaler/StreamIsActive')
    call.stream.end(frame(wireRef))
    await until(() => board.listeners() === 1)
    for (let i = 1; i <= 2_001; i += 1) {
      board.setAll(replicas(i % 2))
      board.publish()
    }
    session.settings({ initialWindowSize: 65_535 })
    const active = frame(Buffer.from('0801', 'hex'))
    await until(() => call.body().subarray(-active.length).equals(active))
    expect(call.body().length).toBeLessThanOrEqual(2 * active.length)
    call.stream.close()
    session.close()
    await stop()
  })

  it('conformance 31: a stream opened anew with other metadata and the old one follow their own variant', async () => {
    const { board, keda, stop } = await start({ timings: { minIntervalMilliseconds: 1 } })
    board.set('h100', replicas(0))
    board.set('l40s', replicas(3))
    const old = keda.stream('StreamIsActive', ref('h100'))
    const fresh = keda.stream('StreamIsActive', ref('l40s'))
    await until(() => old.messages.length === 1 && fresh.messages.length === 1)
    board.set('l40s', replicas(0))
    board.publish()
    await until(() => fresh.messages.length === 2)
    expect([results(old), results(fresh)]).toEqual([[false], [true, false]])
    await stop()
  })

  it('refuses refs that are unknown, and ends cleanly when one becomes so', async () => {
    const { board, keda, stop } = await start()
    board.setAll(replicas(1))
    const foreign = keda.stream('StreamIsActive', ref('h100', { namespace: 'elsewhere' }))
    expect(await foreign.end).toMatchObject({ code: 'PERMISSION_DENIED' })
    const invalid = keda.stream('StreamIsActive', {})
    expect(await invalid.end).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(board.listeners()).toBe(0)
    const stream = keda.stream('StreamIsActive', ref('h100'))
    await until(() => stream.messages.length === 1)
    board.setAll({ kind: 'unknown' })
    board.publish()
    expect(await stream.end).toMatchObject({ code: 'OK' })
    await stop()
  })

  it('limits the streams of one ScaledObject and of all together, and counts those that ended out', async () => {
    const { board, keda, stop } = await start({ limits: { maxStreams: 3, maxStreamsPerRef: 2 } })
    board.setAll(replicas(1))
    const open = [1, 2].map(() => keda.stream('StreamIsActive', ref('h100')))
    await until(() => open.every(({ messages }) => messages.length === 1))
    expect(await keda.stream('StreamIsActive', ref('l40s')).end).toEqual({
      code: 'RESOURCE_EXHAUSTED',
      details: 'one ScaledObject may hold 2 streams',
    })
    const other = keda.stream('StreamIsActive', ref('h100', { name: 'other' }))
    await until(() => other.messages.length === 1)
    expect(await keda.stream('StreamIsActive', ref('h100', { name: 'third' })).end).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
    })
    open[0]?.cancel()
    await until(() => board.listeners() === 2)
    const again = keda.stream('StreamIsActive', ref('h100'))
    await until(() => again.messages.length === 1)
    await stop()
  })
})

describe('stopping', () => {
  it('conformance 32: drains: not serving, streams end with OK, calls under way finish, GOAWAY', async () => {
    const { board, server, keda } = await start()
    board.setAll(replicas(1))
    const health = client(loadService(healthProto, 'grpc.health.v1.Health'), server.port)
    const watch = health.stream('Watch', { service: 'readiness' })
    await until(() => watch.messages.length === 1)
    const streams = Array.from({ length: 20 }, (_, i) =>
      keda.stream('StreamIsActive', ref('h100', { name: `so-${i}` })),
    )
    await until(() => streams.every(({ messages }) => messages.length === 1))
    const session = rawSession(server.port)
    const underWay = rawCall(session, '/externalscaler.ExternalScaler/IsActive')
    const request = frame(wireRef)
    underWay.stream.write(request.subarray(0, 20))
    await pause(50)

    const goaway = once(session, 'goaway')
    let stopped = false
    const stopping = server.stop(10_000).then(() => {
      stopped = true
    })
    for (const stream of streams) expect(await stream.end).toMatchObject({ code: 'OK' })
    expect(await watch.end).toMatchObject({ code: 'OK' })
    expect(watch.messages.at(-1)).toMatchObject({ status: 'NOT_SERVING' })
    await goaway
    expect(stopped).toBe(false)
    underWay.stream.end(request.subarray(20))
    expect(await underWay.status).toBe('0')
    await stopping
    expect(board.listeners()).toBe(0)
    const late = kedaClient(server.port)
    expect(await late.call('IsActive', ref('h100'))).toMatchObject({ code: 'UNAVAILABLE' })
    late.close()
    keda.close()
    health.close()
  })

  it('conformance 32: a reader that stood still when the server stopped gets the clean end too', async () => {
    const { board, server, keda } = await start({ timings: { minIntervalMilliseconds: 0 } })
    board.setAll(replicas(0))
    const session = rawSession(server.port, { initialWindowSize: 0 })
    const call = rawCall(session, '/externalscaler.ExternalScaler/StreamIsActive')
    call.stream.end(frame(wireRef))
    await until(() => board.listeners() === 1)
    board.setAll(replicas(1)) // what it would be told next
    board.publish()
    const stopping = server.stop(10_000)
    session.settings({ initialWindowSize: 65_535 })
    expect(await call.status).toBe('0')
    session.close()
    await stopping
    keda.close()
  })

  it('conformance 32: cuts what is still open after the grace', async () => {
    const { server, keda } = await start({ limits: { requestMilliseconds: 60_000 } })
    const session = rawSession(server.port)
    const stuck = rawCall(session, '/externalscaler.ExternalScaler/IsActive')
    stuck.stream.write(frame(wireRef).subarray(0, 20))
    await pause(50)
    const cut = new Promise((resolve) => session.once('close', resolve))
    await server.stop(100)
    await cut
    expect(await stuck.status).toBeUndefined()
    keda.close()
  })

  it('conformance 33: streams end with OK when their connection has reached its age, and the client comes back', async () => {
    const { board, keda, stop } = await start({
      timings: { maxConnectionAgeMilliseconds: 200, heartbeatMilliseconds: 20, minIntervalMilliseconds: 5 },
    })
    board.setAll(replicas(1))
    for (let i = 0; i < 3; i += 1) {
      const stream = keda.stream('StreamIsActive', ref('h100'))
      expect(await stream.end).toMatchObject({ code: 'OK' })
      expect(stream.messages.length).toBeGreaterThan(1)
    }
    expect(board.listeners()).toBe(0)
    await stop()
  })
})
