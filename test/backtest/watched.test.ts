// Which instant of a backtest its what-ifs are about.
import { expect, test } from 'vitest'
import type { Controller } from '../../src/backtest/controller.ts'
import { watched } from '../../src/backtest/watched.ts'
import { missing } from '../../src/core/reading.ts'
import { chatAt } from '../cli/observations.ts'

const steps: number[] = []
const controller: Controller = {
  name: 'mixscaler',
  intervalSeconds: 15,
  actuation: () => ({ kind: 'direct' }),
  step: (observation) => {
    steps.push(observation.at)
    return { signals: {}, wanted: {}, forecast: {} }
  },
}

test('the observation of most output tokens is kept, the first of equals, and the controller sees them all', () => {
  const { controller: watching, busiest } = watched(controller)
  expect(busiest()).toBeUndefined()
  for (const [at, rate] of [3, 9, 9, 5].entries()) watching.step({ ...chatAt(rate), at })
  expect(busiest()).toEqual({ ...chatAt(9), at: 1 })
  expect(steps).toEqual([0, 1, 2, 3])
})

test('a variant that cannot be seen counts for nothing and hides nobody else', () => {
  const { controller: watching, busiest } = watched(controller)
  const seen = chatAt(4)
  const [id = '', signals] = Object.entries(seen.variants)[0] ?? []
  if (signals === undefined) throw new Error('no variant')
  const blind = { ...signals, generationTokensPerSecond: missing('backendDown') }
  watching.step({ ...seen, at: 1, variants: { [id]: blind } })
  watching.step({ ...seen, at: 2, variants: { [id]: signals, other: blind } })
  expect(busiest()?.at).toBe(2)
})
