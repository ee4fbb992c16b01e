import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  defaultScaleDown,
  defaultScaleUp,
  type HpaBehavior,
  type HpaSettings,
  type HpaState,
  hpaStart,
  hpaSync,
  type ScalingRules,
} from '../../src/simulation/hpa.ts'

const at1000Percent: ScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Percent', value: 1000, periodSeconds: 15 },
    { type: 'Pods', value: 100, periodSeconds: 15 },
  ],
  tolerance: 0,
}
const allDown: ScalingRules = { ...defaultScaleDown, stabilizationWindowSeconds: 0, tolerance: 0 }

function settingsOf(behavior: HpaBehavior | 'unset', overrides: Partial<HpaSettings> = {}): HpaSettings {
  return { minReplicas: 1, maxReplicas: 1000, behavior, toleranceRule: 'perDirection', ...overrides }
}

/** One sync of an HPA without a past, on a steady target. */
function once(settings: HpaSettings, current: number, metric: number): number {
  return hpaSync(settings, hpaStart, sync(0, current, metric)).replicas
}

function sync(atSeconds: number, replicas: number, metric: number | 'failed') {
  return { atSeconds, specReplicas: replicas, statusReplicas: replicas, metric, target: 1 }
}

/** Counts after each sync, 15 s apart, of a target that follows at once. */
function story(settings: HpaSettings, start: number, metrics: readonly (number | 'failed')[]): number[] {
  let state: HpaState = hpaStart
  let replicas = start
  return metrics.map((metric, i) => {
    const step = hpaSync(settings, state, sync(15 * i, replicas, metric))
    state = step.state
    replicas = step.replicas
    return replicas
  })
}

const fast = { scaleUp: at1000Percent, scaleDown: allDown }
const fastWithTolerance = {
  scaleUp: { ...at1000Percent, tolerance: 0.1 },
  scaleDown: { ...allDown, tolerance: 0.1 },
}

describe('the dead band', () => {
  // current, wanted, what comes of it from Kubernetes 1.33 on, and before.
  test.each([
    [9, 10, 10, 10],
    [10, 11, 10, 11],
    [11, 12, 11, 11],
    [20, 21, 20, 20],
    [20, 22, 20, 22],
    [20, 23, 23, 23],
    [9, 8, 8, 8],
    [10, 9, 10, 10],
    [100, 110, 100, 110],
    [100, 90, 100, 100],
  ])('from %i to %i gives %i, before 1.33 %i', (current, wanted, since, before) => {
    expect(once(settingsOf(fastWithTolerance), current, wanted)).toBe(since)
    expect(once(settingsOf(fastWithTolerance, { toleranceRule: 'before1.33' }), current, wanted)).toBe(before)
  })

  test.each([
    [10, 12, 8],
    [15, 17, 13],
    [20, 23, 17],
    [30, 34, 26],
    [50, 56, 44],
    [100, 111, 89],
  ])('at %i the nearest counts that have an effect are %i and %i', (current, up, down) => {
    const settings = settingsOf(fastWithTolerance)
    expect([once(settings, current, up - 1), once(settings, current, up)]).toEqual([current, up])
    expect([once(settings, current, down + 1), once(settings, current, down)]).toEqual([current, down])
  })

  test('below ten replicas every count can be reached in spite of it', () => {
    for (let current = 1; current < 10; current++) {
      for (let wanted = 1; wanted <= 10; wanted++) {
        expect(once(settingsOf(fastWithTolerance), current, wanted)).toBe(wanted)
      }
    }
  })

  test('with tolerance 0 every count from 1 to 40 is reached from every other', () => {
    for (let current = 1; current <= 40; current++) {
      for (let wanted = 1; wanted <= 40; wanted++)
        expect(once(settingsOf(fast), current, wanted)).toBe(wanted)
    }
  })

  test('up and down have tolerances of their own', () => {
    const upOnly = { scaleUp: at1000Percent, scaleDown: { ...allDown, tolerance: 0.1 } }
    expect(once(settingsOf(upOnly), 20, 21)).toBe(21)
    expect(once(settingsOf(upOnly), 20, 19)).toBe(20)
  })

  test('a surge pod of a rolling update ratchets spec up within the tolerance, and not without', () => {
    const rolling = { atSeconds: 0, specReplicas: 10, statusReplicas: 11, metric: 10, target: 1 }
    expect(hpaSync(settingsOf(fastWithTolerance), hpaStart, rolling).replicas).toBe(11)
    expect(hpaSync(settingsOf(fast), hpaStart, rolling).replicas).toBe(10)
  })
})

describe('speed', () => {
  test('without a behavior block it doubles, or goes to 4: 1, 4, 8, 16, 20', () => {
    expect(story(settingsOf('unset'), 1, [1, 20, 20, 20, 20])).toEqual([1, 4, 8, 16, 20])
  })

  test('with the defaults of a behavior block it adds 4 or doubles: 1, 5, 10, 20', () => {
    const behavior = { scaleUp: defaultScaleUp, scaleDown: defaultScaleDown }
    expect(story(settingsOf(behavior), 1, [1, 20, 20, 20])).toEqual([1, 5, 10, 20])
  })

  test('selectPolicy Min takes the slower policy, Disabled none', () => {
    const min = { scaleUp: { ...defaultScaleUp, selectPolicy: 'Min' as const }, scaleDown: allDown }
    expect(story(settingsOf(min), 10, [20, 20, 20])).toEqual([14, 18, 20])
    const disabled = { scaleUp: { ...defaultScaleUp, selectPolicy: 'Disabled' as const }, scaleDown: allDown }
    expect(story(settingsOf(disabled), 3, [20, 2])).toEqual([3, 2])
  })

  test('a policy counts what it already did within its period', () => {
    const onePerMinute = {
      ...defaultScaleUp,
      policies: [{ type: 'Pods' as const, value: 1, periodSeconds: 60 }],
    }
    const settings = settingsOf({ scaleUp: onePerMinute, scaleDown: allDown })
    expect(story(settings, 1, [9, 9, 9, 9, 9, 9, 9, 9, 9])).toEqual([2, 2, 2, 2, 3, 3, 3, 3, 4])
  })

  test('a percentage down is cut off, so that half of 5 leaves 2', () => {
    const half = { ...allDown, policies: [{ type: 'Percent' as const, value: 50, periodSeconds: 15 }] }
    expect(story(settingsOf({ scaleUp: at1000Percent, scaleDown: half }), 5, [1, 1])).toEqual([2, 1])
  })
})

describe('stabilization', () => {
  const window = (seconds: number) => ({ ...allDown, stabilizationWindowSeconds: seconds })

  test('downwards the highest recommendation of the window holds', () => {
    const settings = settingsOf({ scaleUp: at1000Percent, scaleDown: window(60) })
    expect(story(settings, 5, [8, 2, 3, 2, 2, 2, 2])).toEqual([8, 8, 8, 8, 3, 3, 2])
  })

  test('upwards the lowest recommendation of the window holds', () => {
    const settings = settingsOf({
      scaleUp: { ...at1000Percent, stabilizationWindowSeconds: 30 },
      scaleDown: window(0),
    })
    expect(story(settings, 2, [2, 9, 9, 5, 5])).toEqual([2, 2, 9, 5, 5])
  })

  test('a failed metric holds the count and leaves no trace in the window', () => {
    const settings = settingsOf({ scaleUp: at1000Percent, scaleDown: window(30) })
    expect(story(settings, 6, ['failed', 2, 'failed', 2])).toEqual([6, 2, 2, 2])
  })
})

describe('bounds', () => {
  test('are enforced before any metric and without tolerance', () => {
    const settings = settingsOf(fastWithTolerance, { minReplicas: 3, maxReplicas: 12 })
    expect(hpaSync(settings, hpaStart, sync(0, 13, 'failed')).replicas).toBe(12)
    expect(hpaSync(settings, hpaStart, sync(0, 2, 'failed')).replicas).toBe(3)
    expect(once(settings, 6, 40)).toBe(12)
    expect(once(settings, 6, 0)).toBe(3)
  })

  test('at zero the HPA is switched off', () => {
    expect(once(settingsOf(fast), 0, 7)).toBe(0)
  })

  test('whatever it is told, it stays within them and remembers no more than its windows', () => {
    const metrics = fc.array(fc.oneof(fc.integer({ min: 0, max: 60 }), fc.constant('failed' as const)), {
      maxLength: 80,
    })
    fc.assert(
      fc.property(metrics, fc.integer({ min: 1, max: 20 }), (told, start) => {
        const settings = settingsOf(
          { scaleUp: defaultScaleUp, scaleDown: defaultScaleDown },
          { maxReplicas: 20 },
        )
        let state = hpaStart
        let replicas = start
        for (const [i, metric] of told.entries()) {
          const step = hpaSync(settings, state, sync(15 * i, replicas, metric))
          state = step.state
          replicas = step.replicas
          expect(replicas).toBeGreaterThanOrEqual(1)
          expect(replicas).toBeLessThanOrEqual(20)
          expect(state.recommendations.length).toBeLessThanOrEqual(21)
          expect(state.ups.length + state.downs.length).toBeLessThanOrEqual(4)
        }
      }),
      { numRuns: 60 },
    )
  })
})
