// How long it takes from demand to a replica that serves it, and how sure a plan has to be of what comes by then.
import type { Behavior, Variant } from '../policy.ts'

/** Some starts take longer than the policy says. */
const startupMargin = 1.1

/** From demand to a replica asked for: the next tick, and the HPA's next sync. */
const actuationSeconds = 30

/** Until a replica ordered now is ready on the slowest of these variants that the policy lets grow, in or out of a schedule. */
export function leadOf(variants: readonly Variant[]): number {
  const startable = variants.filter(({ replicas, statedReplicas }) => {
    const { min, max } = statedReplicas ?? replicas
    return max > min
  })
  return (
    startupMargin * Math.max(0, ...startable.map(({ startupSeconds }) => startupSeconds)) + actuationSeconds
  )
}

/**
 * Too few replicas stay too few for a lead: of every lead, demand may be above the plan for so long; for longer as long as the spread of
 * the forecast's errors is assumed, which is wide already.
 */
const shortSeconds = 10
const assumedShortSeconds = 33
const leastQuantile = 0.5
const mostQuantile = 0.95

/** The quantile of the forecast that is planned for; `experience` (0..1) with its errors: docs/MODEL.md, "How sure a plan is". */
export function quantileFor(
  stated: Behavior['forecastQuantile'],
  leadSeconds: number,
  experience: number,
): number {
  if (stated !== 'byLead') return stated
  const short = assumedShortSeconds + experience * (shortSeconds - assumedShortSeconds)
  return Math.min(mostQuantile, Math.max(leastQuantile, 1 - short / leadSeconds))
}
