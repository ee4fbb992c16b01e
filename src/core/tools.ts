// What the decision works with: solvers, and memories of answers that save time and change nothing.
import { type CapacityMemo, createCapacityMemo } from './capacity/memo.ts'
import type { Engines } from './optimize/engine.ts'
import type { FleetMemo } from './optimize/fleet.ts'

export interface Tools {
  readonly engines: Engines
  readonly capacities: CapacityMemo
  readonly plans: FleetMemo
}

export function createTools(engines: Engines): Tools {
  return { engines, capacities: createCapacityMemo(), plans: new Map() }
}
