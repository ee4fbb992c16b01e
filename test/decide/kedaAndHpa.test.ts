// Targets on their way through KEDA and the HPA, both imitated: what is asked for is what comes to be, and where the HPA
// has a dead band, nothing is asked for that it would ignore.
import { describe, expect, it } from 'vitest'
import { isMissing } from '../../src/core/reading.ts'
import { emptyState, type State } from '../../src/core/state.ts'
import { type HpaState, hpaStart, hpaSync, type ScalingRules } from '../../src/simulation/hpa.ts'
import { type KedaState, kedaPoll } from '../../src/simulation/keda.ts'
import { behavior } from '../behavior.ts'
import { observe, policy, policySet, signals, story, trafficClass, variant, variantOf } from './world.ts'

const most = 40
const tickSeconds = 15

interface Step {
  readonly target: number
  /** What the decision said the HPA would make of it. */
  readonly effective: number
  readonly before: number
  /** What KEDA and the HPA made of it. */
  readonly after: number
}

/** Plays demand given per tick, in requests per second, with replicas that are there at once. */
function play(demands: readonly number[], tolerance: number): readonly Step[] {
  const rules: ScalingRules = {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Percent', value: 1000, periodSeconds: 15 },
      { type: 'Pods', value: 100, periodSeconds: 15 },
    ],
    tolerance,
  }
  const policies = policySet([
    policy([variant('h100', { replicas: { min: 0, max: most } })], {
      classes: [trafficClass('chat', { demand: { kind: 'query', requestsPerSecond: 'sum(gateway)' } })],
      behavior: { ...behavior, hpaTolerance: tolerance, holdBand: 0 },
    }),
  ])
  let state: State = emptyState
  let hpa: HpaState = hpaStart
  let keda: KedaState = {}
  let replicas = 0
  return demands.map((demand, i) => {
    const atSeconds = tickSeconds * i
    const observation = observe(
      atSeconds,
      { h100: signals(replicas, Math.min(demand, replicas * 40)) },
      { chat: { requestsPerSecond: demand } },
    )
    const [step] = story(policies, [observation], state)
    const { target, effective } = variantOf(step, 'h100')
    if (step === undefined || isMissing(target) || isMissing(effective)) throw new Error('no target')
    state = step.state
    const before = replicas
    const activity = target >= 1 ? 'active' : 'inactive'
    const polled = kedaPoll({ cooldownSeconds: 0, minReplicas: 0 }, keda, {
      atSeconds,
      specReplicas: replicas,
      activity,
    })
    keda = polled.state
    const synced = hpaSync(
      {
        minReplicas: 1,
        maxReplicas: most,
        behavior: { scaleUp: rules, scaleDown: rules },
        toleranceRule: 'perDirection',
      },
      hpa,
      {
        atSeconds,
        specReplicas: polled.replicas,
        statusReplicas: polled.replicas,
        metric: target,
        target: 1,
      },
    )
    hpa = synced.state
    replicas = synced.replicas
    return { target, effective, before, after: replicas }
  })
}

/** From nothing to more than 40 replicas carry and back, each level for longer than the hold. */
const upAndDown = [
  0,
  ...Array.from({ length: 120 }, (_, i) => 14 * (i + 1)),
  ...Array.from({ length: 120 }, (_, i) => Array.from({ length: 10 }, () => 14 * (119 - i))).flat(),
]

describe('targets through KEDA and the HPA', () => {
  it('with tolerance 0 every target from 0 to 40 is asked for on the way up, and reached exactly', () => {
    const steps = play(upAndDown, 0)
    for (const { target, effective, after } of steps) {
      expect(after).toBe(target)
      expect(effective).toBe(target)
    }
    expect(new Set(steps.map(({ target }) => target)).size).toBe(most + 1)
  })

  it('with the HPA’s own tolerance no target is asked for that it would ignore', () => {
    const steps = play(upAndDown, 0.1)
    for (const { target, effective, after } of steps) {
      expect(after).toBe(target)
      expect(effective).toBe(target)
    }
    expect(Math.max(...steps.map(({ target }) => target))).toBe(most)
    // From 20 on, one more or one less is within 10 %.
    const moves = steps.filter(({ before, after }) => before >= 20 && before !== after)
    expect(moves.length).toBeGreaterThan(0)
    for (const { before, after } of moves) expect(Math.abs(after - before)).toBeGreaterThan(before * 0.1)
  })
})
