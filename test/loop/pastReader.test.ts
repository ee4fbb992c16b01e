// A past read in a thread of its own: what is known early, what is known in the end, and a thread that fails on the way.
import { describe, expect, it } from 'vitest'
import { emptyState } from '../../src/core/state.ts'
import { readInWorker } from '../../src/loop/pastReader.ts'
import { policySetOf } from './values.ts'

function read(does: string | Promise<string>) {
  const asides: unknown[] = []
  const reading = readInWorker<string, string>(
    { policies: policySetOf([]), previous: 60, facts: Promise.resolve(does) },
    {
      entry: new URL('./workers/past.ts', import.meta.url),
      settings: 'settings',
      memoryLimitMebibytes: 64,
      told: (aside) => asides.push(aside),
    },
  )
  return { reading, asides }
}

describe('the reader of the past', () => {
  it('tells what the first decision needs before it tells all, and what it was asked by', async () => {
    const { reading, asides } = read('reads')
    expect(await reading.latest).toMatchObject({ policies: { latest: { since: 60 } } })
    expect(await reading.whole).toMatchObject({ state: { policies: { whole: { since: 60 } } }, lost: [] })
    expect(asides).toEqual(['settings'])
  })

  it('has lost all of the past where it crashes, and nobody waits for ever', async () => {
    const { reading } = read('crashes')
    expect(await reading.latest).toBeUndefined()
    expect(await reading.whole).toEqual({
      state: emptyState,
      lost: ['the past: the reader crashed: no such past'],
    })
  })

  it('has lost all of the past where what is to be told beside it cannot be had', async () => {
    const { reading } = read(Promise.reject(new Error('no such cluster')))
    expect(await reading.latest).toBeUndefined()
    expect((await reading.whole).lost).toEqual(['the past: no such cluster'])
  })

  it('ends when it is told to', async () => {
    const { reading } = read('hangs')
    reading.stop()
    expect(await reading.whole).toEqual({ state: emptyState, lost: ['the past: the reader ended'] })
  })
})
