// Whether a class's last replica may go. "No data" is not "no demand": a source that exists at zero replicas has to say 0,
// from counters that stand still, and the engines have to agree, for the policy's time without a gap.

import type { Observation } from '../observation.ts'
import { serves, type TrafficClass, type Variant, type ZeroRule } from '../policy.ts'
import { isMissing, type Reading } from '../reading.ts'
import type { DemandReadAt } from './readAt.ts'

export interface IdleMemory {
  /** Proven without a gap from then to then. */
  readonly since: number
  readonly at: number
}

/** Rates look back this far: readings further apart leave time between them that nobody saw. */
const longestGapSeconds = 60

/** `isBusy` says which other classes explain what the engines do. */
export function proveIdle(
  before: IdleMemory | undefined,
  trafficClass: TrafficClass,
  demand: { readonly requestsPerSecond: Reading; readonly readAt: DemandReadAt },
  seen: readonly Variant[],
  observation: Observation,
  busyClasses: readonly TrafficClass[],
): IdleMemory | undefined {
  const { at } = observation
  if (demand.readAt !== 'source' || demand.requestsPerSecond !== 0) return undefined
  const serving = seen.filter((variant) => serves(variant, trafficClass))
  const own = serving.filter((variant) => !busyClasses.some((other) => serves(variant, other)))
  if (!own.every((variant) => standsStill(variant, observation))) return undefined
  const continues = before !== undefined && at >= before.at && at - before.at <= longestGapSeconds
  return { since: continues ? before.since : at, at }
}

/** Whether something of a class arrives, as far as is known. */
export function isBusy(demand: { readonly requestsPerSecond: Reading } | undefined): boolean {
  return demand !== undefined && demand.requestsPerSecond !== 0
}

/** Why a class keeps a replica although nothing arrives; undefined where it may have none. */
export type KeepsOne = 'blindAtZero' | 'notProven'

export function keepsOne(
  { demand, serviceLevel }: TrafficClass,
  idle: IdleMemory | undefined,
  { afterSeconds }: ZeroRule,
  replicasThere: boolean,
): KeepsOne | undefined {
  if (demand.kind === 'engine') return 'blindAtZero'
  if (serviceLevel.kind === 'latencyTolerant' || !replicasThere) return undefined
  const proven = idle !== undefined && idle.at - idle.since >= afterSeconds
  return proven ? undefined : 'notProven'
}

function standsStill({ id }: Variant, observation: Observation): boolean {
  const signals = observation.variants[id]
  if (signals === undefined) return false
  const { replicas, running, waiting, completionsPerSecond } = signals
  if (!isMissing(replicas) && replicas.ready === 0) return true
  return running === 0 && waiting === 0 && completionsPerSecond === 0
}
