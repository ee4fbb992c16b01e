// A state that goes on from the last decision on record: its targets and its plan, and what was learnt by then that no
// window of the past rebuilds.
import { recalled } from '../core/calibrate/calibrate.ts'
import type { LastDecided } from '../core/observe/ownSeries.ts'
import type { ClassId, VariantId } from '../core/policy.ts'
import type { ClassMemory, State, VariantMemory } from '../core/state.ts'

/** `before`: the tick that is to be decided next, where the record tells none; that one rests on the target on record too. */
export function withDecided(
  state: State,
  { at, targets, wanted, headrooms }: LastDecided,
  before: number,
): State {
  const plannedAt = at ?? before
  const planOf = (count: number | undefined): Pick<VariantMemory, 'wanted' | 'wantedBefore'> =>
    count === undefined ? {} : { wanted: count, wantedBefore: count }
  const variants = Object.fromEntries(
    Object.entries(targets).map(([id, target]) => [
      id,
      { target, plannedAt, before: target, ...planOf(wanted[id]) },
    ]),
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

/** Since when replicas were spare by then, of policies whose variants were seen since. */
export function withSpare(state: State, { spareSince }: LastDecided): State {
  const known = Object.entries(state.policies).map(([id, memory]) => {
    const since = spareSince[id]
    return [id, since === undefined ? memory : { ...memory, spareSince: since }]
  })
  return { ...state, policies: Object.fromEntries(known) }
}
