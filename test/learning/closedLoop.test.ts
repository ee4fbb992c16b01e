// The whole loop on a virtual clock: a fleet that is not as fast as its profile is found, and what happens in every
// cluster does not make it look so. `npx node bench/learning.ts` plays the same for longer.
import { describe, expect, it } from 'vitest'
import { createTools } from '../../src/core/tools.ts'
import { constantRate } from '../../src/simulation/arrivals.ts'
import { loadEngines } from '../../src/solvers/engines.ts'
import {
  type Course,
  calm,
  coldPods,
  liar,
  type OffProfile,
  playOffProfile,
  restarts,
} from '../stage/offProfile.ts'

const tools = createTools(await loadEngines())

function course(factor: number, changes: Partial<OffProfile> = {}): Course {
  const scenario: OffProfile = {
    truth: { base: factor, slopes: factor, overheadMs: 0 },
    rate: constantRate(25),
    cv: 1,
    seconds: 1080,
    seed: 1,
    learn: { headroom: 'on', speed: 'on' },
    trouble: calm,
    ...changes,
  }
  return playOffProfile(scenario, tools)
}

describe('a fleet that is not as fast as its profile', () => {
  it('is found within 15 minutes where it is 30 % slower, given more replicas, and said so', () => {
    const { ticks } = course(1.3)
    const after = ticks.filter(({ atSeconds }) => atSeconds >= 900)
    for (const { ratio } of after) expect(Math.abs(ratio / 1.3 - 1)).toBeLessThan(0.05)
    const [begin, end] = [ticks[10], ticks.at(-1)]
    expect(end?.target).toBeGreaterThan(1.25 * (begin?.target ?? 0))
    expect(end?.reasons).toContainEqual(
      expect.stringMatching(/^2\d % slower than its profile policy since 00:\d\d UTC$/),
    )
  })

  it('is found where it is 30 % faster, and given fewer', () => {
    const { ticks } = course(1 / 1.3)
    const [begin, end] = [ticks[10], ticks.at(-1)]
    expect(Math.abs((end?.ratio ?? 0) * 1.3 - 1)).toBeLessThan(0.05)
    expect(end?.target).toBeLessThan(0.8 * (begin?.target ?? 0))
    expect(end?.byPercentile).toBeGreaterThan(0.99)
  })

  it('is found beside a pod that lies', () => {
    const { ticks } = course(1.3, { trouble: liar('sum', 0.5) })
    expect(Math.abs((ticks.at(-1)?.ratio ?? 0) / 1.3 - 1)).toBeLessThan(0.05)
  })

  it.each([
    { ...calm, cv: 2, name: 'bursty arrivals' },
    { ...restarts, cv: 1 },
    { ...coldPods, cv: 1 },
    { ...liar('sum', 10), cv: 1 },
    { ...liar('sum', 0.1), cv: 1 },
    { ...liar('count', 0.3), cv: 1 },
  ])('is not seen in $name', ({ cv, ...trouble }) => {
    const { ticks } = course(1, { trouble, cv })
    for (const { ratio } of ticks) expect(Math.abs(ratio - 1)).toBeLessThan(0.05)
  })

  it('is left alone where learning is switched off', () => {
    const { ticks } = course(1.3, { learn: { headroom: 'off', speed: 'off' } })
    expect(ticks.every(({ ratio }) => ratio === 1)).toBe(true)
  })
})
