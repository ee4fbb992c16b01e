// The gateways in front of engines, as data: under which names each counts what arrives, what it turns away and what
// waits at it. Names change between releases, and with them the labels, so that one expression over both names would
// count twice: each generation is a family of its own, and the first that knows a class is read (docs/METRICS.md).
import type { GatewayKind } from '../policy.ts'

export interface GatewayFamily {
  /** In the parts of a query. */
  readonly name: string
  /** All labels that tell one pod's series apart. */
  readonly labels: readonly string[]
  /** Labels that name the model; of several, the first that is not empty. */
  readonly modelLabels: readonly string[]
  /** A counter of requests. */
  readonly passed: string
  /** A counter of failures, of which those with these values of `label` were turned away before `passed` counted. */
  readonly rejected?: {
    readonly metric: string
    readonly label: string
    readonly values: readonly string[]
  }
  /** A gauge of requests that wait at the gateway for an engine. */
  readonly queued?: string
  /** Histograms of tokens per request, without their suffix. */
  readonly promptTokens?: string
  readonly outputTokens?: string
  /** Series that are there from the gateway's start on, before the first request of any model. */
  readonly alive: readonly string[]
}

/** The endpoint picker counts a request once it is scheduled: what waits, and what finds no room, is not in `passed`. */
const scheduler = {
  labels: ['model_name', 'target_model_name', 'priority', 'fairness_id', 'error_code', 'inference_pool'],
  modelLabels: ['target_model_name', 'model_name'],
}
const turnedAway = { label: 'error_code', values: ['InferencePoolResourceExhausted', 'ServiceUnavailable'] }

/** Gateway API Inference Extension, and the llm-d scheduler that grew out of it; both names are there in some releases. */
const endpointPicker: readonly GatewayFamily[] = [
  {
    ...scheduler,
    name: 'llmd',
    passed: 'llm_d_epp_request_total',
    rejected: { metric: 'llm_d_epp_request_error_total', ...turnedAway },
    queued: 'llm_d_epp_flow_control_queue_size',
    promptTokens: 'llm_d_epp_request_input_tokens',
    outputTokens: 'llm_d_epp_request_output_tokens',
    alive: ['llm_d_epp_ready_endpoints'],
  },
  {
    ...scheduler,
    name: 'objective',
    passed: 'inference_objective_request_total',
    rejected: { metric: 'inference_objective_request_error_total', ...turnedAway },
    queued: 'inference_extension_flow_control_queue_size',
    promptTokens: 'inference_objective_input_tokens',
    outputTokens: 'inference_objective_output_tokens',
    alive: ['inference_pool_ready_pods', 'inference_extension_info'],
  },
]

/** `prefix` is that of the engines' metrics: the production-stack's router uses it too. */
export function gatewayFamilies(kind: GatewayKind, prefix: string): readonly GatewayFamily[] {
  switch (kind) {
    case 'inferenceGateway':
    // The router of an LLMInferenceService is the same endpoint picker.
    case 'kserve':
      return endpointPicker
    case 'productionStack':
      return [
        {
          name: 'router',
          labels: ['model'],
          modelLabels: ['model'],
          // Counts requests that find no engine too.
          passed: `${prefix}num_incoming_requests_total`,
          alive: ['router_cpu_usage_percent'],
        },
      ]
    case 'dynamo': {
      const frontend = {
        labels: ['model', 'endpoint', 'request_type', 'status', 'error_type'],
        modelLabels: ['model'],
        promptTokens: 'dynamo_frontend_input_sequence_tokens',
        outputTokens: 'dynamo_frontend_output_sequence_tokens',
        alive: ['dynamo_frontend_disconnected_clients'],
      }
      return [
        { ...frontend, name: 'started', passed: 'dynamo_frontend_requests_started_total' },
        { ...frontend, name: 'finished', passed: 'dynamo_frontend_requests_total' },
      ]
    }
  }
}
