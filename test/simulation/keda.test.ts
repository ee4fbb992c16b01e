import { expect, test } from 'vitest'
import { type Activity, type KedaSettings, type KedaState, kedaPoll } from '../../src/simulation/keda.ts'

const settings: KedaSettings = {
  cooldownSeconds: 300,
  minReplicas: 0,
}

/** Counts after each poll; the target follows at once. */
function story(
  from: number,
  polls: readonly (readonly [atSeconds: number, activity: Activity])[],
  overrides: Partial<KedaSettings> = {},
): number[] {
  let state: KedaState = {}
  let replicas = from
  return polls.map(([atSeconds, activity]) => {
    const step = kedaPoll({ ...settings, ...overrides }, state, {
      atSeconds,
      specReplicas: replicas,
      activity,
    })
    state = step.state
    replicas = step.replicas
    return replicas
  })
}

test('activity takes a target from 0 to 1, or to its minimum', () => {
  expect(
    story(0, [
      [0, 'inactive'],
      [30, 'active'],
    ]),
  ).toEqual([0, 1])
  expect(story(0, [[0, 'active']], { minReplicas: 3 })).toEqual([3])
})

test('while active it leaves the count to the HPA', () => {
  expect(
    story(7, [
      [0, 'active'],
      [30, 'active'],
    ]),
  ).toEqual([7, 7])
})

test('it goes straight to 0 once the cooldown since the last activity is over, and not a poll earlier', () => {
  expect(
    story(5, [
      [0, 'active'],
      [150, 'inactive'],
      [300, 'inactive'],
      [330, 'inactive'],
    ]),
  ).toEqual([5, 5, 5, 0])
})

test('what was never active goes to 0 at once', () => {
  expect(story(5, [[0, 'inactive']])).toEqual([0])
})

test('with a minimum it never goes below that, and repairs a count that is', () => {
  expect(
    story(
      5,
      [
        [0, 'inactive'],
        [900, 'inactive'],
      ],
      { minReplicas: 2 },
    ),
  ).toEqual([5, 5])
  expect(story(1, [[0, 'inactive']], { minReplicas: 2 })).toEqual([2])
})

test('an error changes nothing and does not count as activity', () => {
  expect(
    story(4, [
      [0, 'active'],
      [310, 'failed'],
      [320, 'inactive'],
    ]),
  ).toEqual([4, 4, 0])
  expect(story(0, [[0, 'failed']])).toEqual([0])
})
