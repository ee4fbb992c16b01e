import { describe, expect, it } from 'vitest'
import { capacityOf, replicaModel, search } from '../../src/core/capacity/capacity.ts'
import { workload } from '../../src/core/capacity/lengths.ts'
import type { CapacityQuestion } from '../../src/core/capacity/question.ts'
import type { LatencyBound } from '../../src/core/policy.ts'
import { type EngineUnderTest, llama8b, llama70b } from './engines.ts'
import { chat, rate } from './questions.ts'
import { type ShapeName, workloads } from './workloads.ts'

interface Row {
  readonly role: CapacityQuestion['role']
  readonly engine: EngineUnderTest
  readonly shape: ShapeName
  readonly metric: 'ttft' | 'itl' | 'tpot'
  readonly milliseconds: number
  /** Capacity alone, and its gain with 2, 4, 8 and 16 replicas by I = 1/R. */
  readonly alone: number
  readonly gains: readonly number[]
  /** The simulated gains of joining the shortest queue. */
  readonly simulated: readonly number[]
}

/** Modelling notes, section 4: p95 within the bound, no margin. */
// biome-ignore format: a table
const rows: readonly Row[] = [
  { role: 'unified', engine: llama8b, shape: 'azconv', metric: 'ttft', milliseconds: 150, alone: 14.91, gains: [1.135, 1.205, 1.239, 1.255], simulated: [1.149, 1.216, 1.258, 1.264] },
  { role: 'unified', engine: llama8b, shape: 'azconv', metric: 'ttft', milliseconds: 500, alone: 20.81, gains: [1.011, 1.017, 1.02, 1.022], simulated: [1.031, 1.046, 1.054, 1.054] },
  { role: 'unified', engine: llama8b, shape: 'azconv', metric: 'itl', milliseconds: 50, alone: 15.41, gains: [0.997, 1.001, 1.002, 1.002], simulated: [1.027, 1.039, 1.046, 1.047] },
  { role: 'unified', engine: llama8b, shape: 'azconv', metric: 'tpot', milliseconds: 25, alone: 16.17, gains: [1.021, 1.033, 1.04, 1.043], simulated: [1.04, 1.064, 1.093, 1.105] },
  { role: 'unified', engine: llama8b, shape: 'exp512x128', metric: 'ttft', milliseconds: 100, alone: 38.56, gains: [1.085, 1.127, 1.148, 1.158], simulated: [1.084, 1.11, 1.125, 1.124] },
  { role: 'unified', engine: llama8b, shape: 'exp512x128', metric: 'itl', milliseconds: 40, alone: 34.82, gains: [1.011, 1.015, 1.018, 1.019], simulated: [1.023, 1.033, 1.041, 1.043] },
  { role: 'unified', engine: llama8b, shape: 'exp512x128', metric: 'tpot', milliseconds: 20, alone: 33.86, gains: [1.021, 1.033, 1.04, 1.043], simulated: [1.054, 1.086, 1.107, 1.118] },
  { role: 'unified', engine: llama70b, shape: 'azcode', metric: 'ttft', milliseconds: 1000, alone: 5.09, gains: [1.128, 1.202, 1.242, 1.262], simulated: [1.197, 1.354, 1.44, 1.501] },
  { role: 'unified', engine: llama70b, shape: 'azcode', metric: 'ttft', milliseconds: 2000, alone: 6.92, gains: [1.055, 1.079, 1.091, 1.096], simulated: [1.087, 1.134, 1.165, 1.165] },
  { role: 'prefill', engine: llama8b, shape: 'exp512x128', metric: 'ttft', milliseconds: 200, alone: 72.93, gains: [1.055, 1.086, 1.101, 1.109], simulated: [1.119, 1.193, 1.242, 1.265] },
  { role: 'prefill', engine: llama70b, shape: 'azcode', metric: 'ttft', milliseconds: 2000, alone: 7.09, gains: [1.056, 1.087, 1.103, 1.112], simulated: [1.115, 1.162, 1.199, 1.217] },
  { role: 'decode', engine: llama8b, shape: 'azconv', metric: 'itl', milliseconds: 15, alone: 27.21, gains: [1.019, 1.03, 1.035, 1.038], simulated: [1.037, 1.054, 1.078, 1.095] },
  { role: 'decode', engine: llama70b, shape: 'exp512x128', metric: 'itl', milliseconds: 20, alone: 25.85, gains: [1.023, 1.036, 1.043, 1.046], simulated: [1.047, 1.084, 1.104, 1.122] },
  { role: 'decode', engine: llama70b, shape: 'exp512x128', metric: 'itl', milliseconds: 30, alone: 37.0, gains: [1.013, 1.02, 1.024, 1.026], simulated: [1.033, 1.048, 1.059, 1.07] },
]

const named = rows.map((row) => ({
  ...row,
  name: `${row.role} ${row.engine.profile.name} ${row.shape} ${row.metric} ${row.milliseconds} ms`,
}))

function asked(row: Row): CapacityQuestion {
  const bound: LatencyBound = { percentile: 0.95, seconds: row.milliseconds / 1000 }
  const goal = { kind: 'interactive', [row.metric]: bound } as const
  const { engine, role, shape } = row
  return { ...chat, ...engine, role, shape: workloads[shape], goal, sloMargin: 1, maxLoad: 0.9999 }
}

const ask = (row: Row, replicas: number): number => rate(capacityOf({ ...asked(row), replicas }))

function law(row: Row, replicas: number): number {
  const question = asked(row)
  const work = workload(question.profile, question.limits, question.shape)
  return rate(search(question, work, replicaModel(question, work), replicas))
}

const pooled = [2, 4, 8, 16]

describe('capacity among several replicas', () => {
  it.each(named)('$name: alone up to 5 % below the published rate, which has no reserve', (row) => {
    const alone = ask(row, 1) / row.alone
    expect(alone).toBeGreaterThan(0.95)
    expect(alone).toBeLessThanOrEqual(1)
  })

  it.each(
    named,
  )('$name: R replicas gain as much as by I = 1/R, and at most 5 % more than the simulation', (row) => {
    const alone = ask(row, 1)
    pooled.forEach((replicas, i) => {
      const gain = ask(row, replicas) / alone
      expect(gain).toBeGreaterThan(0.995 * (row.gains[i] ?? Number.NaN))
      expect(gain).toBeLessThan(1.05 * (row.simulated[i] ?? Number.NaN))
    })
  })

  it.each(named)('$name: the line in 1/R stays within 1.5 % of the law', (row) => {
    for (const replicas of [2, 4, 8])
      expect(Math.abs(ask(row, replicas) / law(row, replicas) - 1)).toBeLessThan(0.015)
  })

  it.each(named)('$name: carries at most 2.5 % more than the simulation with as many replicas', (row) => {
    pooled.forEach((replicas, i) => {
      const simulated = row.alone * (row.simulated[i] ?? Number.NaN)
      expect(ask(row, replicas)).toBeLessThanOrEqual(1.025 * simulated)
    })
  })

  it('credits 16 replicas at most', () => {
    expect(rate(capacityOf({ ...chat, replicas: 500 }))).toBe(rate(capacityOf({ ...chat, replicas: 16 })))
  })
})
