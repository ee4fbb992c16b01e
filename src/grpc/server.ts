// The server KEDA talks to: the external scaler, health and reflection on one port, from start to drained stop.
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { ReflectionService } from '@grpc/reflection'
import { HealthImplementation, protoPath as healthProtoFile } from 'grpc-health-check'
import type { Publication } from '../core/publication.ts'
import type { MetadataLimits } from './answers.ts'
import { type FinishedCall, guardCalls } from './calls.ts'
import { loadCredentials, type TlsFiles } from './certificates.ts'
import { type Clock, systemClock } from './clock.ts'
import { createHandlers, type StreamLimits } from './handlers.ts'
import { type ReportedProblem, reportOnce } from './problems.ts'
import { loadProtocol, type Protocol, serviceName } from './protocol.ts'

export interface GrpcLimits extends MetadataLimits, StreamLimits {
  readonly maxMessageBytes: number
  /** From the first byte of a request to its last; answers take no time worth limiting. */
  readonly requestMilliseconds: number
}

export interface GrpcTimings {
  /** StreamIsActive repeats `true` this often. */
  readonly heartbeatMilliseconds: number
  /** And says nothing more often than this. */
  readonly minIntervalMilliseconds: number
  /** Connections and streams older than this end cleanly, so that clients find servers that came later. */
  readonly maxConnectionAgeMilliseconds: number
  /** HTTP/2 pings: KEDA sends none and would wait for ever on a connection whose other end is gone. */
  readonly keepaliveMilliseconds: number
  readonly keepaliveTimeoutMilliseconds: number
  readonly certificateReloadMilliseconds: number
}

const defaultLimits: GrpcLimits = {
  maxMessageBytes: 64 * 1024,
  maxMetadataKeys: 64,
  maxMetadataBytes: 16 * 1024,
  maxStreams: 10_000,
  maxStreamsPerRef: 16,
  requestMilliseconds: 2_000,
}

const defaultTimings: GrpcTimings = {
  heartbeatMilliseconds: 10_000,
  minIntervalMilliseconds: 1_000,
  maxConnectionAgeMilliseconds: 3_600_000,
  keepaliveMilliseconds: 30_000,
  keepaliveTimeoutMilliseconds: 10_000,
  certificateReloadMilliseconds: 10_000,
}

export interface GrpcServerOptions {
  readonly publication: Publication
  /** `0.0.0.0`, `::`, or one address of this host. */
  readonly address: string
  /** 0: any free port. */
  readonly port: number
  /** Absent: plaintext, for networks where a mesh or a policy guards the port. */
  readonly tls?: TlsFiles
  readonly reflection: 'on' | 'off'
  readonly limits?: Partial<GrpcLimits>
  readonly timings?: Partial<GrpcTimings>
  readonly clock?: Clock
  /** Each call at its end. */
  readonly finished?: (call: FinishedCall) => void
  /** How many StreamIsActive are open, at each change. */
  readonly streamsOpen?: (count: number) => void
  /** Refusals: each distinct one once a minute. */
  readonly problem?: (problem: ReportedProblem) => void
  /** Certificate files that could not be used; the last good ones stand. */
  readonly certificateProblem?: (text: string) => void
}

export interface GrpcServer {
  readonly port: number
  /** What the health service says of `liveness`: SERVING until something else is said. */
  readonly sayAlive: (alive: 'SERVING' | 'NOT_SERVING') => void
  /** Not serving, streams end with OK, calls under way finish, GOAWAY; after the grace what is left is cut. */
  readonly stop: (graceMilliseconds: number) => Promise<void>
}

const ignore = (): void => undefined

export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const clock = options.clock ?? systemClock
  const limits = { ...defaultLimits, ...options.limits }
  const timings = { ...defaultTimings, ...options.timings }
  const protocol = loadProtocol()
  const calls = guardCalls(limits.requestMilliseconds, options.finished ?? ignore, clock)
  const handlers = createHandlers({
    publication: options.publication,
    limits,
    pace: { ...timings, maxAgeMilliseconds: timings.maxConnectionAgeMilliseconds },
    clock,
    problem: reportOnce(options.problem ?? ignore, clock),
    streamsOpen: options.streamsOpen ?? ignore,
  })
  const health = createHealth()

  const server = new Server({
    interceptors: [calls.interceptor],
    'grpc.max_receive_message_length': limits.maxMessageBytes,
    // KEDA has one connection for everything: its streams must leave room for its other calls.
    'grpc.max_concurrent_streams': limits.maxStreams + 1_000,
    'grpc.keepalive_time_ms': timings.keepaliveMilliseconds,
    'grpc.keepalive_timeout_ms': timings.keepaliveTimeoutMilliseconds,
    'grpc.max_connection_age_ms': timings.maxConnectionAgeMilliseconds,
    // A stream opened just before the connection's end lives for its own full age first, and ends cleanly.
    'grpc.max_connection_age_grace_ms': timings.maxConnectionAgeMilliseconds + 10_000,
  })
  server.addService(protocol.service, handlers.implementation)
  health.addToServer(server)
  if (options.reflection === 'on') addReflection(server, protocol)

  const tls =
    options.tls === undefined
      ? { credentials: ServerCredentials.createInsecure(), stop: ignore }
      : await loadCredentials(
          options.tls,
          timings.certificateReloadMilliseconds,
          options.certificateProblem ?? ignore,
          clock,
        )
  const port = await bind(server, options, tls.credentials)

  return {
    port,
    sayAlive: (alive) => health.setStatus('liveness', alive),
    stop: async (graceMilliseconds) => {
      tls.stop()
      for (const service of drained) health.setStatus(service, 'NOT_SERVING')
      // KEDA's streams first: they must write nothing more once the guard has sent its status.
      handlers.endStreams()
      calls.endStreams()
      await shutDown(server, graceMilliseconds, clock)
    },
  }
}

/** Ready means able to answer GetMetricSpec: from the first moment, whatever Prometheus does. */
const drained = ['', 'readiness', serviceName]

function createHealth(): HealthImplementation {
  const health = new HealthImplementation({ liveness: 'SERVING' })
  for (const service of drained) health.setStatus(service, 'SERVING')
  return health
}

function addReflection(server: Server, protocol: Protocol): void {
  new ReflectionService({ ...protocol.definition, ...loadSync(healthProtoFile) }).addToServer(server)
}

function bind(server: Server, options: GrpcServerOptions, credentials: ServerCredentials): Promise<number> {
  const host = options.address.includes(':') ? `[${options.address}]` : options.address
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${options.port}`, credentials, (error, port) => {
      if (error === null) resolve(port)
      else reject(new Error(`cannot listen on ${host}:${options.port}: ${error.message}`, { cause: error }))
    })
  })
}

function shutDown(server: Server, graceMilliseconds: number, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const cancelForce = clock.after(graceMilliseconds, () => {
      server.forceShutdown()
      resolve()
    })
    server.tryShutdown(() => {
      cancelForce()
      resolve()
    })
  })
}
