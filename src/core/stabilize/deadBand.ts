// What the HPA in front makes of a target. With an AverageValue target of 1 it compares N with the replicas
// there are and ignores a ratio within its tolerance (Kubernetes >= 1.33: bounds included).

/** Replicas that the HPA will ask for when `current` exist and `target` is emitted. */
export function effectiveReplicas(current: number, target: number, tolerance: number): number {
  if (current === 0) return target
  const ratio = target / current
  return ratio >= 1 - tolerance && ratio <= 1 + tolerance ? current : target
}
