// What benches of the gRPC side share: KEDA's calls over plain HTTP/2, so that the client costs less than the servers that it
// measures, and the bare grpc-js server that shows what the machine allows.
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
} from '@grpc/grpc-js'
import { metricName } from '../../src/grpc/metricName.ts'
import { type GetMetricsRequest, loadProtocol, type ScaledObjectRef } from '../../src/grpc/protocol.ts'

export type Method = 'GetMetrics' | 'GetMetricSpec' | 'IsActive' | 'StreamIsActive'

/** Frames of the calls that KEDA makes for one ScaledObject. */
export type Frames = Readonly<Record<Method, Buffer>>

/** With the metadata that KEDA would forward. */
export function framesOf(name: string, namespace: string, policy: string, variant: string): Frames {
  const scaledObjectRef = {
    ...{ name, namespace },
    scalerMetadata: { scalerAddress: 'mixscaler.mixscaler.svc.cluster.local:9090', policy, variant },
  }
  const request: GetMetricsRequest = { scaledObjectRef, metricName: metricName(policy, variant) }
  const ref = (method: Method) => frame(method, scaledObjectRef)
  return {
    GetMetrics: frame('GetMetrics', request),
    GetMetricSpec: ref('GetMetricSpec'),
    IsActive: ref('IsActive'),
    StreamIsActive: ref('StreamIsActive'),
  }
}

const { service } = loadProtocol()

function frame(method: Method, request: GetMetricsRequest | ScaledObjectRef): Buffer {
  const serialize = service[method]?.requestSerialize
  if (serialize === undefined) throw new Error(`the proto file has no ${method}`)
  const message = serialize(request)
  const framed = Buffer.alloc(5 + message.length)
  framed.writeUInt32BE(message.length, 1)
  message.copy(framed, 5)
  return framed
}

/** Rejects where the answer is an error. */
export function call(session: ClientHttp2Session, method: Method, framed: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = request(session, method)
    stream.on('trailers', (trailers) => {
      if (trailers['grpc-status'] !== '0') reject(new Error(`grpc-status ${trailers['grpc-status']}`))
    })
    stream.on('error', reject)
    stream.on('close', resolve)
    stream.resume()
    stream.end(framed)
  })
}

/** An open StreamIsActive; `first` resolves with its first message. */
export function openStream(session: ClientHttp2Session, { StreamIsActive }: Frames) {
  const stream = request(session, 'StreamIsActive')
  let messages = 0
  const first = new Promise<void>((resolve, reject) => {
    stream.on('error', reject)
    stream.on('close', () => reject(new Error('a stream ended before its first message')))
    stream.on('data', () => {
      messages += 1
      resolve()
    })
  })
  stream.end(StreamIsActive)
  return { first, messages: () => messages, cancel: () => closed(stream) }
}

function closed(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    stream.once('close', resolve)
    stream.close(8)
  })
}

function request(session: ClientHttp2Session, method: Method): ClientHttp2Stream {
  return session.request({
    ':method': 'POST',
    ':path': `/externalscaler.ExternalScaler/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
  })
}

const heartbeatMilliseconds = 10_000

/** Answers at once, with messages of the size of ours. Resolves with its port. */
export function serveEcho(): Promise<number> {
  const server = new Server()
  const GetMetrics: handleUnaryCall<GetMetricsRequest, object> = (asked, callback) => {
    const { metricName: name } = asked.request
    callback(null, { metricValues: [{ metricName: name, metricValue: 7, metricValueFloat: 7 }] })
  }
  const GetMetricSpec: handleUnaryCall<ScaledObjectRef, object> = (asked, callback) => {
    const { policy = '', variant = '' } = asked.request.scalerMetadata
    const spec = { metricName: metricName(policy, variant), targetSize: 1, targetSizeFloat: 1 }
    callback(null, { metricSpecs: [spec] })
  }
  const IsActive: handleUnaryCall<ScaledObjectRef, object> = (_, callback) => callback(null, { result: true })
  const StreamIsActive: handleServerStreamingCall<ScaledObjectRef, object> = (stream) => {
    stream.write({ result: true })
    const beat = setInterval(() => stream.write({ result: true }), heartbeatMilliseconds)
    stream.on('cancelled', () => clearInterval(beat))
  }
  server.addService(service, { GetMetrics, GetMetricSpec, IsActive, StreamIsActive })
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port)
      else reject(error)
    })
  })
}

/** Of a sorted list. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN
}
