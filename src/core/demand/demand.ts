// What each class of a policy asks for, in requests per second, from the engines or from the author's query.
import type { Observation } from '../observation.ts'
import { type ClassId, type ScalingPolicy, serves, type TrafficClass, type Variant } from '../policy.ts'
import { isMissing, missing, type Reading } from '../reading.ts'
import type { ClassMemory } from '../state.ts'
import { arrivals, drainSeconds } from './arrivals.ts'
import { supplyOf } from './supply.ts'
import { type RequestSize, type TolerantDemand, tolerantDemand } from './tolerant.ts'

export interface ClassDemand {
  readonly requestsPerSecond: Reading
  /** Of latency-tolerant classes with a query of their own, where it is answered. */
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
  for (const trafficClass of policy.classes) {
    if (trafficClass.demand.kind !== 'query') continue
    const signals = observation.classes[trafficClass.id] ?? {}
    const { serviceLevel } = trafficClass
    if (serviceLevel.kind === 'interactive') {
      demand[trafficClass.id] = { requestsPerSecond: signals.requestsPerSecond ?? 0 }
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
      ? { requestsPerSecond: tolerant }
      : { requestsPerSecond: tolerant.requestsPerSecond, tolerant }
  }
  for (const trafficClass of policy.classes) {
    if (trafficClass.demand.kind !== 'engine') continue
    demand[trafficClass.id] = {
      requestsPerSecond: engineDemand(policy, trafficClass, seen, observation, demand),
    }
  }
  return demand
}

/**
 * What the engines receive less what queried classes send to the same engines. A queried class is taken to use
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
    if (other.demand.kind !== 'query') continue
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

/** What arrives of a class at its engines; from a backlog that is what leaves it. */
function sentToEngines(
  { id, demand }: TrafficClass,
  observation: Observation,
  known: Readonly<Record<ClassId, ClassDemand>>,
): Reading {
  const waits = demand.kind === 'query' && demand.backlogTokens !== undefined
  if (waits) return known[id]?.tolerant?.servedPerSecond ?? missing('noSeries', 'the backlog')
  return observation.classes[id]?.requestsPerSecond ?? 0
}

function arrivalsAt(variant: Variant, observation: Observation): Reading {
  const signals = observation.variants[variant.id]
  return signals === undefined ? missing('noSeries', variant.name) : arrivals(signals)
}
