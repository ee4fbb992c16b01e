// KServe's example for LLMs: KEDA on `vllm:num_requests_running`, 2 per replica ("6 concurrent requests ... will scale
// to 3 replicas": kserve/website, docs/model-serving/generative-inference/autoscaling/autoscaling.md).
// replicas = ceil(sum of running / 2). The rest are KEDA's defaults: polled every 30 s, cooldown 300 s.
import { type KedaParameters, kedaOn } from './kedaMetric.ts'
import type { Configuration, Peer } from './peer.ts'

type Parameters = Pick<KedaParameters, 'arrangement' | 'threshold'>

export function kserveRunning(parameters: Parameters): Configuration {
  return {
    label: `${parameters.arrangement}, ${parameters.threshold} per replica`,
    controllerOf: kedaOn('kserve-running', ({ running }) => running, {
      ...parameters,
      minReplicas: 1,
      pollingSeconds: 30,
      cooldownSeconds: 300,
    }),
  }
}

/** Steps of 1.35, from 2 to 180: the concurrency that an SLO allows differs that much between traces. */
const targets = Array.from({ length: 16 }, (_, i) => Math.round(20 * 1.35 ** i) / 10)

export function kserveRunningPeer(names: readonly string[]): Peer {
  return {
    name: 'kserve-running',
    source: 'kserve/website, docs/model-serving/generative-inference/autoscaling/autoscaling.md',
    shipped: kserveRunning({ arrangement: names[0] ?? '', threshold: 2 }),
    grid: names.flatMap((arrangement) =>
      targets.map((threshold) => kserveRunning({ arrangement, threshold })),
    ),
  }
}
