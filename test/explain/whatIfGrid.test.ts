// The what-if grid of reports: every cell is the decision that `plan --what-if` takes.
import { expect, test } from 'vitest'
import { decide } from '../../src/core/decide.ts'
import { gridAxes, gridPoints, isBase, planPoint } from '../../src/core/explain/whatIfGrid.ts'
import { applyWhatIf } from '../../src/core/optimize/whatIf.ts'
import type { PolicySet } from '../../src/core/policy.ts'
import { emptyState } from '../../src/core/state.ts'
import { createTools } from '../../src/core/tools.ts'
import { totals } from '../../src/core/totals.ts'
import { loadEngines } from '../../src/solvers/engines.ts'
import { chatAt } from '../cli/observations.ts'
import { examplePolicies } from '../report/reviewed.ts'

const observation = chatAt(14)
const scene = { state: emptyState, observation, tools: createTools(await loadEngines()) }
const chat = await examplePolicies('chat/llama-70b')
const { decision } = decide(chat, emptyState, observation, scene.tools)
const axes = gridAxes(chat, decision)
const points = gridPoints(chat, axes)

test('has every factor of demand with every factor of SLO and price, and one cell where nothing is changed', () => {
  const { demand, slo, price } = axes
  expect(points).toHaveLength(demand.length * slo.length * price.factors.length)
  expect(points.filter(isBase).map(({ whatIf }) => whatIf)).toEqual(['holdBand=0'])
  expect(new Set(points.map(({ whatIf }) => whatIf)).size).toBe(points.length)
  expect(price.acceleratorType).toBe('h100')
})

test('every cell is the decision under its what-if', () => {
  for (const point of points) {
    const applied = applyWhatIf(chat, point.whatIf)
    if (applied.kind === 'invalid') throw new Error(applied.errors.join())
    const under = decide(applied.policies, emptyState, observation, scene.tools).decision
    const { costPerHour, shortfall } = totals(applied.policies, under)
    const cell = planPoint(chat, point, scene)
    expect(cell.costPerHour).toBe(costPerHour)
    expect(cell.shortPerSecond).toBe(Object.values(shortfall)[0] ?? 0)
    expect(cell.shortPerSecond > 0).toBe(under.policies.some(({ status }) => status === 'shortfall'))
  }
})

test('more traffic, a tighter SLO and a dearer GPU never make the cheapest mix cheaper', () => {
  const cells = points.map((point) => planPoint(chat, point, scene))
  for (const one of cells)
    for (const other of cells) {
      const isHarder = other.demand >= one.demand && other.slo <= one.slo && other.price >= one.price
      if (isHarder && other.shortPerSecond === 0)
        expect(Number(other.costPerHour)).toBeGreaterThanOrEqual(Number(one.costPerHour) - 1e-9)
    }
})

test('what stops a plan stands with its cell: the full pool, the variant at its maximum', () => {
  const thrice = points.find(({ demand, slo, price }) => demand === 3 && slo === 1 && price === 1)
  if (thrice === undefined) throw new Error('no such point')
  const few: PolicySet = { ...chat, pools: [{ name: 'h100', gpus: 8 }] }
  expect(planPoint(few, thrice, scene)).toMatchObject({ fullPools: ['h100'], gpus: { h100: 8 } })
  const capped = {
    ...chat,
    policies: chat.policies.map((policy) => ({
      ...policy,
      variants: policy.variants.map((variant) => ({ ...variant, replicas: { min: 1, max: 2 } })),
    })),
  }
  expect(planPoint(capped, thrice, scene)).toMatchObject({
    fullPools: [],
    atMax: ['chat/llama-70b/h100-tp4'],
  })
})

test('without a bound there is no SLO to change, without a plan no price', () => {
  const tolerant: PolicySet = {
    ...chat,
    policies: chat.policies.map((policy) => ({
      ...policy,
      classes: policy.classes.map((trafficClass) => ({
        ...trafficClass,
        serviceLevel: { kind: 'latencyTolerant', completeWithinSeconds: 3600 },
      })),
    })),
  }
  expect(gridAxes(tolerant, { ...decision, policies: [] })).toMatchObject({
    slo: [1],
    price: { factors: [1] },
  })
})
