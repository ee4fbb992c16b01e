// How long it takes from demand to a replica that serves it.
import type { Variant } from '../policy.ts'

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
