// KEDA's external-scaler messages by field number, as its operator up to 2.21 sends and reads them. Written
// out here and not taken from our server's own proto file, so that a mistake there cannot hide.
import {
  Client,
  type ClientReadableStream,
  credentials,
  type MethodDefinition,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js'
import { fromJSON } from '@grpc/proto-loader'

export interface ScaledObjectRef {
  readonly name: string
  readonly namespace: string
  readonly scalerMetadata: Readonly<Record<string, string>>
}

export interface MetricSpec {
  readonly metricName: string
  readonly targetSize: number
  readonly targetSizeFloat: number
}

export interface MetricValue {
  readonly metricName: string
  readonly metricValue: number
  readonly metricValueFloat: number
}

type Method = 'GetMetricSpec' | 'GetMetrics' | 'IsActive' | 'StreamIsActive'

const definition = fromJSON(
  {
    nested: {
      externalscaler: {
        nested: {
          Entry: { fields: { key: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } } },
          ScaledObjectRef: {
            fields: {
              name: { type: 'string', id: 1 },
              namespace: { type: 'string', id: 2 },
              // A map is, on the wire, a list of entries.
              scalerMetadata: { rule: 'repeated', type: 'Entry', id: 3 },
            },
          },
          IsActiveResponse: { fields: { result: { type: 'bool', id: 1 } } },
          MetricSpec: {
            fields: {
              metricName: { type: 'string', id: 1 },
              targetSize: { type: 'int64', id: 2 },
              targetSizeFloat: { type: 'double', id: 3 },
            },
          },
          GetMetricSpecResponse: { fields: { metricSpecs: { rule: 'repeated', type: 'MetricSpec', id: 1 } } },
          GetMetricsRequest: {
            fields: {
              scaledObjectRef: { type: 'ScaledObjectRef', id: 1 },
              metricName: { type: 'string', id: 2 },
            },
          },
          MetricValue: {
            fields: {
              metricName: { type: 'string', id: 1 },
              metricValue: { type: 'int64', id: 2 },
              metricValueFloat: { type: 'double', id: 3 },
            },
          },
          GetMetricsResponse: { fields: { metricValues: { rule: 'repeated', type: 'MetricValue', id: 1 } } },
          ExternalScaler: {
            methods: {
              GetMetricSpec: {
                requestType: 'ScaledObjectRef',
                responseType: 'GetMetricSpecResponse',
                comment: '',
              },
              GetMetrics: {
                requestType: 'GetMetricsRequest',
                responseType: 'GetMetricsResponse',
                comment: '',
              },
              IsActive: { requestType: 'ScaledObjectRef', responseType: 'IsActiveResponse', comment: '' },
              StreamIsActive: {
                requestType: 'ScaledObjectRef',
                responseType: 'IsActiveResponse',
                responseStream: true,
                comment: '',
              },
            },
          },
        },
      },
    },
  },
  { keepCase: true, longs: Number, defaults: true, arrays: true },
)

export interface KedaClient {
  readonly getMetricSpec: (ref: ScaledObjectRef) => Promise<readonly MetricSpec[]>
  readonly getMetrics: (ref: ScaledObjectRef, metricName: string) => Promise<readonly MetricValue[]>
  readonly isActive: (ref: ScaledObjectRef) => Promise<boolean>
  readonly streamIsActive: (ref: ScaledObjectRef) => ClientReadableStream<{ readonly result: boolean }>
  readonly close: () => void
}

/** Over all addresses in turn, as KEDA's client does; several are written `ipv4:127.0.0.1:9090,127.0.0.1:9091`. */
const roundRobin = JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] })

/** Plaintext. Calls reject with grpc-js's ServiceError. KEDA sets no deadline; here a hung call ends after 5 s. */
export function kedaClient(address: string): KedaClient {
  const client = new Client(address, credentials.createInsecure(), { 'grpc.service_config': roundRobin })
  function call<Response extends object>(name: Method, request: object): Promise<Response> {
    const { path, requestSerialize, responseDeserialize } = methodOf<Response>(name)
    return new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, response?: Response): void => {
        if (error !== null || response === undefined) reject(error ?? new Error(`${name} gave no answer`))
        else resolve(response)
      }
      const deadline = new Date(Date.now() + 5000)
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, { deadline }, done)
    })
  }
  return {
    getMetricSpec: async (ref) =>
      (await call<{ metricSpecs: readonly MetricSpec[] }>('GetMetricSpec', refMessage(ref))).metricSpecs,
    getMetrics: async (ref, metricName) => {
      const request = { scaledObjectRef: refMessage(ref), metricName }
      return (await call<{ metricValues: readonly MetricValue[] }>('GetMetrics', request)).metricValues
    },
    isActive: async (ref) => (await call<{ result: boolean }>('IsActive', refMessage(ref))).result,
    streamIsActive: (ref) => {
      const { path, requestSerialize, responseDeserialize } = methodOf<{ result: boolean }>('StreamIsActive')
      return client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, refMessage(ref))
    },
    close: () => client.close(),
  }
}

function methodOf<Response extends object>(name: Method): MethodDefinition<object, Response> {
  const service = definition['externalscaler.ExternalScaler'] as ServiceDefinition
  const method = service[name] as MethodDefinition<object, object>
  return { ...method, responseDeserialize: (bytes) => method.responseDeserialize(bytes) as Response }
}

function refMessage({ name, namespace, scalerMetadata }: ScaledObjectRef): object {
  const entries = Object.entries(scalerMetadata).map(([key, value]) => ({ key, value }))
  return { name, namespace, scalerMetadata: entries }
}
