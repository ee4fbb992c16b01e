import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Observation } from '../../src/core/observation.ts'
import { observe } from '../../src/core/observe/observe.ts'
import { defaultObserveOptions, queryPlan } from '../../src/core/observe/queries.ts'
import type { Answer, QueryId, Row } from '../../src/core/observe/series.ts'
import { labelled, owner, patterned, policySet } from './policies.ts'

const policies = policySet(
  { variants: [owner('a'), labelled('b'), patterned('c', 'c-.*')] },
  { name: 'two', servedNames: ['qwen'], variants: [labelled('b', 'b')] },
)
const plan = queryPlan(policies, defaultObserveOptions)

const value = fc.oneof(fc.double(), fc.constantFrom(0, 1, 2, Number.NaN, Number.POSITIVE_INFINITY, -1))
const parts = plan.queries.flatMap((query) => query.parts.map(({ name }) => name))
const label = fc.constantFrom('', 'a', 'b', 'chat/llama/c', 'x"')
const row: fc.Arbitrary<Row> = fc.record({
  labels: fc.record(
    {
      namespace: fc.constantFrom('chat', 'batch'),
      model_name: fc.constantFrom('llama-70b', 'qwen', 'other'),
      mixscaler_workload: label,
      mixscaler_variant: label,
      llm_d_ai_variant: label,
      mixscaler_part: fc.constantFrom(...parts),
      le: fc.constantFrom('0.1', '1.0', '5', '+Inf', '', 'x', '1e999'),
      num_gpu_blocks: fc.constantFrom('None', '100', '-3', '1e5'),
      block_size: fc.constantFrom('16', '0', ''),
    },
    { requiredKeys: [] },
  ),
  value,
})
const answer: fc.Arbitrary<Answer> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('rows' as const), rows: fc.array(row, { maxLength: 12 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'failed', why: 'no answer' } as const) },
)
const answers = fc.record(
  Object.fromEntries(plan.queries.map(({ id }) => [id, answer])) as Record<QueryId, typeof answer>,
  { requiredKeys: [] },
)

function numbersIn(observation: Observation): readonly (readonly [string, number])[] {
  const inside = (name: string, value: unknown): readonly (readonly [string, number])[] => {
    if (typeof value === 'number') return [[name, value]]
    if (typeof value !== 'object' || value === null) return []
    return Object.values(value).flatMap((inner) => inside(name, inner))
  }
  return Object.values(observation.variants).flatMap((signals) =>
    Object.entries(signals).flatMap(([name, reading]) => inside(name, reading)),
  )
}

it('no answer makes the mapper throw, or leaves a number that is not finite, or a negative one but for growth', () => {
  fc.assert(
    fc.property(answers, (given) => {
      const all = new Map(Object.entries(given)) as ReadonlyMap<QueryId, Answer>
      const observation = observe(policies, plan, all, { at: 1_760_000_000, classAnswers: [] })
      expect(Object.keys(observation.variants)).toHaveLength(4)
      for (const [name, number] of numbersIn(observation)) {
        expect(Number.isFinite(number), name).toBe(true)
        if (name !== 'inSystemGrowthPerSecond') expect(number, name).toBeGreaterThanOrEqual(0)
      }
      expect(JSON.parse(JSON.stringify(observation))).toEqual(observation)
    }),
    { numRuns: 1500 },
  )
})

it('equal answers in another order of rows are the same observation', () => {
  const whole = fc.integer({ min: 0, max: 9 })
  const rows = fc.array(fc.tuple(row, whole).map(([{ labels }, value]) => ({ labels, value })))
  fc.assert(
    fc.property(rows, (list) => {
      const seen = (ordered: readonly Row[]) =>
        observe(policies, plan, new Map([['gauges', { kind: 'rows', rows: ordered }]]), {
          at: 0,
          classAnswers: [],
        })
      expect(seen([...list].reverse())).toEqual(seen(list))
    }),
  )
})
