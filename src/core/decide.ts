// Read this first: from what is observed to what is emitted, on one screen. Pure: `observation.at` is the
// only time it knows, and equal arguments give equal decisions, byte for byte.
import type { Decision } from './decision.ts'
import type { Observation } from './observation.ts'
import type { Engines } from './optimize/engine.ts'
import type { PolicySet } from './policy.ts'
import type { State } from './state.ts'

export interface Decided {
  readonly decision: Decision
  readonly state: State
}

export type Decide = (
  policies: PolicySet,
  state: State,
  observation: Observation,
  engines: Engines,
) => Decided
