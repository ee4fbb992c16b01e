// How far ahead a class is planned for, and what is forecast for then. Only demand that compares with earlier demand
// teaches anything: while engines of the class cannot be read, its forecast rests.
import type { DemandReadAt } from '../demand/readAt.ts'
import { type ScalingPolicy, serves, type TrafficClass, type Variant } from '../policy.ts'
import { isMissing, missing, type Reading } from '../reading.ts'
import type { Forecast } from './forecast.ts'
import {
  type DemandHistory,
  type EnterDemand,
  enterDemand,
  experienceFrom,
  forecastFrom,
  noHistory,
} from './history.ts'
import { leadOf, quantileFor } from './lead.ts'

export interface Ahead {
  readonly forecast: Forecast
  /** With this instant's demand, where it is one of the history's grid. */
  readonly history: DemandHistory
}

export function lookAhead(
  policy: ScalingPolicy,
  trafficClass: TrafficClass,
  readAt: DemandReadAt,
  unseen: readonly Variant[],
  history: DemandHistory | undefined,
  at: number,
  requestsPerSecond: number,
): Reading<Ahead> {
  const entered = remembered(
    policy,
    trafficClass,
    readAt,
    unseen,
    history,
    at,
    requestsPerSecond,
    enterDemand,
  )
  if (isMissing(entered)) return entered
  const lead = leadOfClass(policy, trafficClass)
  const quantile = quantileFor(policy.behavior.forecastQuantile, lead, experienceFrom(entered, lead))
  return {
    forecast: forecastFrom(entered, at, taken(requestsPerSecond), lead, quantile),
    history: entered,
  }
}

/** The history with this demand, entered by `enter`; or why the class has none, or cannot compare this demand with it. */
export function remembered(
  policy: ScalingPolicy,
  trafficClass: TrafficClass,
  readAt: DemandReadAt,
  unseen: readonly Variant[],
  history: DemandHistory | undefined,
  at: number,
  requestsPerSecond: number,
  enter: EnterDemand,
): Reading<DemandHistory> {
  if (trafficClass.serviceLevel.kind === 'latencyTolerant') {
    return missing('notReported', 'a forecast of work that has deadlines')
  }
  const hidden = unseen.find((variant) => serves(variant, trafficClass))
  if (readAt === 'engines' && hidden !== undefined) {
    return missing('noSeries', `what arrives at ${hidden.name}`)
  }
  return enter(history ?? noHistory, at, taken(requestsPerSecond), leadOfClass(policy, trafficClass))
}

/** An author's query may say anything. */
function taken(requestsPerSecond: number): number {
  return Math.max(0, requestsPerSecond)
}

/** Seconds until a replica ordered now is ready for this class, on the slowest variant that serves it. */
export function leadOfClass({ variants }: ScalingPolicy, trafficClass: TrafficClass): number {
  return leadOf(variants.filter((variant) => serves(variant, trafficClass)))
}
