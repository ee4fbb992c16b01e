// The lowest constant rate that meets every deadline, earliest deadline first: the processor demand criterion (Baruah,
// Rosier, Howell 1990), solved for the rate. Worked: 3,600 requests due in 1 h and 3,600 more due in 1.5 h need
// max(3600/3600, 7200/5400) = 1.33 per second: the later deadline binds.

/** What waits at `at`, seconds since the epoch like all instants here. */
export interface Queue {
  readonly at: number
  /** By deadline. */
  readonly work: readonly DueWork[]
  /** How long before its deadline an engine has to begin a request. */
  readonly requestSeconds: number
}

export interface DueWork {
  readonly requests: number
  readonly dueAt: number
}

/** How fast the class can be served, in requests per second, if nothing more is ordered. */
export interface Supply {
  readonly ready: number
  /** The same once the replicas that start now are ready, and when that is. */
  readonly coming: number
  readonly comingInSeconds: number
  /** From ordering a replica now to its being ready. */
  readonly startupSeconds: number
}

/** Nothing is ordered to be done in less than this: what is overdue, or as good as due, is spread over it. */
const overdueDrainSeconds = 60

/** From one answer to the next, by default: so long may work wait before the rate knows of it. */
const tickSeconds = 15

/** Requests per second. Non-decreasing in any amount of work and, where nothing is served, in time. */
export function rateByDeadline({ at, work, requestSeconds }: Queue, supply: Supply): number {
  let requests = 0
  let rate = 0
  for (const lot of work) {
    requests += lot.requests
    rate = Math.max(rate, needed(requests, lot.dueAt - at - requestSeconds - tickSeconds, supply))
  }
  return rate
}

/** All that is past its deadline, and the oldest deadline of it. */
export function overdueWork({ at, work }: Queue): DueWork | undefined {
  const overdue = work.filter(({ dueAt }) => dueAt <= at)
  const [oldest] = overdue
  if (oldest === undefined) return undefined
  return { requests: overdue.reduce((sum, { requests }) => sum + requests, 0), dueAt: oldest.dueAt }
}

/**
 * Of the deadlines ahead, the one by which most requests are still undone when `carriedPerSecond` is all that is
 * ordered; undefined where less than one request is late. `requests` are the late ones.
 */
export function lostDeadline(
  { at, work, requestSeconds }: Queue,
  supply: Supply,
  carriedPerSecond: number,
): DueWork | undefined {
  let requests = 0
  let lost: DueWork | undefined
  for (const lot of work) {
    requests += lot.requests
    const late = requests - servedWithin(lot.dueAt - at - requestSeconds, carriedPerSecond, supply)
    if (lot.dueAt > at && late >= 1 && late > (lost?.requests ?? 0)) {
      lost = { requests: late, dueAt: lot.dueAt }
    }
  }
  return lost
}

/**
 * Requests served within `seconds` when `rate` is ordered now: what is ready serves until more comes, that until what is
 * ordered now has started.
 */
function servedWithin(seconds: number, rate: number, supply: Supply): number {
  const { ready, coming, comingInSeconds, startupSeconds } = supply
  const first = Math.max(0, Math.min(seconds, comingInSeconds, startupSeconds))
  const second = Math.max(0, Math.min(seconds, startupSeconds)) - first
  const third = Math.max(0, seconds) - first - second
  return Math.min(rate, ready) * first + Math.min(rate, coming) * second + rate * third
}

/**
 * The smallest rate whose `servedWithin` reaches `requests`. As a function of the rate that is concave and made of three
 * lines, so it is the largest of the three rates at which a line reaches them. What is ready goes on to the last tick.
 */
function needed(requests: number, seconds: number, supply: Supply): number {
  const { ready, coming, comingInSeconds, startupSeconds } = supply
  const untilMoreComes = ready * comingInSeconds
  const untilStarted = untilMoreComes + coming * (startupSeconds - comingInSeconds)
  return Math.max(
    over(requests, seconds),
    over(requests - untilMoreComes, seconds - comingInSeconds),
    over(requests - untilStarted, seconds - startupSeconds),
    Math.min(ready, requests / Math.max(seconds, tickSeconds)),
  )
}

function over(requests: number, seconds: number): number {
  return Math.max(0, requests) / Math.max(seconds, overdueDrainSeconds)
}
