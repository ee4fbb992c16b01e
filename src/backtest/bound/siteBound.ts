// The clairvoyant bound of a backtest, for its result: policy by policy, over the span that is scored. Policies are bounded
// as if each had the pools to itself, and latency-tolerant classes cost nothing: both only lower it.
import type { ScalingPolicy } from '../../core/policy.ts'
import { missing, type Reading } from '../../core/reading.ts'
import type { Tools } from '../../core/tools.ts'
import { figure } from '../record.ts'
import type { ResultBound } from '../result.ts'
import type { Site } from '../site.ts'
import type { Traffic } from '../traffic/traffic.ts'
import { type Clairvoyant, clairvoyant } from './clairvoyant.ts'
import { knownCapacity } from './known.ts'
import { knownTraffic } from './knownTraffic.ts'

export interface BoundedSpan {
  readonly warmupSeconds: number
  readonly seed: number
}

/** So many steps of whole minutes: a coarser one only lowers the bound, and the program grows with them. */
const mostSteps = 1440

export function siteBound(
  site: Site,
  traffic: Traffic,
  { warmupSeconds, seed }: BoundedSpan,
  tools: Tools,
): Reading<ResultBound> {
  const fromSeconds = Math.ceil(warmupSeconds / 60) * 60
  const scored = traffic.untilSeconds - fromSeconds
  const stepSeconds = 60 * Math.ceil(scored / 60 / mostSteps)
  const span = { fromSeconds, untilSeconds: traffic.untilSeconds, stepSeconds }
  const found: Extract<Clairvoyant, { readonly kind: 'bound' }>[] = []
  for (const stated of site.policies.policies) {
    const policy = asTrue(stated, site)
    const known = knownTraffic(traffic, site.classes, policy, span, seed)
    const answer = clairvoyant(
      {
        ...{ policy, pools: site.policies.pools, known },
        allowedMisses: 1 - policy.behavior.attainment,
        capacity: knownCapacity(policy, tools.capacities),
      },
      tools.engines.large,
    )
    if (answer.kind === 'failed') return missing('notReported', `${stated.id}: ${answer.why}`)
    if (answer.kind === 'infeasible')
      return missing(
        'notReported',
        `${stated.id}: all its replicas together do not carry ${100 * policy.behavior.attainment} % of its requests`,
      )
    found.push(answer)
  }
  const minutes = new Float64Array(traffic.untilSeconds / 60)
  for (const { schedule } of found)
    for (const { id, costPerHour } of site.variants)
      for (const [step, count] of (schedule.counts[id] ?? []).entries()) {
        const first = (fromSeconds + step * stepSeconds) / 60
        for (let minute = first; minute < first + stepSeconds / 60; minute++)
          minutes[minute] = (minutes[minute] ?? 0) + count * costPerHour
      }
  const sum = (of: (one: (typeof found)[number]) => number): number =>
    found.reduce((total, one) => total + of(one), 0)
  // A last step that is not whole is not bounded: the rate of what is stands for it.
  const hours = (Math.floor(scored / stepSeconds) * stepSeconds) / 3600
  const perHour = sum(({ dollars }) => dollars) / hours
  return {
    dollars: figure((perHour * scored) / 3600),
    dollarsPerHour: figure(perHour),
    scheduleDollarsPerHour: figure(sum(({ schedule }) => schedule.dollars) / hours),
    attainment: Math.min(...site.policies.policies.map(({ behavior }) => behavior.attainment)),
    stepSeconds,
    minutes: Array.from(minutes, figure),
  }
}

/** With the engines as they are in the plant, which a model error sets apart from those that are planned with. */
function asTrue(policy: ScalingPolicy, { variants }: Site): ScalingPolicy {
  return {
    ...policy,
    variants: policy.variants.map((variant) => ({
      ...variant,
      profile: variants.find(({ id }) => id === variant.id)?.profile ?? variant.profile,
    })),
  }
}
