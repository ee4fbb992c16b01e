// What was learnt of the speed of engines outlasts a restart: the samples are seen again, the steps that were applied are on
// record, and a server that starts sizes as the one that never stopped.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decide } from '../../src/core/decide.ts'
import type { Observation, VariantSignals } from '../../src/core/observation.ts'
import { nothingDecided } from '../../src/core/observe/ownSeries.ts'
import { missing } from '../../src/core/reading.ts'
import { catchUp } from '../../src/loop/catchUp.ts'
import { readLatest } from '../../src/loop/readPast.ts'
import { Random } from '../../src/simulation/random.ts'
import { policySet, tools } from '../decide/world.ts'
import {
  begun,
  fleet,
  interval,
  type Life,
  live,
  never,
  options,
  past,
  recordOf,
  started,
  targetsOf,
} from './life.ts'

const id = 'chat/llama/h100'

/** Engines that each decode 20 sequences, in so many times the 9 ms that their profile says. */
function decoding(factor: number, replicas: number): Partial<VariantSignals> {
  const gapsPerSecond = 20 / (0.009 * factor)
  const firstTokensPerSecond = gapsPerSecond / 129
  const all = (perSecond: number, sumPerSecond: number) => ({
    upperBounds: [1],
    perSecond: [replicas * perSecond, 0],
    sumPerSecond: replicas * sumPerSecond,
  })
  return {
    running: 20 * replicas,
    generationTokensPerSecond: replicas * (gapsPerSecond + firstTokensPerSecond),
    itl: all(gapsPerSecond, 20),
    ttft: all(firstTokensPerSecond, 0.03 * firstTokensPerSecond),
    typicalEngine: {
      gapsPerSecond,
      gapSecondsPerSecond: 20,
      firstTokensPerSecond,
      ttftSecondsPerSecond: 0.03 * firstTokensPerSecond,
    },
  }
}

interface Course {
  /** By which engines are slower, one entry for some ten minutes; undefined: they are idle. */
  readonly factors: readonly (number | undefined)[]
  readonly seed: number
}

/** Speeds wander about their level, and with demand the number of replicas. */
function lived({ factors, seed }: Course, ticks: number, unseen: readonly number[] = []): Promise<Life> {
  const random = new Random(seed)
  const noise = Array.from({ length: ticks }, () => 1 + 0.06 * (random.uniform() - 0.5))
  const demands = Array.from({ length: ticks }, (_, i) => 50 + 40 * Math.sin(i / 60) + 10 * random.uniform())
  const factorAt = (tick: number) => factors[Math.floor(tick / 43) % factors.length]
  return live(demands, new Set(unseen), (tick, replicas) => {
    const factor = factorAt(tick)
    return factor === undefined
      ? { typicalEngine: missing('idle') }
      : decoding(factor * (noise[tick] ?? 1), replicas)
  })
}

const speedAt = ({ decided }: Life, at: number) => decided.get(at)?.state.variants[id]?.speed

const courses = fc.record({
  factors: fc.array(fc.option(fc.double({ min: 0.6, max: 1.9, noNaN: true }), { nil: undefined, freq: 5 }), {
    minLength: 2,
    maxLength: 7,
  }),
  seed: fc.integer({ min: 1, max: 1000 }),
  unseen: fc.uniqueArray(fc.integer({ min: 1, max: 320 }), { maxLength: 12 }),
  restarts: fc.array(fc.integer({ min: 150, max: 319 }), { minLength: 4, maxLength: 4 }),
})

describe('a server that starts', () => {
  it('knows at any tick what the one that never stopped knows of speed, digit for digit, and decides alike', async () => {
    await fc.assert(
      fc.asyncProperty(courses, async ({ unseen, restarts, ...course }) => {
        const life = await lived(course, 320, unseen)
        for (const tick of restarts) {
          const at = begun + tick * interval
          const { state, lost } = await started(at, life)
          expect(lost).toEqual([])
          expect(state).toEqual(life.decided.get(at - interval)?.state)
          const observation = life.observations.get(at) as Observation
          expect(decide(fleet, state, observation, tools)).toEqual(life.decided.get(at))
        }
      }),
      { numRuns: 3 },
    )
  }, 120_000)

  it('knows all of it too where the last half hour is not on record, and what is was scraped late', async () => {
    const life = await lived({ factors: [1.4, 0.8, 1.2], seed: 2 }, 250)
    const at = begun + 240 * interval
    const { state } = await started(at, life, {
      lastDecided: async (_, instant) =>
        instant > at - 1500 ? nothingDecided : recordOf(life.decided, instant - 4 * interval),
    })
    expect(state).toEqual(life.decided.get(at - interval)?.state)
  })

  it('keeps a correction whose samples are a night old, and since when engines are off', async () => {
    const life = await lived(
      { factors: [1.4, 1.4, undefined, undefined, undefined, undefined], seed: 3 },
      250,
    )
    const at = begun + 240 * interval
    const known = speedAt(life, at - interval)
    expect(known?.samples).toEqual([])
    expect(known?.learnt?.ratio).toBeGreaterThan(1.2)
    expect(known?.learnt?.offSince).toBeLessThan(begun + 86 * interval)
    expect((await started(at, life)).state.variants[id]?.speed).toEqual(known)
  })

  it('has the correction for a first decision that cannot wait', async () => {
    const life = await lived({ factors: [1.5], seed: 4 }, 200)
    const previous = begun + 190 * interval
    const learnt = speedAt(life, previous)?.learnt
    expect(learnt?.ratio).toBeGreaterThan(1.3)
    const { state } = await readLatest(fleet, previous, past(life), options, never)
    expect(state.variants[id]?.speed?.learnt).toEqual(learnt)
    const next = decide(fleet, state, life.observations.get(previous + interval) as Observation, tools)
    expect(targetsOf(next)).toEqual(targetsOf(life.decided.get(previous + interval)))
  })

  it('begins anew where the profile is not the one on record', async () => {
    const life = await lived({ factors: [1.5], seed: 5 }, 320)
    const at = begun + 310 * interval
    const [first] = fleet.policies
    if (first === undefined) throw new Error('no policy')
    const variants = first.variants.map((each) => ({ ...each, profile: { ...each.profile, a: 9.5 } }))
    const other = policySet([{ ...first, variants }])
    const caught = await catchUp({ policies: other, at, known: undefined }, past(life), options, never)
    const [mine, theirs] = [caught.state.variants[id]?.speed, speedAt(life, at - interval)]
    expect(mine?.profile).not.toBe(theirs?.profile)
    // Beside a slower profile the same engines are hardly slow.
    expect(Math.abs((mine?.learnt?.ratio ?? 0) - 1)).toBeLessThan(
      Math.abs((theirs?.learnt?.ratio ?? 0) - 1) / 2,
    )
  })
})
