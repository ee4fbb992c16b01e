// When StreamIsActive says something: at once, on a change, and again every `heartbeat` while active, because
// KEDA drops a `true` that comes before the HPA is known. Each `true` costs the API server work, so never more
// than one per `minInterval`; a reader that lags gets the latest state, not the history.
import type { Answer } from './answers.ts'
import type { Clock } from './clock.ts'
import type { IsActiveResponse } from './protocol.ts'

export interface Pace {
  readonly heartbeatMilliseconds: number
  readonly minIntervalMilliseconds: number
  /** The stream then ends cleanly and KEDA opens a new one, perhaps on another server. */
  readonly maxAgeMilliseconds: number
}

interface ActivitySink {
  /** `written` is called when the reader has room again. */
  readonly write: (response: IsActiveResponse, written: () => void) => void
  /** Ends with OK. */
  readonly end: () => void
}

interface ActivityQuestion {
  readonly ask: () => Answer<IsActiveResponse>
  readonly subscribe: (listener: () => void) => () => void
}

export interface ActivityStream {
  /** Ends the stream with OK. */
  readonly end: () => void
  /** The stream is gone: frees timers and subscription. */
  readonly release: () => void
}

export function streamActivity(
  question: ActivityQuestion,
  sink: ActivitySink,
  pace: Pace,
  clock: Clock,
): ActivityStream {
  let sent: { readonly active: boolean; readonly at: number } | undefined
  let state: 'idle' | 'writing' | 'over' = 'idle'
  let cancelTimer = (): void => undefined

  const consider = (): void => {
    cancelTimer()
    if (state !== 'idle') return
    const answer = question.ask()
    if (answer.kind === 'refusal') {
      // Not known now: say nothing, the next decision wakes us. Not there any more: end, the poll says why.
      if (answer.code === 'PERMISSION_DENIED') end()
      return
    }
    const active = answer.value.result
    const wait = dueAt(sent, active, pace) - clock.now()
    if (wait <= 0) send(active)
    else if (wait < Number.POSITIVE_INFINITY) cancelTimer = clock.after(wait, consider)
  }

  const send = (active: boolean): void => {
    state = 'writing'
    sent = { active, at: clock.now() }
    sink.write({ result: active }, () => {
      if (state !== 'writing') return
      state = 'idle'
      consider()
    })
  }

  const release = (): void => {
    state = 'over'
    cancelTimer()
    cancelAge()
    unsubscribe()
  }

  const end = (): void => {
    if (state === 'over') return
    release()
    sink.end()
  }

  const cancelAge = clock.after(pace.maxAgeMilliseconds, end)
  const unsubscribe = question.subscribe(consider)
  consider()
  return { end, release }
}

/** When the next message may go out; infinite where there is nothing to say until something changes. */
function dueAt(sent: { active: boolean; at: number } | undefined, active: boolean, pace: Pace): number {
  if (sent === undefined) return Number.NEGATIVE_INFINITY
  if (sent.active !== active) return sent.at + pace.minIntervalMilliseconds
  return active ? sent.at + pace.heartbeatMilliseconds : Number.POSITIVE_INFINITY
}
