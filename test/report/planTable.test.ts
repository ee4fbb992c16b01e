// The plan as a person and as a program read it.
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import type { Decision } from '../../src/core/decision.ts'
import { documentText } from '../../src/report/documentText.ts'
import { planDocument } from '../../src/report/planDocument.ts'
import { planTable } from '../../src/report/planTable.ts'

const decision: Decision = {
  at: 1_760_000_400,
  policies: [
    {
      id: 'chat/llama-70b',
      name: 'llama-70b',
      namespace: 'chat',
      model: 'meta-llama/Llama-3.3-70B-Instruct',
      status: 'shortfall',
      classes: [
        {
          id: 'chat/llama-70b/chat',
          name: 'chat',
          demand: 12.25,
          forecast: { missing: 'idle' },
          plannedFor: 13.475,
          shortfall: 1.2,
          headroom: { planned: 0.1, learnt: 0, broken: 0, verdict: 'kept' },
          workAhead: 1,
          attainment: { ttft: 0.991, itl: { missing: 'idle' } },
        },
      ],
      variants: [
        {
          id: 'chat/llama-70b/h100-tp4',
          name: 'h100-tp4',
          role: 'unified',
          replicas: { desired: 12, ready: 10, starting: 2, terminating: 0 },
          wanted: 13,
          target: 13,
          effective: 12,
          capacity: { chat: { kind: 'feasible', requestsPerSecond: 1.05, limitedBy: 'itl' } },
          speed: { missing: 'idle' },
          costPerReplicaHour: 12.4,
          reasons: [
            { kind: 'carries', class: 'chat', share: 0.91, perReplica: 1.05, limitedBy: 'itl' },
            { kind: 'poolFull', pool: 'h100', gpus: 52 },
          ],
        },
        {
          id: 'chat/llama-70b/l40s-tp8',
          name: 'l40s-tp8',
          role: 'unified',
          replicas: { missing: 'noSeries' },
          wanted: { missing: 'noSeries' },
          target: { missing: 'noSeries' },
          effective: { missing: 'noSeries' },
          capacity: { chat: { kind: 'infeasible', limitedBy: 'ttft', why: 'an idle replica needs 1.4 s' } },
          speed: { missing: 'idle' },
          costPerReplicaHour: 7.2,
          reasons: [{ kind: 'unknown', signal: 'replicas', missing: 'noSeries' }],
        },
      ],
      costPerHour: { now: 148.8, plan: 161.2, target: 161.2 },
      reasons: [{ kind: 'shortfall', class: 'chat', requestsPerSecond: 1.2 }],
    },
  ],
  costPerHour: { now: 148.8, plan: 161.2, target: 161.2 },
  warnings: ['pods of chat/llama-old belong to no variant'],
}

test('a wide terminal shows the reasons beside the numbers', () => {
  expect(`\n${planTable(decision, 120)}`).toMatchInlineSnapshot(`
    "
    Plan for 2025-10-09T09:00:00Z

    chat/llama-70b: shortfall (meta-llama/Llama-3.3-70B-Instruct)
      - 1.20 req/s of chat cannot be carried

    CLASS  DEMAND/S  PLANNED/S  SHORT/S  TTFT MET  ITL MET  NOTE
    chat       12.3       13.5     1.20    99.1 %        ?

    VARIANT    NOW  PLAN       TARGET  $/H NOW  $/H PLAN  LIMITED BY    WHY
    h100-tp4  10+2    13  13 (HPA 12)   148.80    161.20  ITL           carries 91 % of chat at 1.05 req/s per replica,
                                                                        limited by ITL; pool h100 has no more than 52 GPUs
    l40s-tp8     ?     ?            ?        ?         ?  cannot: TTFT  no target: replicas is missing (no such series)

    Cost: now $148.80/h, plan $161.20/h (+8 %)

    Warnings:
      - pods of chat/llama-old belong to no variant
    "
  `)
})

test('a narrow terminal shows the reasons below the numbers', () => {
  expect(`\n${planTable(decision, 72)}`).toMatchInlineSnapshot(`
    "
    Plan for 2025-10-09T09:00:00Z

    chat/llama-70b: shortfall (meta-llama/Llama-3.3-70B-Instruct)
      - 1.20 req/s of chat cannot be carried

    CLASS  DEMAND/S  PLANNED/S  SHORT/S  TTFT MET  ITL MET
    chat       12.3       13.5     1.20    99.1 %        ?

    VARIANT    NOW  PLAN       TARGET  $/H NOW  $/H PLAN  LIMITED BY
    h100-tp4  10+2    13  13 (HPA 12)   148.80    161.20  ITL
        carries 91 % of chat at 1.05 req/s per replica, limited by ITL; pool
        h100 has no more than 52 GPUs
    l40s-tp8     ?     ?            ?        ?         ?  cannot: TTFT
        no target: replicas is missing (no such series)

    Cost: now $148.80/h, plan $161.20/h (+8 %)

    Warnings:
      - pods of chat/llama-old belong to no variant
    "
  `)
})

test('no line is wider than the terminal', () => {
  for (const width of [72, 80, 100, 120, 200])
    for (const line of planTable(decision, width).split('\n')) expect(line.length).toBeLessThanOrEqual(width)
})

test('the same decision gives the same bytes', () => {
  const copy = structuredClone(decision)
  expect(planTable(copy, 100)).toBe(planTable(decision, 100))
  expect(documentText(planDocument(copy), 'json')).toBe(documentText(planDocument(decision), 'json'))
  expect(documentText(planDocument(copy), 'yaml')).toBe(documentText(planDocument(decision), 'yaml'))
})

test('JSON and YAML are the same document, and reasons carry their sentence', () => {
  expect(JSON.parse(documentText(planDocument(decision), 'json'))).toEqual(planDocument(decision))
  expect(parse(documentText(planDocument(decision), 'yaml'))).toEqual(planDocument(decision))
  expect(planDocument(decision)).toMatchObject({
    format: 'mixscaler-plan/1',
    time: '2025-10-09T09:00:00.000Z',
    policies: [{ reasons: [{ kind: 'shortfall', text: '1.20 req/s of chat cannot be carried' }] }],
  })
})

test('several policies end with what the fleet costs', () => {
  const [policy] = decision.policies
  if (policy === undefined) throw new Error('the decision has a policy')
  const two = {
    ...decision,
    policies: [policy, { ...policy, name: 'qwen' }],
    costPerHour: { now: 200, plan: 150, target: 150 },
  }
  expect(planTable(two, 100)).toContain('\nAll policies: now $200.00/h, plan $150.00/h (-25 %)\n')
})
