// The bound of one policy and the cheapest schedule found beside it: by levels where one variant serves one class, by
// the linear program elsewhere (docs/MODEL.md, "The clairvoyant bound").
import type { Engine } from '../../core/optimize/engine.ts'
import type { Variant, VariantId } from '../../core/policy.ts'
import type { KnownClass } from './known.ts'
import { levelsBound, type PricedSchedule } from './levels.ts'
import { type MixBoundProblem, mixBound } from './mixBound.ts'
import { roundedUp } from './rounded.ts'

export type Clairvoyant =
  | {
      readonly kind: 'bound'
      /** Over all steps. */
      readonly dollars: number
      readonly method: 'levels' | 'linear program'
      readonly schedule: ClairvoyantSchedule
    }
  /** Not even all replicas carry enough. */
  | { readonly kind: 'infeasible' }
  | { readonly kind: 'failed'; readonly why: string }

export interface ClairvoyantSchedule {
  /** Ready replicas, step by step. */
  readonly counts: Readonly<Record<VariantId, readonly number[]>>
  readonly dollars: number
}

export function clairvoyant(problem: MixBoundProblem, engine: Engine): Clairvoyant {
  const { policy, known } = problem
  const [variant] = policy.variants
  const [only] = known.classes
  if (variant === undefined || only === undefined) return { kind: 'infeasible' }
  const alone = policy.variants
    .filter(({ role }) => role === 'unified' && known.classes.length === 1)
    .flatMap((each) => schedulesOf(problem, each, only))
  if (policy.variants.length === 1 && alone[0] !== undefined) {
    const { bound, schedule } = alone[0]
    return schedule === undefined
      ? { kind: 'infeasible' }
      : {
          ...{ kind: 'bound', method: 'levels', dollars: bound },
          schedule: { counts: { [variant.id]: schedule.counts }, dollars: schedule.dollars },
        }
  }
  const mixed = mixBound(problem, engine)
  if (mixed.kind !== 'bound') return mixed
  const candidates = [
    roundedUp(problem, mixed.counts),
    ...alone.flatMap(({ variant: { id }, schedule }) =>
      schedule === undefined
        ? []
        : [{ counts: { [id]: schedule.counts }, dollars: schedule.dollars + atMinimum(problem, id) }],
    ),
  ]
  const schedule = candidates.reduce((best, each) => (each.dollars < best.dollars ? each : best))
  return { kind: 'bound', method: 'linear program', dollars: mixed.dollars, schedule }
}

interface Alone {
  readonly variant: Variant
  readonly bound: number
  readonly schedule: PricedSchedule | undefined
}

/** One variant carrying everything, the others at their minimum. */
function schedulesOf(
  { known, capacity, allowedMisses }: MixBoundProblem,
  variant: Variant,
  only: KnownClass,
): readonly Alone[] {
  const capacities = Float64Array.from({ length: known.steps }, (_, t) => capacity(only, variant, t))
  if (capacities.some((each) => !(each > 0))) return []
  const { dollars, schedule } = levelsBound({
    ...{ stepSeconds: known.stepSeconds, demand: only.requestsPerSecond, capacity: capacities },
    ...{ costPerHour: variant.costPerHour, startupSeconds: variant.startupSeconds },
    ...{ bounds: variant.replicas, allowedMisses },
  })
  return [{ variant, bound: dollars, schedule }]
}

function atMinimum({ policy, known }: MixBoundProblem, except: VariantId): number {
  const hours = (known.steps * known.stepSeconds) / 3600
  return policy.variants
    .filter(({ id }) => id !== except)
    .reduce((sum, { costPerHour, replicas }) => sum + costPerHour * replicas.min * hours, 0)
}
