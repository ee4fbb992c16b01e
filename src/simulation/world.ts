// A fleet under its traffic: time passes for both together, and what the cluster around them would export
// (kube-state-metrics' owners) is written beside the pods' own metrics; the gateway's side is gatewayText.ts.
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
