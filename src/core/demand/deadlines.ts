// The lowest constant rate that meets every deadline, earliest deadline first: the processor demand criterion (Baruah,
// Rosier, Howell 1990), solved for the rate. Worked: 3,600 requests due in 1 h and 3,600 more due in 1.5 h need
// max(3600/3600, 7200/5400) = 1.33 per second: the later deadline binds.

export interface DueWork {
  readonly requests: number
  /** Seconds since the epoch. */
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

export interface RateByDeadline {
  readonly requestsPerSecond: number
  /** Of the deadlines ahead, the one that needs the highest rate. */
  readonly binding?: BindingDeadline
  readonly overdue?: DueWork
}

export interface BindingDeadline {
  readonly dueAt: number
  readonly requestsPerSecond: number
  /** How long that rate has to last. */
  readonly servingSeconds: number
}

/** Nothing is ordered to be done in less than this: what is overdue, or as good as due, is spread over it. */
export const overdueDrainSeconds = 60

/** How often the rate is asked for: what is already served that fast goes on until it is done. */
export const tickSeconds = 15

/**
 * `work` is sorted by deadline; `marginSeconds` is how long before its deadline a request has to leave the queue.
 * Non-decreasing in any amount of work and, where nothing is served, in time.
 */
export function rateByDeadline(
  work: readonly DueWork[],
  at: number,
  marginSeconds: number,
  supply: Supply,
): RateByDeadline {
  let requests = 0
  let requestsPerSecond = 0
  let binding: BindingDeadline | undefined
  let overdue: DueWork | undefined
  for (const lot of work) {
    requests += lot.requests
    const need = needed(requests, lot.dueAt - at - marginSeconds, supply)
    requestsPerSecond = Math.max(requestsPerSecond, need.requestsPerSecond)
    if (lot.dueAt <= at) overdue = { requests, dueAt: overdue?.dueAt ?? lot.dueAt }
    else if (need.requestsPerSecond > (binding?.requestsPerSecond ?? 0)) {
      binding = { dueAt: lot.dueAt, ...need }
    }
  }
  return {
    requestsPerSecond,
    ...(binding === undefined ? {} : { binding }),
    ...(overdue === undefined ? {} : { overdue }),
  }
}

/** Requests that miss the deadline when only this many per second are carried. */
export function lateRequests(binding: BindingDeadline, carriedPerSecond: number): number {
  return Math.max(0, binding.requestsPerSecond - carriedPerSecond) * binding.servingSeconds
}

type Need = Omit<BindingDeadline, 'dueAt'>

/**
 * The smallest r with min(r, ready) C + min(r, coming) (S - C) + r (T - S) >= W, for W requests within T seconds, C until what
 * starts now is ready and S until what is ordered now is. The left side is concave in r and made of three lines, so r is
 * the largest of the three rates at which a line reaches W.
 */
function needed(requests: number, seconds: number, supply: Supply): Need {
  const { ready, coming, comingInSeconds, startupSeconds } = supply
  const servedFirst = ready * comingInSeconds
  const servedBefore = servedFirst + coming * Math.max(0, startupSeconds - comingInSeconds)
  const later = [
    over(requests, seconds),
    over(requests - servedFirst, seconds - comingInSeconds),
    over(requests - servedBefore, seconds - startupSeconds),
  ]
  const asOrdered = later.reduce((x, y) => (y.requestsPerSecond > x.requestsPerSecond ? y : x))
  const servingSeconds = Math.max(seconds, tickSeconds)
  const asServed = { requestsPerSecond: Math.min(ready, requests / servingSeconds), servingSeconds }
  return asServed.requestsPerSecond > asOrdered.requestsPerSecond ? asServed : asOrdered
}

function over(requests: number, seconds: number): Need {
  const servingSeconds = Math.max(seconds, overdueDrainSeconds)
  return { requestsPerSecond: Math.max(0, requests) / servingSeconds, servingSeconds }
}
