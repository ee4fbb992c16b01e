// Stories on a time line: what the loop does when the world hangs, throws, repeats itself or turns back the clock.
import { expect, test } from 'vitest'
import type { Decision } from '../../src/core/decision.ts'
import { emptyState, type State } from '../../src/core/state.ts'
import { controlLoop, type LoopPorts, type TickReport } from '../../src/loop/tick.ts'
import { decisionOf, observationAt, policyOf, policySetOf } from './values.ts'
import { type VirtualClock, virtualClock } from './virtualClock.ts'

const policies = policySetOf([policyOf({ stalenessBudgetSeconds: 60 })])
const options = {
  intervalSeconds: 15,
  evaluationDelaySeconds: 0,
  observeDeadlineSeconds: 10,
  retrySeconds: 3,
}
const never = new AbortController().signal

interface World {
  readonly clock: VirtualClock
  readonly ports: LoopPorts
  readonly observed: number[]
  readonly published: Decision[]
  readonly reports: TickReport[]
  /** The state that each decision was given. */
  readonly states: State[]
}

/** A world in which all goes well: each decision remembers its own instant. */
function world(start: number, changes: Partial<LoopPorts> = {}): World {
  const clock = virtualClock(start)
  const observed: number[] = []
  const published: Decision[] = []
  const reports: TickReport[] = []
  const states: State[] = []
  const ports: LoopPorts = {
    clock,
    policies: async () => policies,
    observe: async (_, at) => {
      observed.push(at)
      return observationAt(at)
    },
    decide: async (_, state, { at }) => {
      states.push(state)
      return {
        decision: decisionOf(policies, at, 2),
        state: {
          ...emptyState,
          classes: { 'chat/llama/chat': { ledger: { at, lots: [], servedPerSecond: 0 } } },
        },
      }
    },
    catchUp: async ({ known }) => known?.state ?? emptyState,
    publish: ({ decision }) => published.push(decision),
    report: (report) => reports.push(report),
    ...changes,
  }
  return { clock, ports, observed, published, reports, states }
}

function outcomes(reports: readonly TickReport[]): string[] {
  return reports.map(({ at, outcome }) => `${at} ${outcome.kind}`)
}

/** Lets the loop run beside the test until it is stopped. */
function running(loop: { run: (signal: AbortSignal) => Promise<void> }) {
  const stop = new AbortController()
  const ended = loop.run(stop.signal)
  return async () => {
    stop.abort()
    await ended
  }
}

test('ticks are the multiples of the interval since the epoch, whenever the process started', async () => {
  const { clock, ports, reports } = world(1007)
  const stop = running(controlLoop(ports, options))
  await clock.advance(40)
  await stop()
  expect(outcomes(reports)).toEqual(['1005 published', '1020 published', '1035 published'])
})

test('each decision is given the state of the one before', async () => {
  const { ports, states } = world(1005)
  const loop = controlLoop(ports, options)
  await loop.tick(1005, never)
  await loop.tick(1020, never)
  expect(states).toEqual([
    emptyState,
    { ...emptyState, classes: { 'chat/llama/chat': { ledger: { at: 1005, lots: [], servedPerSecond: 0 } } } },
  ])
})

test('a tick asked for twice, even at once, is decided and published once', async () => {
  const { ports, published, observed } = world(1005)
  const loop = controlLoop(ports, options)
  const both = await Promise.all([loop.tick(1005, never), loop.tick(1005, never)])
  expect(both.map(({ outcome }) => outcome.kind)).toEqual(['published', 'repeated'])
  expect(observed).toEqual([1005])
  expect(published).toHaveLength(1)
})

test('ticks that overlap run one after the other, in order', async () => {
  const { ports, published } = world(1005)
  const loop = controlLoop(ports, options)
  await Promise.all([loop.tick(1005, never), loop.tick(1020, never), loop.tick(1035, never)])
  expect(published.map(({ at }) => at)).toEqual([1005, 1020, 1035])
})

test('while another server is followed nothing is looked at or decided, and soon it is seen whether that is over', async () => {
  const told = [990, 990, 1005, undefined]
  const { clock, ports, reports, observed, published, states } = world(1005, {
    follow: async () => told.shift(),
  })
  const stop = running(controlLoop(ports, options))
  await clock.advance(8)
  expect(reports.map(({ at, outcome }) => [at, outcome])).toEqual([
    [1005, { kind: 'followed', at: 990 }],
    [1005, { kind: 'followed', at: 990 }],
    [1005, { kind: 'followed', at: 1005 }],
  ])
  expect([observed, published]).toEqual([[], []])
  await clock.advance(3)
  await stop()
  expect(published.map(({ at }) => at)).toEqual([1005])
  expect(states).toEqual([emptyState])
})

test('another server is followed too where ticks that were missed could not be read back', async () => {
  let lost = false
  const { ports, published } = world(1005, {
    follow: async () => (lost ? 1005 : undefined),
    catchUp: async () => {
      lost = true
      return emptyState
    },
  })
  const { outcome } = await controlLoop(ports, options).tick(1005, never)
  expect(outcome).toEqual({ kind: 'followed', at: 1005 })
  expect(published).toEqual([])
})

test('an observation that hangs is aborted at its deadline, and the next tick goes on', async () => {
  let calls = 0
  let aborted = false
  const { clock, ports, reports, published } = world(1005, {
    observe: (_, at, signal) => {
      calls += 1
      if (calls > 1) return Promise.resolve(observationAt(at))
      signal.addEventListener('abort', () => {
        aborted = true
      })
      return new Promise(() => undefined)
    },
  })
  const stop = running(controlLoop(ports, options))
  // The first tick hangs ...
  await clock.advance(9)
  expect(reports).toEqual([])
  expect(aborted).toBe(false)
  // ... until its 10 s are over,
  await clock.advance(1)
  expect(aborted).toBe(true)
  expect(reports[0]?.outcome).toMatchObject({
    kind: 'failed',
    step: 'observe',
    error: { message: 'observing took longer than 10 s' },
  })
  // and 3 s later the same instant is tried again.
  await clock.advance(3)
  expect(outcomes(reports)).toEqual(['1005 failed', '1005 published'])
  expect(published.map(({ at }) => at)).toEqual([1005])
  await stop()
})

test('a failed tick is tried again soon, but never later than the next one', async () => {
  const { clock, ports, reports } = world(1018, {
    observe: async () => {
      throw new Error('connection refused')
    },
  })
  const stop = running(controlLoop(ports, options))
  await clock.advance(8)
  await stop()
  // 1018, then the grid at 1020, then every 3 s.
  expect(outcomes(reports)).toEqual(['1005 failed', '1020 failed', '1020 failed', '1020 failed'])
})

test('a decision that throws leaves the last one and its state standing', async () => {
  let broken = false
  const { ports, published, states } = world(1005)
  const loop = controlLoop(
    {
      ...ports,
      decide: (...question) => {
        if (broken) return Promise.reject(new Error('no decision within 10 s'))
        return ports.decide(...question)
      },
    },
    options,
  )
  await loop.tick(1005, never)
  broken = true
  const failed = await loop.tick(1020, never)
  expect(failed.outcome).toMatchObject({ kind: 'failed', step: 'decide' })
  expect(published.map(({ at }) => at)).toEqual([1005])
  broken = false
  await loop.tick(1035, never)
  expect(states.at(-1)?.classes).toEqual({
    'chat/llama/chat': { ledger: { at: 1005, lots: [], servedPerSecond: 0 } },
  })
})

test('a clock that jumps ahead skips ticks; nothing is made up for', async () => {
  const { clock, ports, reports } = world(1005)
  const stop = running(controlLoop(ports, options))
  await clock.advance(1)
  clock.set(5000)
  await clock.advance(15)
  await stop()
  expect(outcomes(reports)).toEqual(['1005 published', '5010 published'])
})

test('a clock set back a little repeats ticks until it has caught up', async () => {
  const { clock, ports, reports } = world(1035)
  const stop = running(controlLoop(ports, options))
  await clock.advance(1)
  clock.set(1005)
  await clock.advance(45)
  await stop()
  expect(outcomes(reports)).toEqual([
    '1035 published',
    '1005 repeated',
    '1020 repeated',
    '1035 repeated',
    '1050 published',
  ])
})

test('a clock set back further than any staleness budget begins anew, as a restart does', async () => {
  const { ports, reports, states } = world(9000)
  const loop = controlLoop(ports, options)
  await loop.tick(9000, never)
  await loop.tick(1005, never)
  expect(outcomes(reports)).toEqual(['9000 published', '1005 published'])
  expect(states.at(-1)).toEqual(emptyState)
})

test('stopping in the middle of an observation ends the loop at once', async () => {
  const { clock, ports, reports } = world(1005, { observe: () => new Promise(() => undefined) })
  const stop = running(controlLoop(ports, options))
  await clock.advance(2)
  await stop()
  expect(outcomes(reports)).toEqual(['1005 failed'])
})

test('a report says how long the tick and its steps took', async () => {
  const { clock, ports } = world(1005)
  const loop = controlLoop(
    {
      ...ports,
      observe: async (_, at, signal) => {
        await clock.sleep(2, signal)
        return observationAt(at)
      },
    },
    options,
  )
  const ticked = loop.tick(1005, never)
  await clock.advance(2)
  expect((await ticked).seconds).toEqual({ whole: 2, observe: 2, decide: 0 })
})

test('a tick runs the evaluation delay after the instant that it looks at', async () => {
  const { clock, ports, reports } = world(1006)
  const stop = running(controlLoop(ports, { ...options, evaluationDelaySeconds: 2 }))
  await clock.advance(0.5)
  expect(outcomes(reports)).toEqual(['990 published'])
  await clock.advance(1)
  expect(outcomes(reports)).toEqual(['990 published', '1005 published'])
  await stop()
})

test('what is known, and under which policies, is asked to be brought up to the tick before each decision', async () => {
  const asked: unknown[] = []
  const { ports, states } = world(1005)
  const caught: State = { ...emptyState, variants: { v: { target: 4, plannedAt: 990 } } }
  const loop = controlLoop(
    {
      ...ports,
      catchUp: async ({ at, known }) => {
        asked.push([at, known?.decidedAt, known?.policies])
        return caught
      },
    },
    options,
  )
  await loop.tick(1005, never)
  await loop.tick(1050, never)
  expect(asked).toEqual([
    [1005, undefined, undefined],
    [1050, 1005, policies],
  ])
  expect(states).toEqual([caught, caught])
})

test('where nothing can be observed there is nothing to catch up for', async () => {
  const { ports, reports } = world(1005, {
    observe: () => Promise.reject(new Error('Prometheus answers no query')),
    catchUp: () => Promise.reject(new Error('asked for the past')),
  })
  await controlLoop(ports, options).tick(1005, never)
  expect(reports[0]?.outcome).toMatchObject({ kind: 'failed', step: 'observe' })
})
