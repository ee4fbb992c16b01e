// What `kubectl describe scaledobject` is to show: one Event per ScaledObject whose target changed, with the reasons. Changes
// that come faster than Events may be written are told together: from the first count to the last.
import type { Decision, VariantDecision } from '../core/decision.ts'
import type { VariantId } from '../core/policy.ts'
import { isMissing } from '../core/reading.ts'
import { sentence } from '../core/sentence.ts'
import type { AskedVariant, ScaledObjectFacts } from './scaledObjects.ts'

export interface TargetChange {
  readonly object: ScaledObjectFacts
  /** `missing` is told in words. */
  readonly from: string
  readonly to: string
  readonly why: string
  /** Changes that are told in this one. */
  readonly changes: number
}

/** The API refuses longer notes. */
const longestNote = 1024
const noTarget = 'none'

/** Between two decisions; nothing for variants that the first did not know, as after a start. */
export function targetChanges(
  before: Decision | undefined,
  after: Decision,
  asked: readonly AskedVariant[],
): readonly TargetChange[] {
  const known = new Map(variantsOf(before).map((variant) => [variant.id, targetText(variant)]))
  const now = new Map<VariantId, VariantDecision>(variantsOf(after).map((variant) => [variant.id, variant]))
  return asked.flatMap(({ object, id }) => {
    const variant = now.get(id)
    const from = known.get(id)
    if (variant === undefined || from === undefined) return []
    const to = targetText(variant)
    return from === to
      ? []
      : [{ object, from, to, why: variant.reasons.map(sentence).join('; '), changes: 1 }]
  })
}

/** A change that was not told yet, and one that came after it. Undefined where the target is back where it was. */
export function together(earlier: TargetChange | undefined, later: TargetChange): TargetChange | undefined {
  if (earlier === undefined) return later
  if (earlier.from === later.to) return undefined
  return { ...later, from: earlier.from, changes: earlier.changes + later.changes }
}

/** events.k8s.io/v1. `now` in seconds since the epoch; `instance` is who tells. */
export function eventBody(
  { object, from, to, why, changes }: TargetChange,
  now: number,
  instance: string,
): object {
  const several = changes > 1 ? ` (${changes} changes)` : ''
  const note = `target ${from} -> ${to}${several}: ${why}`
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: {
      name: `${object.name}.${Math.round(now * 1e6).toString(16)}`,
      namespace: object.namespace,
    },
    eventTime: microTime(now),
    reportingController: 'mixscaler.dev/mixscaler',
    reportingInstance: instance,
    action: 'Decide',
    reason: to === noTarget ? 'MixscalerTargetUnknown' : 'MixscalerTargetChanged',
    type: to === noTarget ? 'Warning' : 'Normal',
    regarding: {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      namespace: object.namespace,
      name: object.name,
      uid: object.uid,
    },
    note: note.length <= longestNote ? note : `${note.slice(0, longestNote - 3)}...`,
  }
}

/** The API's MicroTime: six digits of a second, always. */
export function microTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('Z', '000Z')
}

function variantsOf(decision: Decision | undefined): readonly VariantDecision[] {
  return decision?.policies.flatMap(({ variants }) => variants) ?? []
}

function targetText({ target }: VariantDecision): string {
  return isMissing(target) ? noTarget : String(target)
}
