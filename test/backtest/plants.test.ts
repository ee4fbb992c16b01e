// What every plant must do, whatever it is made of: the same stories for the request-level plant and the fluid one.
import { describe, expect, test } from 'vitest'
import type { Plant } from '../../src/backtest/plant.ts'
import { syntheticSource } from '../../src/backtest/traffic/synthetic.ts'
import { clockOf } from '../../src/core/demand/answerClock.ts'
import { asArrived } from '../../src/core/demand/ended.ts'
import { type ClassShape, classShape } from '../../src/core/demand/shape.ts'
import { mean } from '../../src/core/histogram.ts'
import { isMissing, type Reading } from '../../src/core/reading.ts'
import { oneVariant, pair, plantFor, siteFor, steady, withBatch, withSlots } from './sites.ts'

const h100 = 'demo/chat/h100'
const none = steady([0], 3600)

function known(reading: Reading | undefined): number {
  if (reading === undefined || isMissing(reading)) throw new Error(`missing: ${JSON.stringify(reading)}`)
  return reading
}

function signals(plant: Plant, variant = h100) {
  const found = plant.observe().variants[variant]
  if (found === undefined) throw new Error(`nothing observed of ${variant}`)
  return found
}

function shareGood(plant: Plant, classIndex = 0): number {
  const { good, finished } = plant.service.classOf(classIndex).minutes
  const sum = (counts: Float64Array) => counts.reduce((total, count) => total + count, 0)
  return sum(good) / sum(finished)
}

describe.each(['request', 'fluid'] as const)('the %s plant', (fidelity) => {
  test('pays for a replica from the moment it is asked for, and counts it ready after its start-up', () => {
    const plant = plantFor(siteFor(oneVariant()), { fidelity, traffic: none, initial: { [h100]: 1 } })
    plant.advance(100)
    plant.scale(h100, 3)
    expect(plant.counts(h100)).toMatchObject({ desired: 3, ready: 1, starting: 2, terminating: 0 })
    plant.advance(159)
    expect(plant.counts(h100).ready).toBe(1)
    plant.advance(161)
    expect(plant.counts(h100)).toMatchObject({ desired: 3, ready: 3, starting: 0 })
    plant.advance(200)
    const spent = plant.spent()[h100]
    expect(spent?.replicaSeconds).toBeCloseTo(200 + 2 * 100, 6)
    expect(spent?.startingSeconds).toBeCloseTo(2 * 60, 6)
    expect(spent?.dollars).toBeCloseTo(0.4, 9)
  })

  test('leaves replicas pending, unpaid and explained while their pool is full, and starts them when it is not', () => {
    const plant = plantFor(siteFor(oneVariant('fourGpus')), {
      fidelity,
      traffic: none,
      initial: { [h100]: 2 },
    })
    plant.advance(10)
    plant.scale(h100, 7)
    plant.advance(80)
    expect(plant.counts(h100)).toMatchObject({ desired: 7, ready: 4, starting: 3 })
    const { replicas } = signals(plant)
    expect(replicas).toMatchObject({
      startingSince: [1_767_225_610, 1_767_225_610, 1_767_225_610],
      unschedulable: { replicas: 3, since: 1_767_225_610, why: 'pool h100 has no GPU free' },
    })
    expect(plant.spent()[h100]?.replicaSeconds).toBeCloseTo(4 * 80 - 2 * 10, 6)
    plant.scale(h100, 4)
    expect(plant.counts(h100)).toMatchObject({ ready: 4, starting: 0 })
  })

  test('drains what is told to go: it takes nothing new and is paid for until its last answer is out', () => {
    const plant = plantFor(siteFor(oneVariant()), {
      fidelity,
      traffic: steady([20], 600),
      initial: { [h100]: 4 },
    })
    plant.advance(120)
    plant.scale(h100, 2)
    expect(plant.counts(h100)).toMatchObject({ desired: 2, ready: 2, terminating: 2 })
    plant.advance(400)
    expect(plant.counts(h100)).toMatchObject({ desired: 2, ready: 2, terminating: 0 })
    const seconds = plant.spent()[h100]?.replicaSeconds ?? 0
    expect(seconds).toBeGreaterThan(2 * 400 + 2 * 120)
    expect(seconds).toBeLessThan(2 * 400 + 2 * 200)
  })

  test('reports what arrives: completions and growth add up to the traffic, lengths are those of the requests', () => {
    const plant = plantFor(siteFor(oneVariant()), {
      fidelity,
      traffic: steady([24], 1200),
      initial: { [h100]: 3 },
    })
    let arriving = 0
    for (let at = 600; at < 1200; at += 60) {
      plant.advance(at)
      const { completionsPerSecond, inSystemGrowthPerSecond } = signals(plant)
      arriving += known(completionsPerSecond) + known(inSystemGrowthPerSecond)
    }
    expect(arriving / 10).toBeGreaterThan(24 * 0.93)
    expect(arriving / 10).toBeLessThan(24 * 1.07)
    const { promptTokens, outputTokens, reporting, kvUsage, ttft, itl } = signals(plant)
    expect(known(reporting)).toBe(3)
    expect(known(kvUsage)).toBeGreaterThan(0.02)
    for (const histogram of [promptTokens, outputTokens, ttft, itl]) expect(isMissing(histogram)).toBe(false)
    if (isMissing(promptTokens) || isMissing(outputTokens)) return
    const meanOf = (histogram: typeof promptTokens) =>
      histogram.sumPerSecond / histogram.perSecond.reduce((sum, rate) => sum + rate, 0)
    expect(meanOf(promptTokens) / 1150).toBeGreaterThan(0.9)
    expect(meanOf(promptTokens) / 1150).toBeLessThan(1.1)
    expect(meanOf(outputTokens) / 210).toBeGreaterThan(0.9)
    expect(meanOf(outputTokens) / 210).toBeLessThan(1.1)
  })

  test('starts that take what comes do not change what is read of demand', () => {
    const plant = plantFor(siteFor(oneVariant()), {
      fidelity,
      traffic: steady([12], 2400, { prompt: 500, output: 1500 }),
      initial: { [h100]: 6 },
    })
    const read: number[] = []
    for (let at = 600; at < 2400; at += 15) {
      plant.advance(at)
      if (at === 900) plant.scale(h100, 12)
      if (at === 1500) plant.scale(h100, 5)
      const { completionsPerSecond, inSystemGrowthPerSecond } = signals(plant)
      read.push(known(completionsPerSecond) + known(inSystemGrowthPerSecond))
    }
    // Counts of a minute: 720 requests, a deviation of 4 %.
    expect(Math.min(...read) / 12).toBeGreaterThan(0.82)
    expect(Math.max(...read) / 12).toBeLessThan(1.18)
  })

  test('counts lengths as requests end, which are short ones while ever more arrive', () => {
    const policies = oneVariant()
    const [policy] = policies.policies
    const [trafficClass] = policy?.classes ?? []
    if (policy === undefined || trafficClass === undefined) throw new Error('a policy has a class')
    const source = syntheticSource({
      ...{ kind: 'steps', rate: 1, peak: 16, count: 30, untilSeconds: 900, swing: 0, periodSeconds: 900 },
      ...{ promptTokens: 300, outputTokens: 5000, cv: 1 },
    })
    const traffic = { untilSeconds: 900, sources: [{ classIndex: 0, scale: 1, shiftSeconds: 0, source }] }
    const plant = plantFor(siteFor(policies), { fidelity, traffic, initial: { [h100]: 20 } })
    let shape: ClassShape | undefined
    const means: { ended: number; arrived: number }[] = []
    for (let at = 15; at < 900; at += 15) {
      plant.advance(at)
      const observation = plant.observe()
      shape = classShape(trafficClass, policy.variants, policy.variants, observation, shape)
      const { outputTokens } = signals(plant)
      if (at < 450 || isMissing(outputTokens)) continue
      const arrived = asArrived(outputTokens, clockOf(shape.answering ?? []))
      means.push({ ended: mean(outputTokens) ?? 0, arrived: mean(arrived) ?? 0 })
    }
    const meanOf = (of: 'ended' | 'arrived') => means.reduce((sum, each) => sum + each[of], 0) / means.length
    expect(meanOf('ended') / 5000).toBeLessThan(0.93)
    expect(meanOf('arrived') / 5000).toBeGreaterThan(0.94)
    expect(meanOf('arrived') / 5000).toBeLessThan(1.05)
  })

  test('says that nothing is known where nothing runs, and never that it is 0', () => {
    const plant = plantFor(siteFor(oneVariant()), {
      fidelity,
      traffic: steady([5], 600),
      initial: { [h100]: 0 },
    })
    plant.advance(300)
    const { running, completionsPerSecond, ttft, replicas } = signals(plant)
    expect(replicas).toMatchObject({ ready: 0 })
    for (const reading of [running, completionsPerSecond, ttft])
      expect(reading).toMatchObject({ missing: 'noReplicas' })
    // What came meanwhile waits, and is served late when somebody is there.
    const waits = plant.service.unfinished(0)
    expect(waits).toBeGreaterThan(5 * 300 * 0.9)
    plant.scale(h100, 8)
    plant.advance(900)
    expect(plant.service.unfinished(0)).toBeLessThan(1)
    expect(shareGood(plant)).toBeLessThan(0.5)
  })

  test('loses nothing: what arrived has ended or is in the system, at every minute', () => {
    const plant = plantFor(siteFor(oneVariant()), {
      fidelity,
      traffic: steady([30], 600),
      initial: { [h100]: 2 },
    })
    const { arrived, finished } = plant.service.classOf(0).minutes
    const sum = (counts: Float64Array) => counts.reduce((total, count) => total + count, 0)
    for (let at = 60; at <= 600; at += 60) {
      plant.advance(at)
      if (at === 240) plant.scale(h100, 1)
      if (at === 360) plant.scale(h100, 4)
      expect(sum(arrived) - sum(finished)).toBeCloseTo(plant.service.unfinished(0), 4)
    }
    plant.advance(1800)
    expect(sum(finished)).toBeCloseTo(sum(arrived), 4)
  })

  test('finds no room where somebody else took the GPUs that were free, and room again when they go', () => {
    const plant = plantFor(siteFor(oneVariant('fourGpus')), {
      fidelity,
      traffic: none,
      initial: { [h100]: 2 },
      plant: {
        failures: [
          { kind: 'foreignPods', atSeconds: 5, pool: 'h100', gpus: 9 },
          { kind: 'foreignPodsGone', atSeconds: 200, pool: 'h100' },
        ],
      },
    })
    plant.advance(10)
    plant.scale(h100, 3)
    plant.advance(190)
    expect(plant.counts(h100)).toMatchObject({ ready: 2, starting: 1, unschedulable: { replicas: 1 } })
    plant.advance(280)
    expect(plant.counts(h100)).toMatchObject({ ready: 3, starting: 0 })
    plant.scale(h100, 5)
    plant.advance(400)
    expect(plant.counts(h100)).toMatchObject({ ready: 4, unschedulable: { replicas: 1 } })
  })

  test('serves worse with fewer replicas, after a pod is lost, and with one that is slow', () => {
    const attained = (replicas: number, failures: Parameters<typeof plantFor>[1]['plant']) => {
      const traffic = steady([42], 600)
      const plant = plantFor(siteFor(oneVariant()), {
        fidelity,
        traffic,
        initial: { [h100]: replicas },
        ...(failures === undefined ? {} : { plant: failures }),
      })
      plant.advance(900)
      return shareGood(plant)
    }
    const five = attained(5, undefined)
    expect(five).toBeGreaterThan(0.97)
    expect(attained(2, undefined)).toBeLessThan(five)
    const lost = { kind: 'podLoss', atSeconds: 120, variant: h100, replicas: 3 } as const
    expect(attained(5, { failures: [lost] })).toBeLessThan(five)
    const slow = { kind: 'slowPod', atSeconds: 60, variant: h100, factor: 6 } as const
    expect(attained(5, { failures: [slow] })).toBeLessThan(five)
  })

  test('hands KV from prefill to decode replicas: a slow hand-over shows in TTFT, a missing decoder holds all', () => {
    const initial = { 'demo/chat/prefill': 2, 'demo/chat/decode': 2 }
    const run = (baseSeconds: number, decoders = 2) => {
      const plant = plantFor(siteFor(pair()), {
        fidelity,
        traffic: steady([15], 300),
        initial: { ...initial, 'demo/chat/decode': decoders },
        plant: { transfer: { baseSeconds, secondsPerToken: 0 } },
      })
      plant.advance(420)
      return plant
    }
    const fast = run(0)
    expect(fast.service.unfinished(0)).toBeLessThan(1)
    expect(shareGood(fast)).toBeGreaterThan(0.95)
    expect(shareGood(run(1))).toBeLessThan(0.05)
    expect(run(0, 0).service.unfinished(0)).toBeGreaterThan(15 * 300 * 0.9)
    const { completionsPerSecond } = signals(fast, 'demo/chat/prefill')
    expect(isMissing(completionsPerSecond)).toBe(false)
  })

  test('lets deferrable work wait for slots to spare, beside a class that must not notice', () => {
    const traffic = (batch: number) => steady([20, batch], 600)
    const run = (batch: number) => {
      const plant = plantFor(siteFor(withBatch()), {
        fidelity,
        traffic: traffic(batch),
        initial: { [h100]: 2 },
      })
      plant.advance(600)
      return plant
    }
    const alone = run(0)
    const beside = run(4)
    expect(shareGood(beside)).toBeGreaterThan(shareGood(alone) - 0.05)
    expect(shareGood(beside, 1)).toBeGreaterThan(0.9)
    const flooded = run(60)
    expect(flooded.service.unfinished(1)).toBeGreaterThan(1000)
    expect(shareGood(flooded)).toBeGreaterThan(0.8)
    const { backlogTokens } = flooded.observe().classes['demo/chat/batch'] ?? {}
    expect(known(backlogTokens)).toBeGreaterThan(100_000)
  })

  test('is repeatable from its seed, and another seed is another run', () => {
    const run = (seed: number) => {
      const plant = plantFor(siteFor(oneVariant(), 0.3), {
        fidelity,
        traffic: steady([20], 300),
        initial: { [h100]: 2 },
        seed,
      })
      plant.advance(60)
      plant.scale(h100, 4)
      plant.advance(300)
      return JSON.stringify([plant.observe(), plant.spent(), shareGood(plant)])
    }
    expect(run(7)).toBe(run(7))
    expect(run(7)).not.toBe(run(8))
  })
})

test('the fluid plant carries what the request-level one carries where slots are full, whatever its step', () => {
  for (const slots of [4, 16, 64]) {
    const carried = (fidelity: 'request' | 'fluid', stepSeconds: number) => {
      const plant = plantFor(siteFor(withSlots(slots)), {
        ...{ fidelity, stepSeconds },
        traffic: steady([60], 600),
        initial: { [h100]: 1 },
      })
      plant.advance(600)
      const { finished } = plant.service.classOf(0).minutes
      return finished.reduce((sum, requests) => sum + requests, 0)
    }
    const request = carried('request', 1)
    // A step of 15 s holds several stays of a request.
    for (const step of [1, 5, 15]) {
      const ratio = carried('fluid', step) / request
      expect(Math.abs(ratio - 1), `${slots} slots, ${step} s: ${ratio}`).toBeLessThan(0.04)
    }
  }
})

test('the fluid plant attains what the request-level one attains, from an easy load to an overload', () => {
  for (const rate of [20, 36, 45]) {
    const [request, fluid] = (['request', 'fluid'] as const).map((fidelity) => {
      const plant = plantFor(siteFor(oneVariant()), {
        fidelity,
        traffic: steady([rate], 1800),
        initial: { [h100]: 3 },
      })
      plant.advance(3600)
      return shareGood(plant)
    }) as [number, number]
    expect(Math.abs(fluid - request), `${rate} req/s: ${fluid} against ${request}`).toBeLessThan(0.05)
  }
})

test.each([
  'request',
  'fluid',
] as const)('the %s plant keeps its SLO up to the KV cache’s end, and not beyond', (fidelity) => {
  const attained = (rate: number): number => {
    const plant = plantFor(siteFor(oneVariant()), {
      ...{ fidelity, initial: { [h100]: 6 }, stepSeconds: 5 },
      traffic: steady([rate], 7200, { prompt: 2000, output: 1500 }),
    })
    plant.advance(10_800)
    return shareGood(plant)
  }
  expect(attained(12)).toBeGreaterThan(0.99)
  expect(attained(14)).toBeLessThan(0.9)
})
