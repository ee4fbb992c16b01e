// What a server does while it follows another one: it tells each tick once, never an older one, and reads its past meanwhile.
import { expect, test } from 'vitest'
import { follower } from '../../src/cli/following.ts'
import { policiesDigest } from '../../src/loop/digest.ts'
import { policyOf, policySetOf } from '../loop/values.ts'

const policies = policySetOf([policyOf()])
const never = new AbortController().signal

function stage() {
  const world = { now: 1017, whole: false, record: [] as readonly number[], answers: true }
  const told: number[] = []
  const asked: number[] = []
  const read: number[] = []
  const follow = follower(
    {
      clock: { now: () => world.now, sleep: async () => undefined },
      memory: { isWhole: () => world.whole, readMeanwhile: (_, at) => read.push(at) },
      record: async (at) => {
        asked.push(at)
        if (!world.answers) throw new Error('no answer')
        const targets = { 'chat/llama/h100': 3 }
        return world.record.map((each) => ({ at: each, policies: policiesDigest(policies), targets }))
      },
      tell: ({ at }) => told.push(at),
    },
    { intervalSeconds: 15, evaluationDelaySeconds: 2, sampleMaxAgeSeconds: 45 },
  )
  return { world, told, asked, read, follow: (at: number) => follow(policies, at, never) }
}

test('each tick of another server is told once, and its own past is read beside it', async () => {
  const { world, told, asked, read, follow } = stage()
  world.record = [1005]
  expect(await follow(1015)).toBe(1005)
  world.now = 1020
  expect(await follow(1015)).toBe(1005)
  world.record = [1020]
  expect(await follow(1020)).toBe(1020)
  expect(told).toEqual([1005, 1020])
  expect(asked).toEqual([1017, 1020, 1020])
  expect(read).toEqual([1015, 1015, 1020])
})

test('a server that decided last and is gone leaves what it decided, until the others have decided that tick', async () => {
  const { world, told, follow } = stage()
  world.record = [1005, 1020]
  await follow(1020)
  world.record = [1005]
  expect(await follow(1020)).toBe(1020)
  expect(told).toEqual([1020])
})

test('nobody is followed, and nothing begun, where nobody is on record or Prometheus does not answer', async () => {
  const { world, told, read, follow } = stage()
  expect(await follow(1015)).toBeUndefined()
  world.record = [1005]
  world.answers = false
  expect(await follow(1015)).toBeUndefined()
  expect([told, read]).toEqual([[], []])
})

test('nobody is asked once all of the past is there', async () => {
  const { world, told, asked, follow } = stage()
  world.record = [1005]
  world.whole = true
  expect(await follow(1015)).toBeUndefined()
  expect([told, asked]).toEqual([[], []])
})
