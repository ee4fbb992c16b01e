// Decisions in a real worker thread, and what is left when the worker is not.
import { afterEach, expect, test } from 'vitest'
import { emptyState, type State } from '../../src/core/state.ts'
import { type Decider, decideInWorker } from '../../src/loop/decider.ts'
import { decisionOf, observationAt, policyOf, policySetOf } from './values.ts'

const policies = policySetOf([policyOf()])
const deciders: Decider[] = []

afterEach(async () => {
  for (const decider of deciders.splice(0)) await decider.close()
})

function decider(limitSeconds: number) {
  const lost: string[] = []
  const started = decideInWorker({
    entry: new URL('./workers/answering.ts', import.meta.url),
    limitSeconds,
    memoryLimitMebibytes: 64,
    lost: (why) => lost.push(why),
  })
  deciders.push(started)
  const decide = (at: number, order?: string) =>
    started.decide(policies, emptyState, {
      ...observationAt(at),
      warnings: order === undefined ? [] : [order],
    })
  return { started, lost, decide, close: started.close }
}

test('a worker decides what this thread would decide', async () => {
  const { decide } = decider(20)
  expect(await decide(1005)).toEqual({ decision: decisionOf(policies, 1005, 2), state: emptyState })
})

test('what the worker holds already counts as if it were told again, and only while it holds it', async () => {
  const { started } = decider(20)
  const told = (target: number): State => ({ ...emptyState, variants: { v: { target, plannedAt: 1 } } })
  const ask = async (state: State, order?: string) => {
    const warnings = order === undefined ? [] : [order]
    return (await started.decide(policies, state, { ...observationAt(1005), warnings })).state
  }
  const first = await ask(told(1))
  expect(first).toEqual(told(1))
  expect(await ask(first)).toEqual(told(1)) // held by the worker
  expect(await ask(told(2))).toEqual(told(2))
  const third = await ask(told(3))
  await expect(ask(third, 'throw')).rejects.toThrow()
  expect(await ask(third)).toEqual(told(3)) // dropped when it failed
  const last = await ask(third)
  await expect(ask(last, 'exit')).rejects.toThrow()
  expect(await ask(last)).toEqual(told(3)) // a worker that knows nothing
})

test('a decision that throws fails its tick; the worker lives on', async () => {
  const { decide, lost } = decider(20)
  await expect(decide(1005, 'throw')).rejects.toThrow('an invariant is broken')
  await expect(decide(1020)).resolves.toMatchObject({ decision: { at: 1020 } })
  expect(lost).toEqual([])
})

test('a worker that hangs is ended at the limit and replaced', async () => {
  const { decide, lost } = decider(3)
  await expect(decide(1005, 'hang')).rejects.toThrow('no decision within 3 s')
  expect(lost).toEqual(['the worker hung'])
  await expect(decide(1020)).resolves.toMatchObject({ decision: { at: 1020 } })
})

test('a worker that dies while deciding fails its tick and is replaced', async () => {
  const { decide, lost } = decider(20)
  await expect(decide(1005, 'exit')).rejects.toThrow('the worker ended before it answered')
  await expect(decide(1020)).resolves.toMatchObject({ decision: { at: 1020 } })
  expect(lost).toEqual(['the worker ended'])
})

test('a worker that eats its memory is ended before the process is', async () => {
  const { decide, lost } = decider(20)
  await expect(decide(1005, 'hoard')).rejects.toThrow(/memory/)
  await expect(decide(1020)).resolves.toMatchObject({ decision: { at: 1020 } })
  expect(lost).toHaveLength(1)
})

test('closing ends the worker, and that is no loss', async () => {
  const { decide, close, lost } = decider(20)
  await decide(1005)
  await close()
  expect(lost).toEqual([])
})
