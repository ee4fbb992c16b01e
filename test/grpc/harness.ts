// A KEDA-like client made from KEDA's field numbers, and a publication to put answers into.
import { fileURLToPath } from 'node:url'
import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { Publication, TargetAnswer, TargetRef } from '../../src/core/publication.ts'
import { type GrpcServer, type GrpcServerOptions, startGrpcServer } from '../../src/grpc/server.ts'

export interface Ref {
  readonly name?: string
  readonly namespace?: string
  readonly scalerMetadata?: Readonly<Record<string, string>>
  readonly fromTheFuture?: string
}

export type Outcome =
  | { readonly code: 'OK'; readonly value: Record<string, unknown> }
  | { readonly code: string; readonly details: string; readonly value?: undefined }

export interface StreamLog {
  readonly messages: { readonly result: boolean; readonly at: number }[]
  /** The final status, once there is one. */
  readonly end: Promise<{ readonly code: string; readonly details: string }>
  readonly cancel: () => void
  readonly pause: () => void
  readonly resume: () => void
}

export interface KedaClient {
  readonly call: (method: string, request: object, deadlineMilliseconds?: number) => Promise<Outcome>
  readonly stream: (method: string, ref: object, deadlineMilliseconds?: number) => StreamLog
  readonly close: () => void
}

const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

export function loadService(protoFile: string, name: string): ServiceDefinition {
  const service = loadSync(protoFile, { keepCase: true, longs: String, defaults: true, enums: String })[name]
  if (service === undefined || 'format' in service) throw new Error(`no service ${name} in ${protoFile}`)
  return service as ServiceDefinition
}

const services = {
  '2.16': loadService(path('keda-2.16.proto'), 'externalscaler.ExternalScaler'),
  '2.21': loadService(path('keda-2.21.proto'), 'externalscaler.ExternalScaler'),
}

export function kedaClient(
  port: number,
  version: keyof typeof services = '2.21',
  channel: ChannelCredentials = credentials.createInsecure(),
  options: ChannelOptions = {},
): KedaClient {
  return client(services[version], port, channel, options)
}

export function client(
  service: ServiceDefinition,
  port: number,
  channel: ChannelCredentials = credentials.createInsecure(),
  options: ChannelOptions = {},
): KedaClient {
  const connection = new Client(`127.0.0.1:${port}`, channel, {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.service_config_disable_resolution': 1,
    ...options,
  })
  const method = (name: string) => {
    const definition = service[name]
    if (definition === undefined) throw new Error(`no method ${name}`)
    return definition
  }
  const deadline = (milliseconds: number | undefined) =>
    milliseconds === undefined ? {} : { deadline: Date.now() + milliseconds }
  return {
    call: (name, request, milliseconds) =>
      new Promise((resolve) => {
        const { path: wirePath, requestSerialize, responseDeserialize } = method(name)
        connection.makeUnaryRequest<object, Record<string, unknown>>(
          wirePath,
          requestSerialize,
          responseDeserialize,
          request,
          new Metadata(),
          deadline(milliseconds),
          (error, value) => {
            if (error !== null) resolve({ code: status[error.code], details: error.details })
            else resolve({ code: 'OK', value: value ?? {} })
          },
        )
      }),
    stream: (name, ref, milliseconds) => {
      const { path: wirePath, requestSerialize, responseDeserialize } = method(name)
      return logOf(
        connection.makeServerStreamRequest<object, { result: boolean }>(
          wirePath,
          requestSerialize,
          responseDeserialize,
          ref,
          new Metadata(),
          deadline(milliseconds),
        ),
      )
    },
    close: () => connection.close(),
  }
}

function logOf(stream: ClientReadableStream<{ result: boolean }>): StreamLog {
  const messages: { result: boolean; at: number }[] = []
  stream.on('data', (message: { result: boolean }) => messages.push({ ...message, at: performance.now() }))
  // The status event tells the same.
  stream.on('error', () => undefined)
  const end = new Promise<{ code: string; details: string }>((resolve) => {
    stream.on('status', (final) => resolve({ code: status[final.code], details: final.details }))
  })
  return {
    messages,
    end,
    cancel: () => stream.cancel(),
    pause: () => stream.pause(),
    resume: () => stream.resume(),
  }
}

export interface Board extends Publication {
  /** What the next question about this variant is answered. */
  readonly set: (variant: string, answer: TargetAnswer) => void
  /** `set` for all that are not set one by one. */
  readonly setAll: (answer: TargetAnswer) => void
  readonly publish: () => void
  readonly listeners: () => number
  readonly questions: () => number
}

/** The variants of policy `llama` in namespace `chat`: nobody else may ask for them. */
export function createBoard(): Board {
  const answers = new Map<string, TargetAnswer>()
  const listeners = new Set<() => void>()
  let otherwise: TargetAnswer = { kind: 'unavailable', why: 'no decision yet' }
  let questions = 0
  return {
    target: (ref: TargetRef) => {
      questions += 1
      if (ref.namespace !== 'chat' || ref.policy !== 'llama') return { kind: 'unknown' }
      return answers.get(ref.variant) ?? otherwise
    },
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    set: (variant, answer) => answers.set(variant, answer),
    setAll: (answer) => {
      otherwise = answer
      answers.clear()
    },
    publish: () => {
      for (const listener of listeners) listener()
    },
    listeners: () => listeners.size,
    questions: () => questions,
  }
}

export function replicas(count: number): TargetAnswer {
  return { kind: 'target', replicas: count, at: 1_700_000_000 }
}

export function ref(variant: string, changes: Ref = {}): Ref {
  return {
    name: 'so',
    namespace: 'chat',
    scalerMetadata: { scalerAddress: 'mixscaler.mixscaler:9090', policy: 'llama', variant },
    ...changes,
  }
}

export interface Running {
  readonly board: Board
  readonly server: GrpcServer
  readonly keda: KedaClient
  readonly stop: () => Promise<void>
}

export async function start(options: Partial<GrpcServerOptions> = {}): Promise<Running> {
  const board = createBoard()
  const server = await startGrpcServer({
    publication: board,
    address: '127.0.0.1',
    port: 0,
    reflection: 'on',
    ...options,
  })
  const keda = kedaClient(server.port)
  return {
    board,
    server,
    keda,
    stop: async () => {
      keda.close()
      await server.stop(2_000)
    },
  }
}

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Waits until the condition holds; the test's own time limit ends a condition that never does. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(5)
}
