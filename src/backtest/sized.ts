// The cheapest counts for given rates and lengths, by the production decision with nothing running: what a fleet
// begins with, and what one would keep all the time.
import { decide } from '../core/decide.ts'
import type { Observation, VariantSignals } from '../core/observation.ts'
import type { ClassId, PolicySet, VariantId } from '../core/policy.ts'
import { isMissing, missing } from '../core/reading.ts'
import { emptyState } from '../core/state.ts'
import type { Tools } from '../core/tools.ts'

export interface ClassLoad {
  readonly requestsPerSecond: number
  /** Means. */
  readonly promptTokens: number
  readonly outputTokens: number
}

/** Classes that are not named ask for nothing. */
export function sizedFor(
  policies: PolicySet,
  loads: Readonly<Record<ClassId, ClassLoad>>,
  tools: Tools,
): Readonly<Record<VariantId, number>> {
  const asked: PolicySet = {
    ...policies,
    policies: policies.policies.map((policy) => ({
      ...policy,
      classes: policy.classes.map((trafficClass) => {
        const load = loads[trafficClass.id]
        return {
          ...trafficClass,
          demand: { kind: 'query', requestsPerSecond: 'stated' },
          ...(load === undefined
            ? {}
            : { assumedShape: { promptTokens: load.promptTokens, outputTokens: load.outputTokens } }),
        }
      }),
    })),
  }
  const classes = policies.policies.flatMap((policy) => policy.classes)
  const observation: Observation = {
    format: 'mixscaler-observation/1',
    at: 0,
    variants: Object.fromEntries(
      policies.policies.flatMap(({ variants }) => variants.map(({ id }) => [id, nothingRuns])),
    ),
    classes: Object.fromEntries(
      classes.map(({ id }) => [id, { requestsPerSecond: loads[id]?.requestsPerSecond ?? 0 }]),
    ),
    pools: {},
    warnings: [],
  }
  const { decision } = decide(asked, emptyState, observation, tools)
  return Object.fromEntries(
    decision.policies.flatMap(({ variants }) =>
      variants.map(({ id, wanted }) => [id, isMissing(wanted) ? 0 : wanted]),
    ),
  )
}

const none = missing('noReplicas')
const nothingRuns: VariantSignals = {
  replicas: { desired: 0, ready: 0, starting: 0, terminating: 0 },
  ...{ reporting: none, running: none, waiting: none, inSystemGrowthPerSecond: none },
  ...{ completionsPerSecond: none, generationTokensPerSecond: none, preemptionsPerSecond: none },
  ...{ promptTokens: none, outputTokens: none, ttft: none, itl: none },
  ...{ prefixHitRate: none, kvUsage: none, kvTokensPerReplica: none },
}
