// What the schedules of a policy ask for at this instant: other bounds of variants, demand to plan for, or a hold. What
// needs replicas enters one lead time ahead, so that they are ready when the window opens; what takes them away does not.
import { leadOf } from '../forecast/lead.ts'
import {
  type ClassId,
  type ReplicaBounds,
  type ScalingPolicy,
  type Schedule,
  serves,
  type Variant,
  type VariantId,
} from '../policy.ts'
import { isOpen, type Span, spanNear } from './calendar.ts'

export interface InForce {
  readonly bounds: Readonly<Record<VariantId, BoundsInForce>>
  readonly demand: Readonly<Record<ClassId, readonly DemandInForce[]>>
  /** The title of the schedule that freezes the targets. */
  readonly hold?: string
}

export interface BoundsInForce extends ReplicaBounds {
  readonly titles: readonly string[]
}

export interface DemandInForce {
  readonly title: string
  readonly phase: 'ahead' | 'open'
  readonly opensInSeconds: number
  readonly atLeastPerSecond?: number
  readonly factor?: number
}

export function inForce(policy: ScalingPolicy, at: number): InForce {
  const schedules = policy.schedules ?? []
  const held = schedules.find(({ hold, when }) => hold && spanNear(when, at, 0) !== undefined)
  return {
    bounds: Object.fromEntries(
      policy.variants.flatMap((variant) => {
        const bounds = boundsOf(variant, schedules, at)
        return bounds === undefined ? [] : [[variant.id, bounds] as const]
      }),
    ),
    demand: Object.fromEntries(
      policy.classes.flatMap(({ id, name }) => {
        const lead = leadOf(policy.variants.filter((variant) => serves(variant, { name })))
        const rules = schedules.flatMap((schedule) => demandOf(schedule, id, at, lead) ?? [])
        return rules.length === 0 ? [] : [[id, rules] as const]
      }),
    ),
    ...(held === undefined ? {} : { hold: held.title }),
  }
}

/** The policy with the bounds in force in place of the stated ones. */
export function withBounds(policy: ScalingPolicy, { bounds }: InForce): ScalingPolicy {
  if (Object.keys(bounds).length === 0) return policy
  return {
    ...policy,
    variants: policy.variants.map((variant) => {
      const changed = bounds[variant.id]
      return changed === undefined
        ? variant
        : { ...variant, replicas: { min: changed.min, max: changed.max }, statedReplicas: variant.replicas }
    }),
  }
}

/** Of several open windows the highest minimum and the lowest maximum count; a minimum wins over a maximum. */
function boundsOf(variant: Variant, schedules: readonly Schedule[], at: number): BoundsInForce | undefined {
  const lead = leadOf([variant])
  const titles: string[] = []
  const mins: number[] = []
  const maxes: number[] = []
  for (const { title, when, replicas } of schedules) {
    const { min, max } = replicas[variant.id] ?? {}
    const span = spanNear(when, at, lead)
    if (span === undefined || (min === undefined && max === undefined)) continue
    const open = isOpen(span, at)
    const more = (min ?? 0) > variant.replicas.min || (max ?? 0) > variant.replicas.max
    if (!open && !more) continue
    titles.push(title)
    if (min !== undefined && (open || min > variant.replicas.min)) mins.push(min)
    if (max !== undefined && (open || max > variant.replicas.max)) maxes.push(max)
  }
  if (titles.length === 0) return undefined
  const min = mins.length === 0 ? variant.replicas.min : Math.max(...mins)
  const max = maxes.length === 0 ? variant.replicas.max : Math.min(...maxes)
  // A lower maximum lowers a stated minimum; a scheduled minimum raises the stated maximum.
  const lowest = mins.length === 0 ? Math.min(min, max) : min
  return { titles, min: lowest, max: Math.max(lowest, max) }
}

function demandOf(
  { title, when, demand }: Schedule,
  id: ClassId,
  at: number,
  leadSeconds: number,
): DemandInForce | undefined {
  const asked = demand[id]
  const span = asked === undefined ? undefined : spanNear(when, at, leadSeconds)
  if (asked === undefined || span === undefined) return undefined
  return { title, ...phaseOf(span, at), ...asked }
}

function phaseOf(span: Span, at: number): Pick<DemandInForce, 'phase' | 'opensInSeconds'> {
  return isOpen(span, at)
    ? { phase: 'open', opensInSeconds: 0 }
    : { phase: 'ahead', opensInSeconds: span.fromSecond - at }
}
