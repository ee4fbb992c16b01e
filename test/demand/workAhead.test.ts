// What is planned ahead where requests get longer: nothing by chance, a part of a climb until replicas are there.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { workload } from '../../src/core/capacity/lengths.ts'
import { assumedLengths } from '../../src/core/capacity/shape.ts'
import { unifiedSaturation } from '../../src/core/capacity/unified.ts'
import { enterWork, type WorkAt, workAhead, workOf } from '../../src/core/demand/workAhead.ts'
import { limitsOf } from '../../src/core/sizing.ts'
import { h100, l40s, lengths, observe, policy, policySet, signals, story, variant } from '../decide/world.ts'

const shapeOf = (promptTokens: number, outputTokens: number) => ({
  promptTokens: assumedLengths(promptTokens),
  outputTokens: assumedLengths(outputTokens),
  prefixHitRate: 0,
})

describe('the work of a request', () => {
  it('is its price at saturation, once on every variant', () => {
    const [fast, slow] = [variant('h100'), variant('l40s', { profile: l40s, costPerHour: 1 })]
    const shape = shapeOf(500, 130)
    const perSecond = (profile: typeof h100) => {
      const limits = limitsOf(variant('any', { profile }), undefined)
      return 1000 * unifiedSaturation(profile, workload(profile, limits, shape), limits.maxNumBatchedTokens)
    }
    const dollars = 4 / 3600 / perSecond(h100) + 1 / 3600 / perSecond(l40s)
    expect(workOf(shape, [fast, slow])).toBeCloseTo(dollars, 12)
  })

  it('grows with either length, on pairs of prefill and decode too', () => {
    const tokens = fc.integer({ min: 1, max: 6000 })
    const pair = [variant('prefill', { role: 'prefill' }), variant('decode', { role: 'decode' })]
    fc.assert(
      fc.property(tokens, tokens, (prompt, output) => {
        for (const variants of [[variant('h100')], pair]) {
          const work = (p: number, o: number) => workOf(shapeOf(p, o), variants) ?? Number.NaN
          expect(work(prompt * 1.5, output)).toBeGreaterThan(work(prompt, output))
          expect(work(prompt, output * 1.5)).toBeGreaterThan(work(prompt, output))
        }
      }),
      { numRuns: 40 },
    )
  })

  it('is not told of requests that no replica has room for', () => {
    expect(workOf(shapeOf(600_000, 130), [variant('h100')])).toBeUndefined()
  })
})

const readings = (values: readonly number[], stepSeconds = 15): readonly WorkAt[] =>
  values.reduce<readonly WorkAt[]>((works, work, i) => enterWork(works, i * stepSeconds, work), [])

describe('the readings', () => {
  it('stay few, and reach back three minutes', () => {
    const works = readings(Array.from({ length: 500 }, (_, i) => i + 1))
    expect(works).toHaveLength(13)
    expect(works[0]).toEqual({ at: 487 * 15, work: 488 })
    expect(
      readings(
        Array.from({ length: 500 }, (_, i) => i + 1),
        1,
      ).length,
    ).toBeLessThanOrEqual(20)
  })
})

describe('work ahead', () => {
  it('is what a climb of three minutes comes to by then, at six tenths of its pace', () => {
    // A fifth more in three minutes, of which 5 % are what lengths do all the time; many requests.
    const works = [
      { at: 0, work: 1 },
      { at: 180, work: 1.2 },
    ]
    const climb = Math.log(1.2) - 0.05
    expect(workAhead(works, 180, 1e6, 228)).toBeCloseTo(Math.exp((0.6 * climb * 278) / 180), 9)
    expect(workAhead(works, 180, 1e6, 96)).toBeCloseTo(Math.exp((0.6 * climb * 146) / 180), 9)
    // Nothing changed for three minutes: it is over.
    expect(workAhead(works, 360, 1e6, 228)).toBe(1)
  })

  it('is nothing where requests get shorter, stay, or where chance explains it; never more than a factor', () => {
    const work = fc.double({ min: 0.01, max: 100, noNaN: true })
    fc.assert(
      fc.property(work, work, fc.integer({ min: 1, max: 100_000 }), (before, now, requests) => {
        const works = [
          { at: 0, work: before },
          { at: 150, work: now },
        ]
        const factor = workAhead(works, 150, requests, 228)
        expect(factor).toBeGreaterThanOrEqual(1)
        expect(factor).toBeLessThanOrEqual(Math.exp((0.6 * 0.7 * 278) / 180))
        if (now / before < 1.05 || Math.log(now / before) < 2.5 * Math.sqrt(2 / requests))
          expect(factor).toBe(1)
      }),
    )
    expect(workAhead([], 0, 100, 228)).toBe(1)
  })
})

describe('a decision', () => {
  const fleet = policySet([policy([variant('h100', { replicas: { min: 1, max: 60 } })])])
  const planned = (outputs: readonly number[]) =>
    story(
      fleet,
      outputs.map((output, i) =>
        observe(600 + 15 * i, {
          h100: signals(4, 60, {
            // 65 tokens a second of each: as many are there as such answers take.
            ...{ running: (60 * output) / 65, generationTokensPerSecond: 60 * output },
            outputTokens: { ...lengths(60, output), seconds: 60 },
            promptTokens: { ...lengths(60, 500), seconds: 60 },
          }),
        }),
      ),
    ).map(({ decision }) => decision.policies[0])

  it('plans for longer requests before they are there, and says so', () => {
    const climb = planned(Array.from({ length: 13 }, (_, i) => 130 * 1.05 ** i))
    const steady = planned(Array.from({ length: 13 }, () => 130))
    const [grown, level] = [climb.at(-1), steady.at(-1)]
    const [inClimb, inLevel] = [grown?.classes[0], level?.classes[0]]
    expect(inClimb?.workAhead).toBeGreaterThan(1.15)
    expect(inLevel?.workAhead).toBe(1)
    expect(Number(inClimb?.plannedFor) / Number(inLevel?.plannedFor)).toBeCloseTo(inClimb?.workAhead ?? 0, 6)
    expect(grown?.reasons.some(({ kind }) => kind === 'heavier')).toBe(true)
    expect(level?.reasons.some(({ kind }) => kind === 'heavier')).toBe(false)
  })
})
