// A fleet under its traffic: time passes for both together, and what the cluster around them would export
// (kube-state-metrics' owners, the gateway's counters) is written beside the pods' own metrics.
import type { Fleet } from './fleet.ts'
import type { Request } from './request.ts'
import { declaration, labelText, sample } from './textFormat.ts'

export class World {
  readonly fleet: Fleet
  private readonly arrivals: Iterator<Request>
  private next: IteratorResult<Request>

  /** `arrivals` in order of time. */
  constructor(fleet: Fleet, arrivals: Iterator<Request>) {
    this.fleet = fleet
    this.arrivals = arrivals
    this.next = arrivals.next()
  }

  /** Nothing more will arrive. */
  get trafficEnded(): boolean {
    return this.next.done === true
  }

  advance(untilSeconds: number): void {
    while (this.next.done !== true && this.next.value.arrivedAtSeconds <= untilSeconds) {
      this.fleet.submit(this.next.value)
      this.next = this.arrivals.next()
    }
    this.fleet.advance(untilSeconds)
  }
}

/** Who owns each pod, as kube-state-metrics says it. */
export function kubeStateMetrics(fleet: Fleet): string {
  const lines = [declaration('kube_pod_owner', 'gauge')]
  for (const { name } of fleet.pods()) {
    const labels = {
      namespace: fleet.settings.namespace,
      pod: name,
      owner_kind: 'ReplicaSet',
      owner_name: name.slice(0, name.lastIndexOf('-')),
      owner_is_controller: 'true',
    }
    lines.push(sample('kube_pod_owner', labelText(labels), 1))
  }
  return `${lines.join('\n')}\n`
}

/** The gateway's side, which exists at zero replicas too, under the Inference Gateway's names. */
export function gatewayMetrics({ settings, gatewayArrived, gatewayQueued }: Fleet): string {
  const labels = labelText({ target_model_name: settings.model })
  const arrived = 'inference_objective_request_total'
  const queued = 'inference_extension_flow_control_queue_size'
  const lines = [declaration(arrived, 'counter'), sample(arrived, labels, gatewayArrived)]
  lines.push(declaration(queued, 'gauge'), sample(queued, labels, gatewayQueued))
  return `${lines.join('\n')}\n`
}
