import { describe, expect, test } from 'vitest'
import { early, scheduled } from '../../../src/backtest/peers/scheduled.ts'
import { fixedCounts } from '../../../src/backtest/peers/staticFleet.ts'
import { type Outcome, single, type Tried, tune } from '../../../src/backtest/peers/tune.ts'
import { observe, policy, signals, variant } from '../../decide/world.ts'
import { controllerFor, counts } from './rules.ts'

/** A plant with a known answer: n replicas carry 10 each of a demand that is uniform on 0..100, at a dollar each. */
function uniformDemand(replicas: number): Outcome {
  return { attainment: Math.min(1, (10 * replicas) / 100), dollarsPerHour: replicas }
}

const fleets = [3, 12, 10, 8, 9].map((count) => ({
  count,
  configuration: fixedCounts({ 'chat/llama/h100': count }),
}))
const countOf = (label: string): number =>
  fleets.find(({ configuration }) => configuration.label === label)?.count ?? 0

describe('tuning', () => {
  const run = (goal: number) =>
    tune(
      fleets.map(({ configuration }) => configuration),
      goal,
      ({ label }) => uniformDemand(countOf(label)),
    )

  test('finds the cheapest that reaches the goal', () => {
    expect(run(0.9)).toMatchObject({ kind: 'reached', best: { outcome: { dollarsPerHour: 9 } } })
    expect(run(0.99)).toMatchObject({ kind: 'reached', best: { outcome: { dollarsPerHour: 10 } } })
  })

  test('says so where none does, with the nearest', () => {
    const few = fleets.filter(({ count }) => count < 10).map(({ configuration }) => configuration)
    expect(tune(few, 0.99, ({ label }) => uniformDemand(countOf(label)))).toMatchObject({
      ...{ kind: 'outOfReach', nearest: { outcome: { attainment: 0.9, dollarsPerHour: 9 } } },
    })
  })
})

test('one configuration for all cells: first the most cells, then the least cost by their references', () => {
  const cell = (outcomes: Readonly<Record<string, readonly [number, number]>>): readonly Tried<Outcome>[] =>
    Object.entries(outcomes).map(([label, [attainment, dollarsPerHour]]) => ({
      label,
      outcome: { attainment, dollarsPerHour },
    }))
  const cells = [
    cell({ tight: [0.98, 10], middle: [0.995, 12], lavish: [1, 30] }),
    cell({ tight: [1, 100], middle: [0.991, 150], lavish: [1, 160] }),
  ]
  expect(single(cells, [10, 100], 0.99)).toMatchObject({ label: 'middle', cellsReached: 2 })
  // By its reference the second cell weighs as much as the first.
  expect(single(cells, [10, 100], 0.97)).toMatchObject({ label: 'tight', cellsReached: 2 })
  expect(single(cells, [10, 100], 0.9999)).toMatchObject({ label: 'lavish', cellsReached: 2 })
  // Out of reach everywhere: the best worst cell.
  expect(single(cells, [10, 100], 1.1)).toMatchObject({ label: 'lavish', cellsReached: 0 })
})

describe('a schedule', () => {
  test('is ordered early by the start-up time, and let go when it says', () => {
    expect(early([1, 1, 1, 3, 1, 2], 2)).toEqual([1, 3, 3, 3, 2, 2])
    const schedule = {
      ...{ fromSeconds: 1000, stepSeconds: 60, counts: { 'chat/llama/h100': [1, 1, 4, 2] } },
    }
    const controller = controllerFor(
      scheduled('s', schedule, { 'chat/llama/h100': 90 }),
      policy([variant('h100')]),
    )
    const at = [0, 1000, 1060, 1120, 1180, 9000]
    // 90 s are two steps of 60: the 4 of step 2 is ordered in step 0.
    const seen = at.map((second) => observe(second, { h100: signals(1, 5) }))
    expect(counts(controller, 'h100', seen)).toEqual([4, 4, 4, 4, 2, 2])
  })
})
