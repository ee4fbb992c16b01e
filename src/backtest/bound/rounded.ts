// A relaxed schedule made of whole replicas: up, and then down again wherever what the relaxed one carried still fits.
import type { Variant, VariantId } from '../../core/policy.ts'
import type { MixBoundProblem } from './mixBound.ts'

/** Feasible for what the relaxed counts carry; not optimal. Replicas are dropped only where one class is served by unified variants. */
export function roundedUp(
  problem: MixBoundProblem,
  relaxed: Readonly<Record<VariantId, readonly number[]>>,
): { readonly counts: Readonly<Record<VariantId, readonly number[]>>; readonly dollars: number } {
  const { variants } = problem.policy
  const whole = new Map(
    variants.map((variant) => [variant, (relaxed[variant.id] ?? []).map((count) => Math.ceil(count - 1e-6))]),
  )
  const simple = problem.known.classes.length === 1 && variants.every(({ role }) => role === 'unified')
  if (simple) for (let t = 0; t < problem.known.steps; t++) drop(problem, relaxed, whole, t)
  return {
    counts: Object.fromEntries(variants.map((variant) => [variant.id, whole.get(variant) ?? []])),
    dollars: variants.reduce((sum, variant) => sum + costOf(problem, variant, whole.get(variant) ?? []), 0),
  }
}

/** Dearest first. */
function drop(
  { policy, known, capacity }: MixBoundProblem,
  relaxed: Readonly<Record<VariantId, readonly number[]>>,
  whole: ReadonlyMap<Variant, number[]>,
  t: number,
): void {
  const [only] = known.classes
  if (only === undefined) return
  const k = (variant: Variant): number => capacity(only, variant, t)
  const sum = (count: (variant: Variant) => number): number =>
    policy.variants.reduce((total, variant) => total + count(variant) * k(variant), 0)
  const needed = Math.min(
    only.requestsPerSecond[t] ?? 0,
    sum(({ id }) => relaxed[id]?.[t] ?? 0),
  )
  for (const variant of policy.variants.toSorted((x, y) => y.costPerHour - x.costPerHour)) {
    const counts = whole.get(variant)
    if (counts === undefined) continue
    while ((counts[t] ?? 0) > variant.replicas.min) {
      if (sum((other) => whole.get(other)?.[t] ?? 0) - k(variant) < needed - 1e-9) break
      counts[t] = (counts[t] ?? 0) - 1
    }
  }
}

/** What the schedule costs as the bound counts it. */
export function costOf(
  { known: { stepSeconds } }: Pick<MixBoundProblem, 'known'>,
  { costPerHour, startupSeconds }: Pick<Variant, 'costPerHour' | 'startupSeconds'>,
  counts: readonly number[],
): number {
  const seconds = counts.reduce((sum, count, t) => {
    const started = t === 0 ? 0 : Math.max(0, count - (counts[t - 1] ?? 0))
    return sum + count * stepSeconds + started * startupSeconds
  }, 0)
  return (costPerHour / 3600) * seconds
}
