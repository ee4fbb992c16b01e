// A router that picks the shortest queue sends a request to an empty replica while there is one: requests then share no
// step, however many there are. What is left of the load that one of them meets: docs/MODEL.md, "The fluid plant".

/** Beyond so many in the system per replica none is empty: 1 - 3e-4 for two replicas, less for more. */
const never = 4

/**
 * Of the rate at a replica, the part that comes to it while it runs something, for a request that runs. `inSystem`: requests per
 * replica, others than it; `replicas`: those among which the router chooses.
 */
export function metWhileRunning(inSystem: number, replicas: number): number {
  return inSystem >= never ? 1 : atLeast(Math.round(replicas) - 1, inSystem * replicas)
}

/** The same for one that arrives, over what it would be at a replica that gets its share whatever it runs. */
export function metOnArrival(inSystem: number, replicas: number): number {
  if (inSystem >= never || inSystem <= 0) return 1
  return Math.min(1, atLeast(Math.round(replicas), inSystem * replicas) / -Math.expm1(-inSystem))
}

/** Of a Poisson count with this mean: the chance that it is `count` or more. */
function atLeast(count: number, mean: number): number {
  let term = Math.exp(-mean)
  let below = 0
  for (let i = 0; i < count; i++) {
    below += term
    term *= mean / (i + 1)
  }
  return Math.max(0, 1 - below)
}
