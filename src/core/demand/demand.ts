// What each class of a policy asks for, in requests per second, from the engines, a gateway or the author's query.
import type { ClassSignals, Observation } from '../observation.ts'
import { type ClassId, type ScalingPolicy, serves, type TrafficClass, type Variant } from '../policy.ts'
import { isMissing, type Missing, missing, type Reading } from '../reading.ts'
import type { ClassMemory } from '../state.ts'
import { arrivals, drainSeconds } from './arrivals.ts'
import { enginesStandIn, gatewayArrivals, gatewayReading, waitingInEngines } from './gateway.ts'
import type { DemandReadAt } from './readAt.ts'
import { supplyOf } from './supply.ts'
import { type RequestSize, type TolerantDemand, tolerantDemand } from './tolerant.ts'

export interface ClassDemand {
  readonly requestsPerSecond: Reading
  readonly readAt: DemandReadAt
  /** Why engines stand in for the class's gateway. */
  readonly insteadOfGateway?: Missing
  /** Of latency-tolerant classes with a source of their own, where it is answered. */
  readonly tolerant?: TolerantDemand
}

/**
 * Demand of every class. `seen` are the variants whose engines can be read now: what arrives at the others is
 * left to them. `sizeOf` one request turns a backlog of tokens into requests.
 */
export function classDemand(
  policy: ScalingPolicy,
  seen: readonly Variant[],
  observation: Observation,
  memory: Readonly<Record<ClassId, ClassMemory>>,
  sizeOf: (trafficClass: TrafficClass) => RequestSize,
): Readonly<Record<ClassId, ClassDemand>> {
  const demand: Record<ClassId, ClassDemand> = {}
  const own = ownSources(policy, seen, observation)
  for (const [trafficClass, signals] of own) {
    const { serviceLevel } = trafficClass
    if (serviceLevel.kind === 'interactive') {
      demand[trafficClass.id] = { requestsPerSecond: signals.requestsPerSecond ?? 0, readAt: 'source' }
      continue
    }
    const { ledger, carried = {} } = memory[trafficClass.id] ?? {}
    const serving = seen.filter((variant) => serves(variant, trafficClass))
    const tolerant = tolerantDemand(
      signals,
      ledger,
      serviceLevel.completeWithinSeconds,
      sizeOf(trafficClass),
      supplyOf(serving, observation, carried),
      observation.at,
    )
    demand[trafficClass.id] = isMissing(tolerant)
      ? { requestsPerSecond: tolerant, readAt: 'source' }
      : { requestsPerSecond: tolerant.requestsPerSecond, readAt: 'source', tolerant }
  }
  for (const trafficClass of policy.classes) {
    const requestsPerSecond = (): Reading => engineDemand(policy, trafficClass, seen, observation, demand)
    if (trafficClass.demand.kind === 'engine') {
      demand[trafficClass.id] = { requestsPerSecond: requestsPerSecond(), readAt: 'engines' }
    }
    const why = demand[trafficClass.id]?.requestsPerSecond
    if (trafficClass.demand.kind !== 'gateway' || why === undefined || !isMissing(why)) continue
    const entrances = seen.filter(({ role }) => role !== 'decode')
    const isKnown = ({ id, demand: { kind } }: TrafficClass): boolean =>
      kind !== 'engine' && !isMissing(demand[id]?.requestsPerSecond ?? why)
    if (trafficClass.serviceLevel.kind === 'latencyTolerant') continue
    if (!enginesStandIn(policy, trafficClass, entrances, observation, isKnown)) continue
    demand[trafficClass.id] = {
      requestsPerSecond: requestsPerSecond(),
      readAt: 'engines',
      insteadOfGateway: why,
    }
  }
  return demand
}

/** What the classes with a source of their own are told by it; a gateway's words as the answer to a query. */
function ownSources(
  policy: ScalingPolicy,
  seen: readonly Variant[],
  observation: Observation,
): readonly (readonly [TrafficClass, ClassSignals])[] {
  const readings = new Map(
    policy.classes
      .filter(({ demand }) => demand.kind === 'gateway')
      .map((trafficClass) => [trafficClass, gatewayReading(policy, trafficClass, seen, observation)]),
  )
  const arriving = new Map(
    [...readings].map(([trafficClass, signals]) => [
      trafficClass,
      isMissing(signals) ? 0 : gatewayArrivals(signals),
    ]),
  )
  return policy.classes.flatMap((trafficClass) => {
    const signals = readings.get(trafficClass)
    if (signals === undefined) {
      return trafficClass.demand.kind === 'query'
        ? [[trafficClass, observation.classes[trafficClass.id] ?? {}] as const]
        : []
    }
    const inEngines = waitingInEngines(policy, trafficClass, seen, observation, arriving)
    const requestsPerSecond = isMissing(signals) ? signals : gatewayArrivals(signals) + inEngines
    return [[trafficClass, { requestsPerSecond }] as const]
  })
}

/**
 * What the engines receive less what classes with a source of their own send to the same engines. Such a class is taken to use
 * its own engines first, so that only the rest is subtracted. A user request passes a prefill and a decode
 * engine: it is counted where it enters; what waits for decode is worked off on top.
 */
function engineDemand(
  policy: ScalingPolicy,
  trafficClass: TrafficClass,
  seen: readonly Variant[],
  observation: Observation,
  known: Readonly<Record<ClassId, ClassDemand>>,
): Reading {
  const entrances = seen.filter((variant) => variant.role !== 'decode')
  const mine = entrances.filter((variant) => serves(variant, trafficClass))
  if (mine.length === 0) return missing('noSeries', `engines that serve ${trafficClass.name}`)
  let requestsPerSecond = 0
  for (const variant of mine) {
    const arriving = arrivalsAt(variant, observation)
    if (isMissing(arriving)) return arriving
    requestsPerSecond += arriving
  }
  for (const decoder of seen.filter(
    (variant) => variant.role === 'decode' && serves(variant, trafficClass),
  )) {
    const waiting = observation.variants[decoder.id]?.waiting ?? missing('noSeries', decoder.name)
    if (!isMissing(waiting)) requestsPerSecond += waiting / drainSeconds
  }
  for (const other of policy.classes) {
    if (other.demand.kind === 'engine' || other.id === trafficClass.id) continue
    if (!mine.some((variant) => serves(variant, other))) continue
    const queried = sentToEngines(other, observation, known)
    if (isMissing(queried)) continue // unknown: leave it in, the safe side
    const elsewhere = entrances
      .filter((variant) => serves(variant, other) && !serves(variant, trafficClass))
      .map((variant) => arrivalsAt(variant, observation))
      .reduce<number>((sum, reading) => sum + (isMissing(reading) ? 0 : reading), 0)
    requestsPerSecond -= Math.max(0, queried - elsewhere)
  }
  return Math.max(0, requestsPerSecond)
}

/** What arrives of a class at its engines: from a backlog what leaves it, through a gateway what it hands on. */
function sentToEngines(
  { id, demand }: TrafficClass,
  observation: Observation,
  known: Readonly<Record<ClassId, ClassDemand>>,
): Reading {
  if (demand.kind === 'gateway') {
    const signals = observation.classes[id]?.gateway ?? missing('noSeries', 'the gateway')
    return isMissing(signals) ? signals : signals.passedPerSecond
  }
  const waits = demand.kind === 'query' && demand.backlogTokens !== undefined
  if (waits) return known[id]?.tolerant?.servedPerSecond ?? missing('noSeries', 'the backlog')
  return observation.classes[id]?.requestsPerSecond ?? 0
}

function arrivalsAt(variant: Variant, observation: Observation): Reading {
  const signals = observation.variants[variant.id]
  return signals === undefined ? missing('noSeries', variant.name) : arrivals(signals)
}
