// What a cut says at the counts it was made at must hold at all others, else redundant plans are lost.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Engine, Engines } from '../../src/core/optimize/engine.ts'
import { sizingAt } from '../../src/core/optimize/fixedPoint.ts'
import { memoized, toInstance } from '../../src/core/optimize/instance.ts'
import { type AfterLoss, cutAt, type LossCut, rounded, toRow } from '../../src/core/optimize/lossCuts.ts'
import type { MixProblem } from '../../src/core/optimize/mix.ts'
import { buildProgram, usefulAfterLoss } from '../../src/core/optimize/program.ts'
import { engines } from './mixes.ts'
import { mixes } from './randomMixes.ts'

function prepared(problem: MixProblem) {
  const capacityAt = memoized()
  const instance = toInstance([{ ...problem, surviveReplicas: 1 }], problem.pools, capacityAt)
  const block = instance.blocks[0]
  if (block === undefined) throw new Error('no block')
  const sizing = sizingAt(new Map(), capacityAt)
  const mix = buildProgram(instance, sizing, new Set(block.variants.map(({ id }) => id)))
  const at = (index: number, counts: readonly number[]): AfterLoss => {
    const lost = block.variants[index % block.variants.length]
    if (lost === undefined) throw new Error('no variant')
    const left = block.variants.map((variant, i) => {
      const count = Math.min(counts[i] ?? 0, variant.max)
      return [variant.id, variant === lost ? Math.max(0, count - 1) : count] as const
    })
    const useful = usefulAfterLoss(block, lost, sizing)
    const known = new Map(left)
    return {
      block,
      lost: lost.id,
      left: (id) => (id === lost.id ? Math.min(useful, known.get(id) ?? 0) : (known.get(id) ?? 0)),
      short: () => 0,
    }
  }
  return { block, sizing, mix, at }
}

/** What the row of a cut still asks for at these counts. */
function asks(cut: LossCut, mix: ReturnType<typeof prepared>['mix'], after: AfterLoss): number {
  const row = toRow(cut, mix)
  if (row === undefined) throw new Error('the program does not know this loss')
  const left = mix.losses.find(({ variant }) => variant === after.lost)?.left
  const idOf = new Map([...mix.counts].map(([id, column]) => [column, id]))
  return row.entries.reduce((lacks, { column, coefficient }) => {
    const id = column === left ? after.lost : idOf.get(column)
    return id === undefined ? lacks : lacks - coefficient * after.left(id)
  }, row.lower)
}

const counts = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 4, maxLength: 4 })

/** Prices that are worth half: feasible, far from optimal. */
const halving: Engine = (program, limits) => {
  const answer = engines.small(program, limits)
  return answer.status === 'solved'
    ? { ...answer, values: answer.values.map((value) => value / 2), lowerBound: -1e9 }
    : answer
}

describe('a cut of a loss', () => {
  it.each([
    ['an honest engine', engines],
    ['an engine that is far from the optimum', { small: halving, large: halving }],
  ] as const)('never asks for more than the loss leaves uncarried, by %s', (_, using: Engines) => {
    let broken = 0
    fc.assert(
      fc.property(mixes, counts, counts, fc.nat(3), (problem, here, there, index) => {
        const { block, sizing, mix, at } = prepared(problem)
        if (block.classes.length === 0) return
        for (const weighing of ['equal', 'byRate'] as const) {
          const made = cutAt(at(index, here), weighing, sizing, using)
          const truth = cutAt(at(index, there), weighing, sizing, engines)
          if (made === undefined || truth === undefined) throw new Error('no answer')
          expect(asks(made.cut, mix, at(index, there))).toBeLessThanOrEqual(truth.uncarried + 1e-6)
          if (made.uncarried > 1e-6) broken++
          const stronger = rounded(made.cut, at(index, here), 0)
          if (stronger === undefined || truth.uncarried > 1e-9) continue
          expect(asks(stronger, mix, at(index, there))).toBeLessThanOrEqual(1e-6)
        }
      }),
      { numRuns: 400 },
    )
    expect(broken).toBeGreaterThan(50)
  })
})
