// A past that takes long holds up no decision for long; what was decided without it is decided anew once it is there.
import { describe, expect, it } from 'vitest'
import { patientRememberer } from '../../src/cli/remembering.ts'
import type { Decided } from '../../src/core/decide.ts'
import type { Observation } from '../../src/core/observation.ts'
import { nothingDecided } from '../../src/core/observe/ownSeries.ts'
import { instantsOf } from '../../src/core/span.ts'
import { emptyState, type State } from '../../src/core/state.ts'
import type { Clock } from '../../src/loop/clock.ts'
import type { CaughtUp } from '../../src/loop/readPast.ts'
import { decisionOf, observationAt, policyOf, policySetOf } from '../loop/values.ts'

const policies = policySetOf([policyOf()])
const never = new AbortController().signal
const stateOf = (name: string): State => ({ ...emptyState, policies: { [name]: { seen: [], since: 0 } } })

/** Time stands still, but for patience that is to run out at once. */
function clockOf(patience: 'endless' | 'none', now: () => number): Clock {
  return {
    now,
    sleep: (seconds, signal) =>
      patience === 'none' && seconds < 5
        ? Promise.resolve()
        : new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
  }
}

function stage(patience: 'endless' | 'none', history: 'auto' | 'off' = 'auto') {
  const whole = Promise.withResolvers<CaughtUp>()
  const said: string[] = []
  const replayed: number[] = []
  const read: number[] = []
  const world = { now: 0, answers: true }
  const memory = patientRememberer(
    {
      clock: clockOf(patience, () => world.now),
      eyes: {
        history,
        observePast: async (_, span) => {
          if (!world.answers) throw new Error('no answer')
          return instantsOf(span).map(observationAt)
        },
        lastDecided: async () => nothingDecided,
      },
      decide: async (set, state, { at }: Observation): Promise<Decided> => {
        replayed.push(at)
        return { decision: decisionOf(set, at, 1), state }
      },
      read: (_, previous) => {
        read.push(previous)
        return {
          latest: Promise.resolve(stateOf('latest')),
          whole: whole.promise,
          stop: () => said.push('stopped'),
        }
      },
      rests: (on) => said.push(on),
      progress: () => undefined,
      lost: (text) => said.push(text),
    },
    { intervalSeconds: 15 },
  )
  return { ...memory, whole, said, replayed, read, world }
}

describe('a server that remembers', () => {
  it('waits for all of its past where that comes in time', async () => {
    const { remember, isWhole, whole, said } = stage('endless')
    whole.resolve({ state: stateOf('whole'), lost: [] })
    expect(await remember({ policies, at: 150, known: undefined }, never)).toEqual(stateOf('whole'))
    expect(said).toEqual(['allOfThePast'])
    expect([isWhole(policies), isWhole(policySetOf([policyOf()]))]).toEqual([true, false])
  })

  it('decides with the last hour where it does not, says so, and decides anew what came since', async () => {
    const { remember, whole, said, replayed } = stage('none')
    const first = await remember({ policies, at: 150, known: undefined }, never)
    expect(first).toEqual(stateOf('latest'))
    expect(said).toEqual(['not read back: days before the last hour, so far', 'someOfThePast'])
    const known = (decidedAt: number) => ({ state: first, decidedAt, policies })
    expect(await remember({ policies, at: 165, known: known(150) }, never)).toBe(first)
    whole.resolve({ state: stateOf('whole'), lost: [] })
    await Promise.resolve()
    expect(await remember({ policies, at: 180, known: known(165) }, never)).toEqual(stateOf('whole'))
    expect(replayed).toEqual([150, 165])
    expect(said.at(-1)).toBe('allOfThePast')
  })

  it('stays with what it knows where the rest cannot be read, and goes on saying so', async () => {
    const { remember, whole, said } = stage('none')
    const first = await remember({ policies, at: 150, known: undefined }, never)
    whole.resolve({ state: emptyState, lost: ['the history of demand: HTTP status 503'] })
    await Promise.resolve()
    const known = { state: first, decidedAt: 150, policies }
    expect(await remember({ policies, at: 165, known }, never)).toBe(first)
    expect(said.at(-1)).toBe('not read back: the history of demand: HTTP status 503')
    expect(said).not.toContain('allOfThePast')
  })

  it('says that missed ticks are lost to it, and reads all of the past anew beside its decisions', async () => {
    const { remember, whole, said, read, world } = stage('endless')
    whole.resolve({ state: stateOf('whole'), lost: [] })
    const first = await remember({ policies, at: 150, known: undefined }, never)
    world.answers = false
    const missed = { state: first, decidedAt: 150, policies }
    expect(await remember({ policies, at: 180, known: missed }, never)).toBe(first)
    expect(said.slice(-2)).toEqual(['not read back: missed ticks: no answer', 'someOfThePast'])
    expect(read).toEqual([135]) // not at once again
    world.answers = true
    world.now = 60
    await remember({ policies, at: 195, known: { ...missed, decidedAt: 180 } }, never)
    expect(read).toEqual([135, 180])
    const healed = await remember({ policies, at: 210, known: { ...missed, decidedAt: 195 } }, never)
    expect(healed).toEqual(stateOf('whole'))
    expect(said.at(-1)).toBe('allOfThePast')
  })

  it('begins anew under other policies, and gives up what it was reading', async () => {
    const { remember, said } = stage('none')
    await remember({ policies, at: 150, known: undefined }, never)
    const known = { state: stateOf('before'), decidedAt: 150, policies }
    const state = await remember({ policies: policySetOf([policyOf()]), at: 165, known }, never)
    expect(state).toEqual(stateOf('before'))
    expect(said).toContain('stopped')
  })

  it('reads while another server is followed, and then decides on all of it what came since', async () => {
    const { remember, isWhole, readMeanwhile, whole, said, replayed, read } = stage('endless')
    for (const at of [150, 165]) {
      expect(isWhole(policies)).toBe(false)
      readMeanwhile(policies, at, never)
    }
    expect(read).toEqual([135])
    whole.resolve({ state: stateOf('whole'), lost: [] })
    await Promise.resolve()
    expect(isWhole(policies)).toBe(true)
    expect(await remember({ policies, at: 180, known: undefined }, never)).toEqual(stateOf('whole'))
    expect(replayed).toEqual([150, 165])
    expect(said).toEqual(['allOfThePast'])
    expect(isWhole(policies)).toBe(true)
  })

  it('goes on from the last hour where nobody is left to follow, and does not begin to read anew', async () => {
    const { remember, readMeanwhile, isWhole, said, replayed, read } = stage('none')
    readMeanwhile(policies, 150, never)
    expect(await remember({ policies, at: 180, known: undefined }, never)).toEqual(stateOf('latest'))
    expect(replayed).toEqual([150, 165])
    expect(read).toEqual([135])
    expect(said).toEqual(['not read back: days before the last hour, so far'])
    expect(isWhole(policies)).toBe(false)
  })

  it('says what was lost while another server is followed, and reads it anew after a minute', async () => {
    const { readMeanwhile, isWhole, whole, said, read, world } = stage('none')
    readMeanwhile(policies, 150, never)
    whole.resolve({ state: emptyState, lost: ['the history of demand: HTTP status 503'] })
    await Promise.resolve()
    expect(isWhole(policies)).toBe(false)
    expect(said).toEqual(['not read back: the history of demand: HTTP status 503'])
    readMeanwhile(policies, 165, never)
    expect(read).toEqual([135])
    world.now = 60
    readMeanwhile(policies, 210, never)
    expect(read).toEqual([135, 195])
  })

  it('reads under the policies in force, whatever was under way for others', async () => {
    const { readMeanwhile, isWhole, whole, said, read } = stage('none')
    readMeanwhile(policies, 150, never)
    const others = policySetOf([policyOf()])
    readMeanwhile(others, 165, never)
    expect(read).toEqual([135, 150])
    expect(said).toEqual(['stopped'])
    whole.resolve({ state: stateOf('whole'), lost: [] })
    await Promise.resolve()
    expect([isWhole(policies), isWhole(others)]).toEqual([false, true])
  })

  it('has nothing to say of a past that is not to be read', async () => {
    const { remember, isWhole, said } = stage('endless', 'off')
    expect(isWhole(policies)).toBe(true)
    expect(await remember({ policies, at: 150, known: undefined }, never)).toBe(emptyState)
    expect(said).toEqual(['allOfThePast'])
  })
})
