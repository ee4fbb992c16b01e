// The gateway's side of a simulated fleet, which exists at zero replicas too: its /metrics under the names and with the
// labels of each gateway that policies can name, born with its first request as client libraries do it.
import type { GatewayKind } from '../core/policy.ts'
import type { Fleet } from './fleet.ts'
import { declaration, labelText, sample } from './textFormat.ts'

/** Handed to an engine or, where the gateway counts so, turned away. */
export function gatewayMetrics(fleet: Fleet, kind: GatewayKind): string {
  switch (kind) {
    case 'inferenceGateway':
      return endpointPicker(fleet, {
        passed: 'inference_objective_request_total',
        failed: 'inference_objective_request_error_total',
        queued: 'inference_extension_flow_control_queue_size',
        ready: 'inference_pool_ready_pods',
      })
    case 'kserve':
      return endpointPicker(fleet, {
        passed: 'llm_d_epp_request_total',
        failed: 'llm_d_epp_request_error_total',
        queued: 'llm_d_epp_flow_control_queue_size',
        ready: 'llm_d_epp_ready_endpoints',
      })
    case 'productionStack':
      return text([
        ['router_cpu_usage_percent', 'gauge', '', 3.5],
        // Counted as it arrives, whether there is an engine or not.
        [
          'vllm:num_incoming_requests_total',
          'counter',
          labelText({ model: fleet.settings.model }),
          arrived(fleet),
        ],
      ])
    case 'dynamo': {
      const model = fleet.settings.model.toLowerCase()
      const labels = labelText({ endpoint: 'chat_completions', model, request_type: 'stream' })
      return text([
        ['dynamo_frontend_disconnected_clients', 'gauge', '', 0],
        ['dynamo_frontend_requests_started_total', 'counter', labels, arrived(fleet)],
      ])
    }
  }
}

interface EndpointPickerNames {
  readonly passed: string
  readonly failed: string
  readonly queued: string
  readonly ready: string
}

/** A request is counted once it is scheduled; until then it is in the queue or, without one, a failure. */
function endpointPicker(fleet: Fleet, names: EndpointPickerNames): string {
  const { model } = fleet.settings
  const priority = '0'
  const target = { model_name: model, target_model_name: model }
  const { gatewayArrived, gatewayQueued, gatewayRejected } = fleet
  const queue = { ...target, fairness_id: 'default-flow', inference_pool: 'pool', priority }
  const rejected = { ...target, error_code: 'ServiceUnavailable' }
  const ready = fleet.pods().filter(({ phase }) => phase === 'ready').length
  return text([
    [names.ready, 'gauge', labelText({ name: 'pool' }), ready],
    [
      names.passed,
      'counter',
      labelText({ ...target, priority }),
      born(gatewayArrived - gatewayQueued - gatewayRejected),
    ],
    [names.failed, 'counter', labelText(rejected), born(gatewayRejected)],
    [names.queued, 'gauge', labelText(queue), gatewayArrived > 0 ? gatewayQueued : undefined],
  ])
}

function arrived({ gatewayArrived }: Fleet): number | undefined {
  return born(gatewayArrived)
}

/** A labelled counter is not there before its first event. */
function born(count: number): number | undefined {
  return count > 0 ? count : undefined
}

type Line = readonly [name: string, type: 'counter' | 'gauge', labels: string, value: number | undefined]

function text(lines: readonly Line[]): string {
  const written = lines.flatMap(([name, type, labels, value]) =>
    value === undefined ? [] : [declaration(name, type), sample(name, labels, value)],
  )
  return `${written.join('\n')}\n`
}
