// KEDA's messages as TypeScript sees them, and the service definition read from proto/externalscaler.proto.
import { fileURLToPath } from 'node:url'
import type { ServiceDefinition } from '@grpc/grpc-js'
import { loadSync, type PackageDefinition } from '@grpc/proto-loader'

export const serviceName = 'externalscaler.ExternalScaler'

export interface ScaledObjectRef {
  readonly name: string
  readonly namespace: string
  readonly scalerMetadata: Readonly<Record<string, string>>
}

export interface IsActiveResponse {
  readonly result: boolean
}

/** `targetSize` for KEDA up to 2.16, `targetSizeFloat` for newer ones: always equal. */
export interface MetricSpec {
  readonly metricName: string
  readonly targetSize: number
  readonly targetSizeFloat: number
}

export interface GetMetricSpecResponse {
  readonly metricSpecs: readonly MetricSpec[]
}

export interface GetMetricsRequest {
  /** `null` where the client left it out. */
  readonly scaledObjectRef: ScaledObjectRef | null
  readonly metricName: string
}

export interface MetricValue {
  readonly metricName: string
  readonly metricValue: number
  readonly metricValueFloat: number
}

export interface GetMetricsResponse {
  readonly metricValues: readonly MetricValue[]
}

/** The path holds from src/ and from dist/ alike: both lie beside proto/. */
const protoFile = fileURLToPath(new URL('../../proto/externalscaler.proto', import.meta.url))

export interface Protocol {
  /** For reflection. */
  readonly definition: PackageDefinition
  readonly service: ServiceDefinition
}

export function loadProtocol(): Protocol {
  const definition = loadSync(protoFile, {
    keepCase: true,
    longs: Number,
    defaults: true,
    arrays: true,
    objects: true,
  })
  const service = definition[serviceName]
  if (service === undefined || 'format' in service) {
    throw new Error(`${protoFile} defines no service ${serviceName}`)
  }
  return { definition, service: service as ServiceDefinition }
}
