// The cheapest counts for given rates and lengths, by the production decision with nothing running: what a fleet
// begins with, and what one would keep all the time.
import { decide } from '../core/decide.ts'
import type { Observation, VariantSignals } from '../core/observation.ts'
import type { ClassId, PolicySet, VariantId } from '../core/policy.ts'
import { isMissing, missing } from '../core/reading.ts'
import { emptyState } from '../core/state.ts'
import type { Tools } from '../core/tools.ts'
import type { Site } from './site.ts'
import { meanOf } from './traffic/lengthPoints.ts'
import { type Arriving, stepsOf } from './traffic/steps.ts'
import type { Traffic } from './traffic/traffic.ts'

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

/** The busiest minute of each class until then, with its own lengths, by class id. */
export function busiest(
  site: Site,
  traffic: Traffic,
  seed: number,
  untilSeconds: number,
): Readonly<Record<ClassId, ClassLoad>> {
  const steps = stepsOf(traffic, 60, seed)
  const loads: Record<ClassId, ClassLoad> = {}
  for (let at = 0; at < Math.min(untilSeconds, traffic.untilSeconds); at += 60) {
    const minute = minuteOf(site, traffic, steps.next().value as readonly Arriving[])
    for (const [id, load] of minute)
      if (load.requestsPerSecond > (loads[id]?.requestsPerSecond ?? 0)) loads[id] = load
  }
  return loads
}

function minuteOf(
  site: Site,
  { sources }: Traffic,
  arriving: readonly Arriving[],
): ReadonlyMap<ClassId, ClassLoad> {
  const loads = new Map<ClassId, ClassLoad>()
  for (const [source, { requests, shape }] of arriving.entries()) {
    const id = site.classes[sources[source]?.classIndex ?? -1]?.id
    if (id === undefined || requests <= 0) continue
    const so = loads.get(id)
    const rate = (so?.requestsPerSecond ?? 0) + requests / 60
    const share = requests / 60 / rate
    const mixed = (before: number | undefined, own: number): number =>
      before === undefined ? own : before + share * (own - before)
    loads.set(id, {
      requestsPerSecond: rate,
      promptTokens: mixed(so?.promptTokens, meanOf(shape.promptTokens)),
      outputTokens: mixed(so?.outputTokens, meanOf(shape.outputTokens)),
    })
  }
  return loads
}
