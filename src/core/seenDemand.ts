// What a class asks for at this instant, and what it is planned for: demand, forecast and schedules, held for a while.
// Memory keeps demand as it was; a what-if multiplies what came, what comes and what is held alike.
import type { IdleMemory, KeepsOne } from './demand/idle.ts'
import type { Ahead } from './forecast/ahead.ts'
import type { ScalingPolicy, TrafficClass, Variant } from './policy.ts'
import { isMissing, type Missing, type Reading } from './reading.ts'
import type { Scheduled } from './schedule/demand.ts'
import { type PeakAt, type PlannedPeak, plannedPeak, remember } from './stabilize/hold.ts'
import { enterNoise, type NoiseMemory } from './stabilize/noise.ts'
import type { ClassMemory, PolicyMemory, State } from './state.ts'

export interface SeenDemand {
  /** Requests per second now. */
  readonly requestsPerSecond: number
  /** By the time a replica ordered now is ready. */
  readonly ahead: Reading<Ahead>
  /** What was asked for lately, this instant included: the highest of demand, forecast and schedules, falling to the newest. */
  readonly window: readonly PeakAt[]
  /** This instant included; absent while something stands in for demand. */
  readonly noise?: NoiseMemory
  readonly idle?: IdleMemory
  /** Why one replica stays although nothing arrives. */
  readonly keepsOne?: KeepsOne
  /** Why engines stand in for the class's gateway. */
  readonly insteadOfGateway?: Missing
  readonly scheduled?: Scheduled
}

/** Of the window, what is planned for now. */
export function peakOf({ window }: SeenDemand, { behavior }: ScalingPolicy): PlannedPeak {
  return plannedPeak(window, behavior.scaleDownHoldSeconds)
}

/** Never below what is there now. A class at rest is started by its first request, not by a forecast. */
export function plannedFor(requestsPerSecond: number, ahead: Reading<Ahead>): number {
  if (isMissing(ahead) || requestsPerSecond <= 0) return requestsPerSecond
  return Math.max(requestsPerSecond, ahead.forecast.atQuantile)
}

/** What a class is held at once `planned` is entered. A what-if multiplies demand; what is remembered stays as it was. */
export function holdOf(
  policy: ScalingPolicy,
  past: ClassMemory | undefined,
  { since }: PolicyMemory,
  at: number,
  planned: number,
): Pick<SeenDemand, 'window' | 'noise'> {
  const factor = policy.demandFactor ?? 1
  if (factor <= 0) return { window: [{ at, requestsPerSecond: planned }] }
  const noise = enterNoise(past?.noise, at, planned / factor)
  const known = (past?.demand ?? []).filter((entry) => entry.at >= since)
  const window = remember(known, planned / factor, at, policy.behavior.scaleDownHoldSeconds, noise)
  return { window: scaled(window, factor), noise }
}

/** Memory holds demand as it was: a what-if multiplies what came, what comes and what is held alike. */
export function windowOf(policy: ScalingPolicy, { id }: TrafficClass, state: State): readonly PeakAt[] {
  return scaled(state.classes[id]?.demand ?? [], policy.demandFactor ?? 1)
}

function scaled(window: readonly PeakAt[], factor: number): readonly PeakAt[] {
  return factor === 1
    ? window
    : window.map((entry) => ({ ...entry, requestsPerSecond: factor * entry.requestsPerSecond }))
}

export function policyMemory(
  policy: ScalingPolicy,
  variants: readonly Variant[],
  state: State,
  at: number,
): PolicyMemory {
  const known = state.policies[policy.id]
  const seen = variants.map(({ id }) => id)
  return known !== undefined && known.seen.join() === seen.join() ? known : { seen, since: at }
}
