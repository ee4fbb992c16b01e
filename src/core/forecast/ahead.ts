// How far ahead a class is planned for, and what is forecast for then. Only demand that compares with earlier demand
// teaches anything: while engines of the class cannot be read, its forecast rests.
import { type ScalingPolicy, serves, type TrafficClass, type Variant } from '../policy.ts'
import { missing, type Reading } from '../reading.ts'
import type { Forecast } from './forecast.ts'
import { type DemandHistory, enterDemand, forecastFrom, noHistory } from './history.ts'

export interface Ahead {
  readonly forecast: Forecast
  /** With this instant's demand, where it is one of the history's grid. */
  readonly history: DemandHistory
}

/** Some starts take longer than the policy says. */
const startupMargin = 1.1

/** From demand to a replica asked for: the next tick, and the HPA's next sync. */
const actuationSeconds = 30

export function lookAhead(
  policy: ScalingPolicy,
  trafficClass: TrafficClass,
  unseen: readonly Variant[],
  history: DemandHistory | undefined,
  at: number,
  requestsPerSecond: number,
): Reading<Ahead> {
  if (trafficClass.serviceLevel.kind === 'latencyTolerant') {
    return missing('notReported', 'a forecast of work that has deadlines')
  }
  const hidden = unseen.find((variant) => serves(variant, trafficClass))
  if (trafficClass.demand.kind === 'engine' && hidden !== undefined) {
    return missing('noSeries', `what arrives at ${hidden.name}`)
  }
  const demand = Math.max(0, requestsPerSecond) // an author's query may say anything
  const lead = leadSeconds(policy, trafficClass)
  const entered = enterDemand(history ?? noHistory, at, demand, lead)
  return {
    forecast: forecastFrom(entered, at, demand, lead, policy.behavior.forecastQuantile),
    history: entered,
  }
}

/** Until a replica ordered now is ready, on the slowest variant that can grow. */
function leadSeconds({ variants }: ScalingPolicy, trafficClass: TrafficClass): number {
  const startable = variants.filter(
    (variant) => serves(variant, trafficClass) && variant.replicas.max > variant.replicas.min,
  )
  return (
    startupMargin * Math.max(0, ...startable.map(({ startupSeconds }) => startupSeconds)) + actuationSeconds
  )
}
