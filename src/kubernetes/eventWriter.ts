// Writes the Events of changed targets, in the background: at most one per ScaledObject and minute, a few a second in
// all, by one of several servers. What fails is dropped: an Event is a courtesy, never worth a queue without end.
import type { Decision } from '../core/decision.ts'
import { ApiError, describeFailure, type KubernetesApi } from './api.ts'
import { eventBody, type TargetChange, targetChanges, together } from './events.ts'
import { holdLease, type LeasePlace } from './lease.ts'
import { type AskedVariant, nameOf } from './scaledObjects.ts'
import { monotonicSeconds, type Timing } from './timing.ts'

export interface EventWriter {
  readonly decided: (decision: Decision, asked: readonly AskedVariant[]) => void
  readonly stop: () => void
}

interface EventWriterOptions {
  readonly api: KubernetesApi
  readonly timing: Timing
  readonly place: LeasePlace
  /** Seconds since the epoch. */
  readonly now: () => number
  readonly onHealth: (problem: string | undefined) => void
}

/** In one round of `timing.eventRoundSeconds`. */
const mostPerRound = 10

export function startEventWriter({ api, timing, place, now, onHealth }: EventWriterOptions): EventWriter {
  const stopped = new AbortController()
  const limits = { seconds: timing.requestSeconds, signal: stopped.signal }
  const waiting = new Map<string, TargetChange>()
  const toldAt = new Map<string, number>()
  let last: Decision | undefined
  let busy = false
  let healthy = true

  function tellHealth(problem: string | undefined): void {
    if (stopped.signal.aborted || (problem === undefined) === healthy) return
    healthy = problem === undefined
    onHealth(problem)
  }

  async function write(key: string, change: TargetChange): Promise<void> {
    toldAt.set(key, monotonicSeconds())
    const path = `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(change.object.namespace)}/events`
    try {
      await api.write('POST', path, eventBody(change, now(), place.identity), limits)
    } catch (error) {
      // The namespace or the object is about to go: nothing is wrong with us.
      if (!(error instanceof ApiError && error.status === 404)) throw error
    }
  }

  async function round(): Promise<void> {
    if (busy || waiting.size === 0) return
    busy = true
    try {
      const holding = await holdLease(api, place, now(), limits)
      const since = monotonicSeconds() - timing.eventPauseSeconds
      for (const [key, at] of toldAt) if (at <= since) toldAt.delete(key)
      if (holding === 'others') waiting.clear()
      const due = [...waiting].filter(([key]) => !toldAt.has(key)).slice(0, mostPerRound)
      for (const [key, change] of due) {
        waiting.delete(key)
        await write(key, change)
      }
      tellHealth(undefined)
    } catch (error) {
      waiting.clear()
      tellHealth(describeFailure(error))
    } finally {
      busy = false
    }
  }

  const timer = setInterval(() => void round(), timing.eventRoundSeconds * 1000)
  return {
    decided: (decision, asked) => {
      for (const change of targetChanges(last, decision, asked)) {
        const key = nameOf(change.object)
        const both = together(waiting.get(key), change)
        if (both === undefined) waiting.delete(key)
        else waiting.set(key, both)
      }
      last = decision
    },
    stop: () => {
      clearInterval(timer)
      stopped.abort()
    },
  }
}
