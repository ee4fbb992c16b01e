// What reports say about one instant beyond the decision: explanations of every policy and the what-if grid. Some
// hundreds of plans, so that whoever waits sees how far it is.
import type { Decision } from '../core/decision.ts'
import type { Scene } from '../core/explain/alternatives.ts'
import { explain } from '../core/explain/explain.ts'
import { gridAxes, gridPoints, planPoint } from '../core/explain/whatIfGrid.ts'
import type { PolicySet } from '../core/policy.ts'
import { type Planning, planning } from '../report/planning.ts'
import type { Terminal } from './command.ts'
import { progress } from './progress.ts'

/** `decision` is the one on these policies and this scene. */
export function planningAt(
  policies: PolicySet,
  scene: Scene,
  decision: Decision,
  terminal: Terminal,
): Planning {
  const axes = gridAxes(policies, decision)
  const points = gridPoints(policies, axes)
  const shown = progress(terminal, 'report', policies.policies.length + points.length)
  const explanations = policies.policies.map(({ id }, index) => {
    const explanation = explain(policies, scene, { policy: id })
    shown.done(index + 1)
    return explanation
  })
  const cells = points.map((point, index) => {
    const cell = planPoint(policies, point, scene)
    shown.done(policies.policies.length + index + 1)
    return cell
  })
  shown.end()
  return planning(decision.at, explanations, { ...axes, cells })
}
