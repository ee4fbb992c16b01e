import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Client, credentials, type ServiceDefinition } from '@grpc/grpc-js'
import { protoPath as healthProto } from 'grpc-health-check'
import { describe, expect, it } from 'vitest'
import { client, loadService, start } from './harness.ts'

const reflectionRoot = dirname(createRequire(import.meta.url).resolve('@grpc/reflection/package.json'))

const reflection = (version: 'v1' | 'v1alpha'): ServiceDefinition =>
  loadService(
    join(reflectionRoot, `build/proto/grpc/reflection/${version}/reflection.proto`),
    `grpc.reflection.${version}.ServerReflection`,
  )

/** The services that the server lists, or the code of its refusal. */
function listServices(service: ServiceDefinition, port: number): Promise<string[]> {
  const definition = service['ServerReflectionInfo']
  if (definition === undefined) throw new Error('no reflection method')
  const connection = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
  return new Promise((resolve) => {
    const stream = connection.makeBidiStreamRequest<object, ListResponse>(
      definition.path,
      definition.requestSerialize,
      definition.responseDeserialize,
    )
    const names: string[] = []
    stream.on('data', (response: ListResponse) => {
      names.push(...(response.list_services_response?.service ?? []).map(({ name }) => name))
      stream.end()
    })
    stream.on('error', () => undefined)
    stream.on('status', ({ code }) => {
      connection.close()
      resolve(code === 0 ? names : [`code ${code}`])
    })
    stream.write({ list_services: '' })
  })
}

interface ListResponse {
  readonly list_services_response?: { readonly service: readonly { readonly name: string }[] }
}

describe('health', () => {
  it('conformance 42: serves all four services from the start, without any decision', async () => {
    const running = await start()
    const health = client(loadService(healthProto, 'grpc.health.v1.Health'), running.server.port)
    for (const service of ['', 'liveness', 'readiness', 'externalscaler.ExternalScaler']) {
      expect(await health.call('Check', { service }), service).toEqual({
        code: 'OK',
        value: { status: 'SERVING' },
      })
    }
    expect(await health.call('Check', { service: 'other' })).toMatchObject({ code: 'NOT_FOUND' })
    running.board.setAll({ kind: 'unavailable', why: 'Prometheus does not answer' })
    running.board.publish()
    expect(await health.call('Check', { service: 'liveness' })).toMatchObject({ code: 'OK' })
    health.close()
    await running.stop()
  })
})

describe('reflection', () => {
  it('conformance 43: lists the services in v1 and v1alpha, unless it is off', async () => {
    const on = await start()
    const off = await start({ reflection: 'off' })
    for (const version of ['v1', 'v1alpha'] as const) {
      expect((await listServices(reflection(version), on.server.port)).toSorted()).toEqual([
        'externalscaler.ExternalScaler',
        'grpc.health.v1.Health',
      ])
      expect(await listServices(reflection(version), off.server.port)).toEqual(['code 12'])
    }
    await on.stop()
    await off.stop()
  })
})
