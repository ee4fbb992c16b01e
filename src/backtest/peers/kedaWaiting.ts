// vLLM production-stack's autoscaling: KEDA on `vllm:num_requests_waiting`, threshold 5, polled every 15 s, cooldown
// 360 s (production-stack, docs/source/use_cases/autoscaling-keda.rst). replicas = ceil(sum of waiting / 5).
// The example's query returns a series per pod, which KEDA refuses from the second pod on; it is read as their sum.
import { type KedaParameters, kedaOn } from './kedaMetric.ts'
import type { Configuration, Peer } from './peer.ts'

type Parameters = Pick<KedaParameters, 'arrangement' | 'threshold' | 'minReplicas'>

export function kedaWaiting(parameters: Parameters): Configuration {
  const { arrangement, threshold, minReplicas } = parameters
  return {
    label: `${arrangement}, threshold ${threshold}, min ${minReplicas}`,
    controllerOf: kedaOn('keda-waiting', ({ waiting }) => waiting, {
      ...parameters,
      pollingSeconds: 15,
      cooldownSeconds: 360,
    }),
  }
}

const thresholds = [5, 20]

/** Waiting requests appear when the SLO is already lost, so it is the floor that a user ends up tuning. */
export function kedaWaitingPeer(
  names: readonly string[],
  floorsOf: (arrangement: string) => readonly number[],
): Peer {
  return {
    name: 'keda-waiting',
    source: 'vllm-project/production-stack, docs/source/use_cases/autoscaling-keda.rst',
    shipped: kedaWaiting({ arrangement: names[0] ?? '', threshold: 5, minReplicas: 1 }),
    grid: names.flatMap((arrangement) =>
      thresholds.flatMap((threshold) =>
        floorsOf(arrangement).map((minReplicas) => kedaWaiting({ arrangement, threshold, minReplicas })),
      ),
    ),
  }
}
