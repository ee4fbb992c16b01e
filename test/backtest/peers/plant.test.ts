import { describe, expect, test } from 'vitest'
import { backtest, defaultPlant, epochSeconds } from '../../../src/backtest/backtest.ts'
import { clairvoyant } from '../../../src/backtest/bound/clairvoyant.ts'
import { knownCapacity } from '../../../src/backtest/bound/known.ts'
import { busiestMinute, knownTraffic } from '../../../src/backtest/bound/knownTraffic.ts'
import type { Configuration } from '../../../src/backtest/peers/peer.ts'
import { peersOf } from '../../../src/backtest/peers/peers.ts'
import { scheduled } from '../../../src/backtest/peers/scheduled.ts'
import { fixedCounts } from '../../../src/backtest/peers/staticFleet.ts'
import { type Outcome, tune } from '../../../src/backtest/peers/tune.ts'
import type { Result } from '../../../src/backtest/result.ts'
import { siteOf } from '../../../src/backtest/site.ts'
import type { RateWindow, Traffic } from '../../../src/backtest/traffic/traffic.ts'
import { createCapacityMemo } from '../../../src/core/capacity/memo.ts'
import { assumedLengths } from '../../../src/core/capacity/shape.ts'
import { policy, policySet, tools, trafficClass, variant } from '../../decide/world.ts'

const minute = 60
const promptTokens = assumedLengths(900)
const outputTokens = assumedLengths(140)

/** Ten minutes at each rate, without a jump in between. */
function traffic(rates: readonly number[]): Traffic {
  const windows = rates.map(
    (requestsPerSecond, i): RateWindow => ({
      ...{ fromSeconds: 600 * i, untilSeconds: 600 * (i + 1), requestsPerSecond },
      ...{ promptTokens, outputTokens, cv: 1 },
    }),
  )
  const source = { kind: 'rates', windows, inside: 'step' } as const
  return {
    untilSeconds: 600 * rates.length,
    sources: [{ classIndex: 0, scale: 1, shiftSeconds: 0, source }],
  }
}

const h100 = variant('h100', { replicas: { min: 1, max: 40 }, startupSeconds: 60 })
const chat = trafficClass('chat', {
  serviceLevel: {
    kind: 'interactive',
    ttft: { percentile: 0.99, seconds: 1 },
    tpot: { percentile: 0.99, seconds: 0.05 },
  },
})
const policies = policySet([policy([h100], { classes: [chat] })])
const warmupSeconds = 10 * minute

function play({ controllerOf }: Configuration, played: Traffic): Result {
  const run = backtest({
    ...{ policies, traffic: played, tools, controllerOf, plant: defaultPlant },
    ...{ fidelity: 'fluid', seed: 3, warmupSeconds, tickSeconds: 15, stepSeconds: 5 },
    ...{ startupSigma: 0, modelError: 0 },
  })
  for (;;) {
    const next = run.next()
    if (next.done === true) return next.value
  }
}

function outcomeOf({ classes, dollarsPerHour }: Result): Outcome {
  return { attainment: classes[0]?.attainment?.all ?? 0, dollarsPerHour }
}

const hill = traffic([220, 330, 550, 330])
const site = siteOf(policies, { startupSigma: 0, modelError: 0 })
const [only] = site.policies.policies
if (only === undefined) throw new Error('no policy')
const span = { fromSeconds: warmupSeconds, untilSeconds: hill.untilSeconds, stepSeconds: minute }
const known = knownTraffic(hill, site.classes, only, span, 3)
const hours = (known.steps * minute) / 3600

describe('on the fluid plant', () => {
  test('tuning a static fleet finds the count that one by one attains the goal first', () => {
    const fleets = Array.from({ length: 7 }, (_, i) => fixedCounts({ [h100.id]: 12 + 3 * i }))
    const outcomes = new Map(fleets.map((fleet) => [fleet.label, outcomeOf(play(fleet, hill))]))
    const first = fleets.findIndex(({ label }) => (outcomes.get(label)?.attainment ?? 0) >= 0.99)
    expect(first).toBeGreaterThan(0)
    const best = tune(fleets.toReversed(), 0.99, ({ label }) => outcomes.get(label) as Outcome)
    expect(best).toMatchObject({ kind: 'reached', best: { label: fleets[first]?.label } })
  })

  test('a clairvoyant knows the rates of the traffic, and the busiest minute', () => {
    expect(known.steps).toBe(30)
    expect(known.classes[0]?.requestsPerSecond[0]).toBeCloseTo(330, -1)
    expect(known.classes[0]?.requestsPerSecond[15]).toBeCloseTo(550, -1)
    expect(busiestMinute(known)[chat.id]).toBeCloseTo(550, -1)
  })

  const answer = clairvoyant(
    {
      ...{ policy: only, pools: [], known, allowedMisses: 0.01 },
      capacity: knownCapacity(only, createCapacityMemo()),
    },
    tools.engines.large,
  )
  if (answer.kind !== 'bound') throw new Error(answer.kind)
  const bound = answer.dollars / hours

  test('the clairvoyant’s schedule attains the goal for little more than the bound', () => {
    const schedule = {
      ...{ fromSeconds: epochSeconds + warmupSeconds, stepSeconds: minute },
      counts: answer.schedule.counts,
    }
    const { attainment, dollarsPerHour } = outcomeOf(
      play(scheduled('clairvoyant', schedule, { [h100.id]: 90 }), hill),
    )
    expect(attainment).toBeGreaterThan(0.985)
    expect(dollarsPerHour).toBeGreaterThan(0.98 * bound)
    expect(dollarsPerHour).toBeLessThan(1.15 * bound)
  })

  test.each(
    peersOf(site.policies, busiestMinute(known)).map((peer) => [peer.name, peer] as const),
  )('%s runs as shipped and at both ends of its grid, and attains nothing below the bound', (_, peer) => {
    const labels = peer.grid.map(({ label }) => label)
    expect(new Set(labels).size).toBe(labels.length)
    for (const configuration of [peer.shipped, peer.grid[0], peer.grid.at(-1)]) {
      if (configuration === undefined) throw new Error('an empty grid')
      const { attainment, dollarsPerHour } = outcomeOf(play(configuration, hill))
      expect(dollarsPerHour).toBeGreaterThan(0)
      if (attainment >= 0.99) expect(dollarsPerHour).toBeGreaterThan(bound)
    }
  })
})
