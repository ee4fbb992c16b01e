// What arrives of a class at its gateway. A gateway tells classes apart and exists at zero replicas; what it hands on, turns
// away and keeps waiting adds up to what came, and each request is counted once, however many engines it passes.
import type { GatewaySignals, Observation } from '../observation.ts'
import { type ScalingPolicy, serves, type TrafficClass, type Variant } from '../policy.ts'
import { isMissing, missing, type Reading } from '../reading.ts'
import { arrivals, drainSeconds } from './arrivals.ts'

/** Requests per second that come, never below 0. What waits at the gateway is worked off on top. */
export function gatewayArrivals({
  passedPerSecond,
  rejectedPerSecond,
  queued,
  queueGrowthPerSecond,
}: GatewaySignals): number {
  return Math.max(0, passedPerSecond + rejectedPerSecond + queueGrowthPerSecond) + queued / drainSeconds
}

/**
 * What the gateway says; missing where it cannot be read, and where it knows nothing of a class whose engines are busy: then
 * a label or a name does not match, and "nothing came" would starve the class.
 */
export function gatewayReading(
  policy: ScalingPolicy,
  { id, name, demand }: TrafficClass,
  seen: readonly Variant[],
  observation: Observation,
): Reading<GatewaySignals> {
  const signals = observation.classes[id]?.gateway ?? missing('noSeries', 'the gateway')
  if (isMissing(signals) || signals.counted === 'some') return signals
  const own = seen.filter(
    (variant) =>
      serves(variant, { name }) && !policy.classes.some((other) => other.id !== id && serves(variant, other)),
  )
  const busy = own.some((variant) => {
    const signalsOfVariant = observation.variants[variant.id]
    const arriving = signalsOfVariant === undefined ? 0 : arrivals(signalsOfVariant)
    return !isMissing(arriving) && arriving > 0
  })
  const kind = demand.kind === 'gateway' ? demand.gateway : 'gateway'
  return busy ? missing('noSeries', `requests of ${name} at ${kind}, though its engines are busy`) : signals
}

/**
 * Whether the engines can stand in for a gateway that cannot be read: at least one is ready to show what arrives, and no
 * other class of unknown demand uses them, since engines cannot tell classes apart.
 */
export function enginesStandIn(
  policy: ScalingPolicy,
  trafficClass: TrafficClass,
  entrances: readonly Variant[],
  observation: Observation,
  isKnown: (other: TrafficClass) => boolean,
): boolean {
  const mine = entrances.filter((variant) => serves(variant, trafficClass))
  const shared = policy.classes.filter(
    (other) => other.id !== trafficClass.id && mine.some((variant) => serves(variant, other)),
  )
  return shared.every(isKnown) && mine.some((variant) => isReady(variant, observation))
}

/** What waits inside the engines for a class that is read at a gateway, over `drainSeconds`; its share where several are. */
export function waitingInEngines(
  policy: ScalingPolicy,
  trafficClass: TrafficClass,
  seen: readonly Variant[],
  observation: Observation,
  arriving: ReadonlyMap<TrafficClass, number>,
): number {
  let waiting = 0
  for (const variant of seen) {
    const reading = observation.variants[variant.id]?.waiting
    if (!serves(variant, trafficClass) || reading === undefined || isMissing(reading)) continue
    const sharing = policy.classes.filter((other) => serves(variant, other))
    // The class that is read at these engines counts all that waits in them.
    if (sharing.some(({ demand }) => demand.kind === 'engine')) continue
    const all = sharing.reduce((sum, other) => sum + (arriving.get(other) ?? 0), 0)
    if (all > 0) waiting += (reading * (arriving.get(trafficClass) ?? 0)) / all
  }
  return waiting / drainSeconds
}

function isReady({ id }: Variant, observation: Observation): boolean {
  const replicas = observation.variants[id]?.replicas
  return replicas !== undefined && !isMissing(replicas) && replicas.ready > 0
}
