// StreamIsActive on a time line: a clock that is moved by hand, a reader that takes what it is given or not.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ActivityStream, streamActivity } from '../../src/grpc/activity.ts'
import { type Answer, refusal } from '../../src/grpc/answers.ts'
import type { Clock } from '../../src/grpc/clock.ts'
import type { IsActiveResponse } from '../../src/grpc/protocol.ts'

const pace = { heartbeatMilliseconds: 10_000, minIntervalMilliseconds: 1_000, maxAgeMilliseconds: 3_600_000 }

type State = 'active' | 'inactive' | 'unavailable' | 'gone'

function answerOf(state: State): Answer<IsActiveResponse> {
  switch (state) {
    case 'unavailable':
      return refusal('UNAVAILABLE', 'nothing has been decided yet')
    case 'gone':
      return refusal('PERMISSION_DENIED', 'no such policy')
    default:
      return { kind: 'answer', value: { result: state === 'active' } }
  }
}

interface Timer {
  readonly at: number
  readonly callback: () => void
}

function scene(first: State) {
  let now = 0
  let state = first
  let reader: 'reads' | 'stuck' = 'reads'
  let pending: (() => void) | undefined
  let ended = 0
  const timers = new Set<Timer>()
  const listeners = new Set<() => void>()
  const sent: string[] = []
  const clock: Clock = {
    now: () => now,
    after: (milliseconds, callback) => {
      const timer = { at: now + milliseconds, callback }
      timers.add(timer)
      return () => timers.delete(timer)
    },
  }
  const stream: ActivityStream = streamActivity(
    {
      ask: () => answerOf(state),
      subscribe: (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
    {
      write: ({ result }, written) => {
        expect(pending).toBeUndefined()
        sent.push(`${now / 1_000}s ${result}`)
        if (reader === 'reads') written()
        else pending = written
      },
      end: () => {
        ended += 1
      },
    },
    pace,
    clock,
  )
  const advanceTo = (seconds: number): void => {
    for (;;) {
      const due = [...timers].filter((timer) => timer.at <= seconds * 1_000).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      now = Math.max(now, due.at)
      timers.delete(due)
      due.callback()
    }
    now = seconds * 1_000
  }
  return {
    sent,
    stream,
    /** A decision at this second. */
    decide: (seconds: number, next: State) => {
      advanceTo(seconds)
      state = next
      for (const listener of [...listeners]) listener()
    },
    read: (seconds: number, next: 'reads' | 'stuck') => {
      advanceTo(seconds)
      reader = next
      const written = pending
      if (reader === 'reads' && written !== undefined) {
        pending = undefined
        written()
      }
    },
    advanceTo,
    ended: () => ended,
    held: () => ({ timers: timers.size, listeners: listeners.size }),
    state: () => state,
  }
}

describe('streamActivity', () => {
  it('says the current state at once, each change, and active again every ten seconds', () => {
    const { sent, decide, advanceTo } = scene('inactive')
    decide(30, 'active')
    decide(45, 'active') // nothing new: the beats at 40 s and 50 s stand
    decide(52, 'inactive')
    advanceTo(100)
    expect(sent).toEqual(['0s false', '30s true', '40s true', '50s true', '52s false'])
  })

  it('sends no more than one message a second, and the latest state in the end', () => {
    const { sent, decide, advanceTo } = scene('active')
    decide(0.2, 'inactive')
    decide(0.4, 'active')
    decide(0.6, 'inactive') // due at 1 s
    decide(1.5, 'active') // due at 2 s
    decide(1.7, 'inactive') // and by then nothing to say
    advanceTo(5)
    expect(sent).toEqual(['0s true', '1s false'])
  })

  it('says nothing while the state is not known, and goes on when it is', () => {
    const { sent, decide, advanceTo } = scene('unavailable')
    decide(5, 'active')
    decide(7, 'unavailable') // the beat at 15 s stays away
    decide(40, 'active')
    advanceTo(45)
    expect(sent).toEqual(['5s true', '40s true'])
  })

  it('tells a slow reader the latest state once it reads again, not the history', () => {
    const { sent, decide, read, advanceTo } = scene('inactive')
    read(1, 'stuck')
    decide(2, 'active')
    for (let second = 3; second < 60; second += 1) decide(second, second % 2 === 0 ? 'active' : 'inactive')
    decide(60, 'inactive')
    read(61, 'reads')
    advanceTo(90)
    expect(sent).toEqual(['0s false', '2s true', '61s false'])
  })

  it('ends cleanly when the policy is gone, after an hour, and on request, and holds nothing afterwards', () => {
    const endings: ((stage: ReturnType<typeof scene>) => void)[] = [
      (stage) => stage.decide(5, 'gone'),
      (stage) => stage.advanceTo(3_600),
      (stage) => stage.stream.end(),
    ]
    for (const ending of endings) {
      const stage = scene('active')
      ending(stage)
      stage.stream.end()
      expect(stage.ended()).toBe(1)
      expect(stage.held()).toEqual({ timers: 0, listeners: 0 })
    }
  })

  it('holds nothing and writes nothing once the client has left', () => {
    const stage = scene('active')
    stage.stream.release()
    stage.decide(1, 'inactive')
    stage.advanceTo(4_000)
    expect(stage.sent).toEqual(['0s true'])
    expect(stage.ended()).toBe(0)
    expect(stage.held()).toEqual({ timers: 0, listeners: 0 })
  })

  it('keeps its pace, never guesses and arrives at the truth, whatever happens in whatever order', () => {
    const event = fc.tuple(
      fc.integer({ min: 1, max: 4_000 }),
      fc.constantFrom<State | 'reads' | 'stuck'>('active', 'inactive', 'unavailable', 'reads', 'stuck'),
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const stage = scene('unavailable')
        let milliseconds = 0
        for (const [step, what] of events) {
          milliseconds += step
          const before = stage.sent.length
          if (what === 'reads' || what === 'stuck') stage.read(milliseconds / 1_000, what)
          else stage.decide(milliseconds / 1_000, what)
          if (stage.state() === 'unavailable' && what !== 'unavailable')
            expect(stage.sent.length).toBe(before)
        }
        stage.read(milliseconds / 1_000, 'reads')
        stage.decide(milliseconds / 1_000, 'inactive')
        stage.advanceTo(milliseconds / 1_000 + 2)
        expect(stage.sent.at(-1)).toMatch(/false$/)
        const times = stage.sent.map((line) => Number.parseFloat(line) * 1_000)
        for (const [i, time] of times.entries()) {
          if (i > 0) expect(time - (times[i - 1] ?? 0)).toBeGreaterThanOrEqual(999.999)
        }
      }),
    )
  })
})
