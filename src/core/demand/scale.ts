// What if there were twice the traffic? The same observation with more of everything that arrives or waits: lengths,
// latencies and replicas stay as seen, and classes with deadlines get more work, not merely a higher rate.
import type { ClassSignals, GatewaySignals, Observation, VariantSignals } from '../observation.ts'
import { isMissing, type Reading } from '../reading.ts'

export function scaleDemand(observation: Observation, factor: number): Observation {
  if (factor === 1) return observation
  const times = (reading: Reading): Reading => (isMissing(reading) ? reading : reading * factor)
  const variant = (signals: VariantSignals): VariantSignals => ({
    ...signals,
    completionsPerSecond: times(signals.completionsPerSecond),
    inSystemGrowthPerSecond: times(signals.inSystemGrowthPerSecond),
    waiting: times(signals.waiting),
  })
  const atGateway = (signals: GatewaySignals): GatewaySignals => ({
    ...signals,
    passedPerSecond: signals.passedPerSecond * factor,
    rejectedPerSecond: signals.rejectedPerSecond * factor,
    queued: signals.queued * factor,
    queueGrowthPerSecond: signals.queueGrowthPerSecond * factor,
  })
  const trafficClass = ({ requestsPerSecond, backlogTokens, gateway }: ClassSignals): ClassSignals => ({
    ...(requestsPerSecond === undefined ? {} : { requestsPerSecond: times(requestsPerSecond) }),
    ...(backlogTokens === undefined ? {} : { backlogTokens: times(backlogTokens) }),
    ...(gateway === undefined ? {} : { gateway: isMissing(gateway) ? gateway : atGateway(gateway) }),
  })
  return {
    ...observation,
    variants: mapValues(observation.variants, variant),
    classes: mapValues(observation.classes, trafficClass),
  }
}

function mapValues<T>(record: Readonly<Record<string, T>>, change: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}
