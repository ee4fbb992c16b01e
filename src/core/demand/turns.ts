// When a class's slow quantities are read anew: every five minutes on a grid, classes taking turns by a phase of their
// name, so that not all capacities are due at one tick and every server reads at the same one.
import type { ClassId } from '../policy.ts'

const turnSeconds = 300

/** Whether a turn has begun since `before`. */
export function isDue(id: ClassId, at: number, before: number): boolean {
  const phase = phaseOf(id)
  return turn(at, phase) !== turn(before, phase)
}

function phaseOf(id: ClassId): number {
  let hash = 0
  for (let i = 0; i < id.length; i++) hash = (hash * 31 + id.charCodeAt(i)) % 1_000_003
  return hash % turnSeconds
}

function turn(at: number, phase: number): number {
  return Math.floor((at + phase) / turnSeconds)
}
