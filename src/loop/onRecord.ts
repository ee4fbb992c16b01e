// A state that goes on from the last decision on record: its targets, and what was learnt by then that no window of the
// past rebuilds.
import { recalled } from '../core/calibrate/calibrate.ts'
import type { LastDecided } from '../core/observe/ownSeries.ts'
import type { ClassId, VariantId } from '../core/policy.ts'
import type { ClassMemory, State, VariantMemory } from '../core/state.ts'

/** `before`: the tick that is to be decided next, where the record tells none; that one rests on the target on record too. */
export function withDecided(state: State, { at, targets, headrooms }: LastDecided, before: number): State {
  const plannedAt = at ?? before
  const variants = Object.fromEntries(
    Object.entries(targets).map(([id, target]) => [id, { target, plannedAt, before: target }]),
  )
  const classes: Record<ClassId, ClassMemory> = { ...state.classes }
  if (at !== undefined)
    for (const [id, memory] of Object.entries(headrooms))
      classes[id] = { ...classes[id], headroom: { at, ...memory, before: memory.learnt, verdict: 'unknown' } }
  return { ...state, variants: { ...state.variants, ...variants }, classes }
}

/** Of what was learnt of speed, the last minutes rebuild the samples; the steps that were applied since are on record. */
export function withSpeeds(state: State, { at, speeds }: LastDecided, before: number): State {
  const variants: Record<VariantId, VariantMemory> = { ...state.variants }
  for (const [id, recorded] of Object.entries(speeds)) {
    const known = variants[id]
    if (known !== undefined) variants[id] = { ...known, speed: recalled(known.speed, recorded, at ?? before) }
  }
  return { ...state, variants }
}
