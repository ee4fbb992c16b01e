import { describe, expect, test } from 'vitest'
import { aibrixApa, recommendation, shippedApa } from '../../../src/backtest/peers/aibrixApa.ts'
import { kedaWaiting } from '../../../src/backtest/peers/kedaWaiting.ts'
import { kserveRunning } from '../../../src/backtest/peers/kserveRunning.ts'
import { staticFleet } from '../../../src/backtest/peers/staticFleet.ts'
import { missing } from '../../../src/core/reading.ts'
import { type HpaSettings, hpaStart, hpaSync } from '../../../src/simulation/hpa.ts'
import { blind, observe, policy, signals, variant } from '../../decide/world.ts'
import { controllerFor, counts, siteFor, told } from './rules.ts'

const one = policy([variant('h100', { replicas: { min: 1, max: 30 } })])

/** What the HPA makes of a signal with so many replicas there. */
function replicas(signal: { metric: number; target: number } | undefined, status: number): number {
  const settings: HpaSettings = {
    ...{ minReplicas: 1, maxReplicas: 30, behavior: 'unset', toleranceRule: 'perDirection' },
  }
  const input = { atSeconds: 0, specReplicas: status, statusReplicas: status }
  return hpaSync(settings, hpaStart, { ...input, metric: signal?.metric ?? 0, target: signal?.target ?? 1 })
    .replicas
}

describe('KEDA on waiting requests', () => {
  const shipped = kedaWaiting({ arrangement: 'h100', threshold: 5, minReplicas: 1 })

  test('12 waiting at a threshold of 5 are 3 replicas, and none is inactive', () => {
    const [busy, idle] = told(controllerFor(shipped, one), 'h100', [
      observe(0, { h100: signals(2, 10, { waiting: 12 }) }),
      observe(15, { h100: signals(2, 10, { waiting: 0 }) }),
    ])
    expect(busy).toEqual({ metric: 12, target: 5, active: true })
    expect(replicas(busy, 2)).toBe(3)
    expect(idle?.active).toBe(false)
  })

  test('a missing series is read as no load, as the trigger has it by default', () => {
    const [signal] = told(controllerFor(shipped, one), 'h100', [
      observe(0, { h100: blind(missing('backendDown')) }),
    ])
    expect(signal).toEqual({ metric: 0, target: 5, active: false })
  })

  test('the floor becomes the ScaledObject’s minimum, within the bounds of the variant', () => {
    const [site] = siteFor(one).variants
    if (site === undefined) throw new Error('no variant')
    for (const [floor, expected] of [
      [7, 7],
      [99, 30],
    ] as const) {
      const controller = controllerFor(
        kedaWaiting({ arrangement: 'h100', threshold: 5, minReplicas: floor }),
        one,
      )
      expect(controller.actuation(site)).toMatchObject({
        ...{ kind: 'keda', minReplicas: expected, pollingSeconds: 15, cooldownSeconds: 360 },
      })
    }
  })
})

test('KServe’s example: 6 running requests at 2 per replica are 3 replicas', () => {
  const controller = controllerFor(kserveRunning({ arrangement: 'h100', threshold: 2 }), one)
  const [signal] = told(controller, 'h100', [observe(0, { h100: signals(1, 3, { running: 6 }) })])
  expect(replicas(signal, 1)).toBe(3)
})

describe('AIBrix’s APA', () => {
  const parameters = { ...shippedApa, arrangement: 'h100' }

  test.each([
    { pods: 4, usage: 0.54, wanted: 4, why: '8 % above the target is within 10 %' },
    { pods: 4, usage: 0.6, wanted: 5, why: '4 x 0.6 / 0.5 = 4.8' },
    { pods: 4, usage: 0.95, wanted: 8, why: '7.6, and no more than twice' },
    { pods: 2, usage: 1, wanted: 4, why: '2 x 1 / 0.5' },
    { pods: 3, usage: 2, wanted: 6, why: '12, and no more than twice' },
    { pods: 4, usage: 0.41, wanted: 4, why: '18 % below the target is within 20 %' },
    { pods: 4, usage: 0.3, wanted: 3, why: '2.4' },
    { pods: 9, usage: 0.05, wanted: 4, why: '0.9, and no fewer than half' },
  ])('$pods pods at $usage are $wanted: $why', ({ pods, usage, wanted }) => {
    expect(recommendation(parameters, pods, usage)).toBe(wanted)
  })

  test('goes up at once and down when the highest wish of 300 s has passed', () => {
    const controller = controllerFor(aibrixApa(parameters), one)
    const seen = (at: number, pods: number, kvUsage: number) =>
      observe(at, { h100: signals(pods, 10, { kvUsage }) })
    // The mean of 30 s is what is looked at: 0.5 and 0.7 are 0.6.
    expect(counts(controller, 'h100', [seen(0, 4, 0.5), seen(10, 4, 0.7)])).toEqual([4, 5])
    expect(counts(controller, 'h100', [seen(100, 5, 0.2), seen(300, 5, 0.2), seen(320, 5, 0.2)])).toEqual([
      // ceil(5 x 0.2 / 0.5) = 2, but 5 was wanted 90 s and 290 s ago, and 4 at time 0.
      5, 5, 2,
    ])
  })
})

describe('a static fleet', () => {
  test('is as large as its rate over the capacity, and stays', () => {
    const peak = { 'chat/llama/chat': 100 }
    const at = (share: number): number | undefined => {
      const configuration = staticFleet({ arrangement: 'h100', requestsPerSecond: peak, share })
      return counts(controllerFor(configuration, one), 'h100', [observe(0, { h100: signals(1, 5) })])[0]
    }
    const full = at(1) as number
    const half = at(0.5) as number
    expect(full).toBeGreaterThan(2)
    expect(half).toBeGreaterThanOrEqual(Math.floor(full / 2))
    expect(half).toBeLessThanOrEqual(Math.ceil(full / 2) + 1)
  })

  test('leaves variants that it does not use at their minimum', () => {
    const two = policy([variant('h100'), variant('l40s', { costPerHour: 9, replicas: { min: 2, max: 9 } })])
    const requestsPerSecond = { 'chat/llama/chat': 100 }
    const configuration = staticFleet({ arrangement: 'h100', requestsPerSecond, share: 1 })
    const controller = controllerFor(configuration, two)
    const seen = observe(0, { h100: signals(1, 5), l40s: signals(2, 5) })
    expect(counts(controller, 'h100', [seen])[0]).toBeGreaterThan(2)
    expect(counts(controller, 'l40s', [seen])).toEqual([2])
  })
})
