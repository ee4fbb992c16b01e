// What a latency-tolerant class needs now: its waiting work, kept as lots with deadlines, turned into the lowest rate
// that still meets all of them.
import type { ClassSignals } from '../observation.ts'
import { isMissing, type Missing, missing, type Reading } from '../reading.ts'
import { type Queue, rateByDeadline, type Supply } from './deadlines.ts'
import { enter, type Ledger, type WorkLeft } from './ledger.ts'

export interface TolerantDemand {
  readonly requestsPerSecond: number
  readonly ledger: Ledger
  readonly queue: Queue
  readonly supply: Supply
  /** Of this class the engines work on so many requests per second: what has left the queue, as far as the plan sent it. */
  readonly servedPerSecond: number
}

/** One request of the class. */
export interface RequestSize {
  /** Mean; a backlog is counted in them, and prompts come on top. */
  readonly outputTokens: number
  /** How long the longest takes once an engine works on it. */
  readonly seconds: number
}

/** Missing where it is not known how much waits; the ledger then stays as it is. */
export function tolerantDemand(
  signals: ClassSignals,
  ledger: Ledger | undefined,
  completeWithinSeconds: number,
  size: RequestSize,
  supply: Supply,
  at: number,
): Reading<TolerantDemand> {
  const outputTokens = Math.max(1, size.outputTokens)
  const left = workLeft(signals, supply, outputTokens)
  if (isMissing(left)) return left
  const arriving = signals.requestsPerSecond ?? 0
  const entered = enter(
    ledger,
    // Beside a backlog the rate only tells how old the backlog is: unread, it is taken to be older.
    { at, arrivingPerSecond: isMissing(arriving) ? 0 : Math.max(0, arriving) * outputTokens, left },
    completeWithinSeconds,
  )
  const work = entered.lots.map(({ tokens, since }) => ({
    requests: tokens / outputTokens,
    dueAt: since + completeWithinSeconds,
  }))
  const queue = { at, work, requestSeconds: size.seconds }
  return {
    requestsPerSecond: rateByDeadline(queue, supply),
    ledger: entered,
    queue,
    supply,
    servedPerSecond: Math.min(supply.ready, entered.servedPerSecond / outputTokens),
  }
}

/** Arrivals alone do not say what is left of them: what the ready replicas carry of the class is taken as served. */
function workLeft(
  { requestsPerSecond, backlogTokens }: ClassSignals,
  supply: Supply,
  outputTokens: number,
): WorkLeft | Missing {
  if (backlogTokens !== undefined) {
    return isMissing(backlogTokens) ? backlogTokens : { kind: 'seen', tokens: Math.max(0, backlogTokens) }
  }
  if (requestsPerSecond === undefined) return missing('noSeries', 'neither a rate nor a backlog')
  if (isMissing(requestsPerSecond)) return requestsPerSecond
  return { kind: 'served', tokensPerSecond: supply.ready * outputTokens }
}
