// The journal on a real disk: what it holds comes out again byte for byte, its size is bounded, and no disk stops the loop.
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decide } from '../../src/core/decide.ts'
import { missing } from '../../src/core/reading.ts'
import { emptyState, type State } from '../../src/core/state.ts'
import { createTools } from '../../src/core/tools.ts'
import { type Journal, openJournal } from '../../src/loop/journal.ts'
import { type PlacedText, type Replayed, replayJournal } from '../../src/loop/replayJournal.ts'
import type { DecidedTick } from '../../src/loop/tick.ts'
import { loadEngines } from '../../src/solvers/engines.ts'
import { blind, observe, policy, policySet, signals, tools, variant } from '../decide/world.ts'

const fleet = policySet([policy([variant('h100'), variant('spare', { costPerHour: 4.1 })])])
const other = policySet([policy([variant('h100', { replicas: { min: 2, max: 9 } })])])
const fresh = createTools(await loadEngines())

let directory: string
let file: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mixscaler-journal-'))
  file = join(directory, 'journal')
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Ticks of 15 s with these demands; `from` is what is known before them. */
function ticks(
  demands: readonly number[],
  set = fleet,
  begun = 1_790_000_000,
  from: State = emptyState,
): DecidedTick[] {
  let before = from
  return demands.map((demand, i) => {
    const at = begun + i * 15
    const spare = demand > 100 ? blind(missing('stale')) : signals(1, demand / 3)
    const observation = observe(at, { h100: signals(2, (2 * demand) / 3), spare })
    const decided = decide(set, before, observation, tools)
    const tick = { ...decided, policies: set, before, observation }
    before = decided.state
    return tick
  })
}

const faults: string[] = []
function opened(changes: { readonly maxBytes?: number; readonly files?: number } = {}): Journal {
  faults.length = 0
  return openJournal(
    { file, maxBytes: 2 ** 20, files: 3, version: '1.2.3', ...changes },
    { failed: (why) => faults.push(why), written: () => undefined },
  )
}

async function written(journal: Journal, some: readonly DecidedTick[]): Promise<void> {
  for (const tick of some) {
    journal.record(tick)
    await journal.close()
  }
}

function lines(): PlacedText[] {
  return ['.2', '.1', ''].flatMap((age) =>
    existsSync(file + age)
      ? readFileSync(file + age, 'utf8')
          .split('\n')
          .map((text, index) => ({ file: `journal${age}`, line: index + 1, text }))
      : [],
  )
}

async function replayed(some = lines()): Promise<Replayed> {
  async function* all() {
    yield* some
  }
  return replayJournal(all(), (policies, state, observation) => decide(policies, state, observation, fresh))
}

describe('the journal', () => {
  it('comes out byte for byte, whatever happened', async () => {
    const demand = fc.double({ min: 0, max: 150, noNaN: true })
    await fc.assert(
      fc.asyncProperty(fc.array(demand, { minLength: 1, maxLength: 12 }), async (demands) => {
        rmSync(file, { force: true })
        await written(opened(), ticks(demands))
        expect(await replayed()).toMatchObject({ decisions: demands.length, cutShort: 0, writers: ['1.2.3'] })
        expect((await replayed()).difference).toBeUndefined()
      }),
      { numRuns: 8, examples: [[[2e-323, 3.5e-323, 0]], [[20, 140, 20]]] },
    )
  })

  it('says who wrote it, under which policies, and follows a change of both', async () => {
    const before = ticks([10, 20])
    await written(opened(), [...before, ...ticks([20, 30], other, 1_790_000_030, before[1]?.state)])
    await written(opened(), ticks([5, 6], other, 1_790_000_600))
    const found = await replayed()
    expect(found).toMatchObject({ decisions: 6, from: 1_790_000_000, until: 1_790_000_615 })
    expect(found.policies.map(({ ids }) => ids)).toEqual([['chat/llama'], ['chat/llama']])
    expect(new Set(found.policies.map(({ digest }) => digest)).size).toBe(2)
  })

  it('writes a state only where it does not follow from the tick before', async () => {
    await written(opened(), ticks([10, 20, 30, 40]))
    const kinds = lines()
      .filter(({ text }) => text !== '')
      .map(({ text }) => JSON.parse(text).kind)
    expect(kinds).toEqual(['writer', 'policies', 'state', 'tick', 'tick', 'tick', 'tick'])
  })

  it('names the first decision that differs, where, and what stands there', async () => {
    await written(opened(), ticks([10, 20, 30]))
    const forged = lines().map((placed, index) =>
      index === 4 ? { ...placed, text: placed.text.replace(/"target":\d+/, '"target":77') } : placed,
    )
    expect(await replayed(forged)).toMatchObject({
      decisions: 1,
      difference: {
        file: 'journal',
        line: 5,
        at: 1_790_000_015,
        path: 'policies[0].variants[0].target',
        journal: '77',
        replay: expect.stringMatching(/^\d$/),
      },
    })
    const lost = lines().filter((_, index) => index !== 4)
    expect((await replayed(lost)).difference).toMatchObject({ line: 6, path: 'state before' })
  })

  it('is rotated before a file grows too large, and the oldest file goes', async () => {
    const some = ticks(Array.from({ length: 30 }, (_, i) => i * 3))
    const maxBytes = 30_000
    await written(opened({ maxBytes }), some)
    const sizes = ['', '.1', '.2', '.3'].map((age) =>
      existsSync(file + age) ? statSync(file + age).size : 0,
    )
    expect(sizes[3]).toBe(0)
    for (const size of sizes.slice(0, 3)) {
      expect(size).toBeGreaterThan(0)
      expect(size).toBeLessThanOrEqual(maxBytes)
    }
    const found = await replayed()
    expect(found.difference).toBeUndefined()
    expect(found.until).toBe(some.at(-1)?.decision.at)
    expect(found.decisions).toBeLessThan(30)
    expect(found.decisions).toBeGreaterThan(3)
  })

  it('goes on after a writer that was killed in the middle of a line', async () => {
    const some = ticks([10, 20, 30, 40])
    await written(opened(), some.slice(0, 2))
    appendFileSync(file, '{"kind":"tick","at":1790')
    expect(await replayed()).toMatchObject({ decisions: 2, cutShort: 1 })
    await written(opened(), some.slice(2))
    const found = await replayed()
    expect(found).toMatchObject({ decisions: 4, cutShort: 1 })
    expect(found.difference).toBeUndefined()
  })

  it('does not take damage in the middle for an end', async () => {
    await written(opened(), ticks([10, 20, 30]))
    const damaged = lines().map((placed, index) =>
      index === 4 ? { ...placed, text: placed.text.slice(9) } : placed,
    )
    expect((await replayed(damaged)).difference).toEqual({
      file: 'journal',
      line: 5,
      path: 'not JSON, or cut short',
    })
  })

  it('costs lines where the disk cannot be written, and goes on once it can', async () => {
    mkdirSync(file)
    const some = ticks([10, 20, 30])
    const journal = opened()
    await written(journal, some.slice(0, 2))
    expect(faults).toHaveLength(2)
    expect(faults[0]).toMatch(/EISDIR/)
    rmSync(file, { recursive: true })
    await written(journal, some.slice(2))
    expect(faults).toHaveLength(2)
    expect(await replayed()).toMatchObject({ decisions: 1 })
  })

  it('drops ticks rather than pile them up before a slow disk', async () => {
    const journal = opened()
    for (const tick of ticks([10, 20, 30, 40, 50, 60])) journal.record(tick)
    await journal.close()
    expect(faults).toEqual(['the disk is slower than the ticks', 'the disk is slower than the ticks'])
    const found = await replayed()
    expect(found).toMatchObject({ decisions: 4 })
    expect(found.difference).toBeUndefined()
  })

  it('refuses what is not a journal, and one of another format', async () => {
    writeFileSync(file, 'apples\npears\n')
    expect((await replayed()).difference).toMatchObject({ line: 1, path: 'not JSON, or cut short' })
    writeFileSync(file, '{"kind":"writer","format":"mixscaler-journal/9","version":"9"}\n{"kind":"state"}\n')
    expect((await replayed()).difference).toMatchObject({
      path: 'format is "mixscaler-journal/9": this version reads "mixscaler-journal/1"',
    })
  })
})
