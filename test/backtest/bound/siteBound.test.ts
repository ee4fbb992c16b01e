// The bound of a whole backtest: by hand where that is possible, and below what any controller pays.
import { beforeAll, describe, expect, test } from 'vitest'
import { backtest, defaultPlant } from '../../../src/backtest/backtest.ts'
import { siteBound } from '../../../src/backtest/bound/siteBound.ts'
import { controllers } from '../../../src/backtest/controllers.ts'
import type { Result, ResultBound } from '../../../src/backtest/result.ts'
import { siteOf } from '../../../src/backtest/site.ts'
import type { PolicySet } from '../../../src/core/policy.ts'
import { isMissing } from '../../../src/core/reading.ts'
import { createTools, type Tools } from '../../../src/core/tools.ts'
import { loadEngines } from '../../../src/solvers/engines.ts'
import { oneVariant, steady } from '../sites.ts'

let tools: Tools
beforeAll(async () => {
  tools = createTools(await loadEngines())
})

const settings = { startupSigma: 0.1, modelError: 0 }
const span = { warmupSeconds: 600, seed: 1 }

function bounded(policies: PolicySet, rate: number, seconds = 3600, modelError = 0): ResultBound {
  const site = siteOf(policies, { ...settings, modelError })
  const found = siteBound(site, steady([rate], seconds), span, tools)
  if (isMissing(found)) throw new Error(JSON.stringify(found))
  return found
}

describe('the bound of a backtest', () => {
  test('of a flat load is below its whole replicas at their price by no more than the share that may be missed', () => {
    const bound = bounded(oneVariant(), 30)
    const highest = Math.max(...bound.minutes)
    expect(highest / 3.6).toBeCloseTo(3, 6)
    expect(bound.scheduleDollarsPerHour).toBeLessThanOrEqual(highest)
    expect(bound.dollarsPerHour).toBeLessThanOrEqual(bound.scheduleDollarsPerHour)
    expect(bound.dollarsPerHour).toBeGreaterThan(0.95 * highest)
    expect(bound.dollars).toBeCloseTo((bound.dollarsPerHour * 3000) / 3600, 3)
    expect(bound.minutes).toHaveLength(60)
    expect(new Set(bound.minutes.slice(0, 10))).toEqual(new Set([0]))
  })

  test('is dearer for engines that are slower than their profiles, and has wider steps over longer spans', () => {
    expect(bounded(oneVariant(), 60, 3600, 0.3).dollars).toBeGreaterThan(bounded(oneVariant(), 60).dollars)
    expect(bounded(oneVariant(), 30).stepSeconds).toBe(60)
    expect(bounded(oneVariant(), 5, 172_800).stepSeconds).toBe(120)
  })

  test('is missing, and says why, where all replicas together do not carry the traffic', () => {
    const found = siteBound(siteOf(oneVariant('fourGpus'), settings), steady([900], 3600), span, tools)
    expect(found).toEqual({
      missing: 'notReported',
      detail: expect.stringMatching(
        /^demo\/chat: all its replicas together do not carry \d+(\.\d+)? % of its requests$/,
      ),
    })
  })

  test('is below what our own controller and a static fleet pay', () => {
    const bound = bounded(oneVariant(), 40, 5400)
    for (const controller of ['mixscaler', 'static']) {
      const traffic = steady([40], 5400)
      const going = backtest({
        ...{ policies: oneVariant(), traffic, tools, fidelity: 'fluid', stepSeconds: 5, tickSeconds: 60 },
        ...{ ...span, ...settings, plant: defaultPlant },
        controllerOf: (site) =>
          controllers[controller]?.({ site, tools, tickSeconds: 60, traffic, seed: 1 }) ?? fail(),
      })
      let next = going.next()
      while (next.done !== true) next = going.next()
      const result: Result = next.value
      expect(result.dollarsPerHour).toBeGreaterThanOrEqual(bound.dollarsPerHour)
    }
  })
})

function fail(): never {
  throw new Error('no such controller')
}
