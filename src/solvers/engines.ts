// Both engines, ready to solve: loading is the only asynchronous step.
import type { Engines } from '../core/optimize/engine.ts'
import { loadHighs } from './highs.ts'
import { solveSmall } from './javascriptLpSolver.ts'

export async function loadEngines(): Promise<Engines> {
  return { small: solveSmall, large: await loadHighs() }
}
