// What a server must know before it may decide: everything that it would know had it never stopped. A few ticks that were
// missed are decided anew; beyond them the past is read back.
import type { PolicySet } from '../core/policy.ts'
import type { State } from '../core/state.ts'
import {
  bounded,
  type CatchUpOptions,
  type CaughtUp,
  type PastPorts,
  type ReadPast,
  readPast,
  replay,
  replayTicks,
} from './readPast.ts'

interface CatchUpPorts extends PastPorts {
  /** Where somebody else reads the past. */
  readonly past?: ReadPast
}

export interface Question {
  readonly policies: PolicySet
  /** The tick that is to be decided next. */
  readonly at: number
  /** What is known after an earlier tick. */
  readonly known: Known | undefined
}

export interface Known {
  readonly state: State
  readonly decidedAt: number
  readonly policies: PolicySet
}

/** The state before the tick at `at`. Rejects where the signal aborts, with nothing else. */
export async function catchUp(
  question: Question,
  ports: CatchUpPorts,
  options: CatchUpOptions,
  signal: AbortSignal,
): Promise<CaughtUp> {
  const { known, policies, at } = question
  const previous = tickBefore(at, options.intervalSeconds)
  if (known !== undefined && known.policies === policies) {
    const { decidedAt, state } = known
    if (decidedAt >= previous) return { state, lost: [] }
    if (previous - decidedAt <= replayTicks(policies, options.intervalSeconds) * options.intervalSeconds) {
      const span = {
        from: decidedAt + options.intervalSeconds,
        until: previous,
        stepSeconds: options.intervalSeconds,
      }
      return bounded(state, 'missed ticks', ports, options, signal, (so, ended) =>
        replay(policies, so, span, ports, ended),
      )
    }
  }
  const caught = await (ports.past ?? inPlace(ports, options))(policies, previous, signal)
  // What is known is worth more than a past that cannot be read.
  return caught.lost.length > 0 && known !== undefined ? { ...caught, state: known.state } : caught
}

/** The last tick that is to be known before the one at `at`. */
export function tickBefore(at: number, intervalSeconds: number): number {
  return (Math.ceil(at / intervalSeconds) - 1) * intervalSeconds
}

function inPlace(ports: PastPorts, options: CatchUpOptions): ReadPast {
  return (policies, previous, signal) => readPast(policies, previous, ports, options, signal)
}
