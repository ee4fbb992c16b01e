// The clairvoyant bound for one variant and one class, in whole replicas: docs/MODEL.md, "The clairvoyant bound". Once a
// missed request has a price, each replica decides for itself when to be on.

export interface LevelsProblem {
  readonly stepSeconds: number
  /** Requests per second, and what one replica carries of them, step by step. */
  readonly demand: Float64Array
  readonly capacity: Float64Array
  readonly costPerHour: number
  readonly startupSeconds: number
  readonly bounds: { readonly min: number; readonly max: number }
  /** eps: share of all requests that may be missed. */
  readonly allowedMisses: number
}

export interface LevelsBound {
  /** No schedule is cheaper. */
  readonly dollars: number
  /** The cheapest one found, in ready replicas; absent where the maximum is too few. */
  readonly schedule?: PricedSchedule
}

export interface PricedSchedule {
  readonly counts: readonly number[]
  readonly dollars: number
  readonly missedShare: number
}

/** Halvings of the price's bracket: 2^-30 of it. */
const halvings = 30

export function levelsBound(problem: LevelsProblem): LevelsBound {
  const { demand, stepSeconds, allowedMisses } = problem
  const requests = demand.reduce((sum, rate) => sum + rate * stepSeconds, 0)
  const missable = allowedMisses * requests
  const at = (price: number): Relaxed => relaxed(problem, price, requests, missable)
  const free = at(0)
  if (free.missed <= missable) return { dollars: free.dollars, schedule: free.priced }
  // With nothing to miss the price is beyond any bound: what is needed must be on.
  if (missable <= 0) {
    const forced = at(Number.POSITIVE_INFINITY)
    return forced.missed > 1e-9 * requests
      ? { dollars: forced.priced.dollars }
      : { dollars: forced.priced.dollars, schedule: forced.priced }
  }
  let low = 0
  let high = priceOfOne(problem)
  let bound = free.dollars
  let best: PricedSchedule | undefined
  for (let doublings = 0; doublings < 60; doublings++) {
    const tried = at(high)
    bound = Math.max(bound, tried.dollars)
    if (tried.missed <= missable) {
      best = tried.priced
      break
    }
    low = high
    high *= 2
  }
  for (let i = 0; i < halvings && best !== undefined; i++) {
    const price = (low + high) / 2
    const tried = at(price)
    bound = Math.max(bound, tried.dollars)
    if (tried.missed <= missable) {
      high = price
      if (tried.priced.dollars < best.dollars) best = tried.priced
    } else low = price
  }
  return best === undefined ? { dollars: bound } : { dollars: bound, schedule: best }
}

/** What a request costs on a replica that is always full. */
function priceOfOne({ costPerHour, capacity }: LevelsProblem): number {
  return costPerHour / 3600 / Math.max(1e-9, capacity[0] ?? 1)
}

interface Relaxed {
  /** L(mu). */
  readonly dollars: number
  readonly missed: number
  readonly priced: PricedSchedule
}

/** At an infinite price every replica that carries anything is on; L is then the cost itself. */
function relaxed(problem: LevelsProblem, price: number, requests: number, missable: number): Relaxed {
  const { demand, capacity, stepSeconds, bounds, costPerHour, startupSeconds } = problem
  const counts = new Array<number>(demand.length).fill(0)
  let lagrangian = Number.isFinite(price) ? price * (requests - missable) : 0
  for (let level = 1; level <= bounds.max; level++) {
    const path = cheapestPath(problem, level, price)
    if (path.on === 0) break
    lagrangian += path.cost
    for (let t = 0; t < counts.length; t++) counts[t] = (counts[t] ?? 0) + (path.states[t] ?? 0)
  }
  let missed = 0
  let dollars = 0
  counts.forEach((count, t) => {
    missed += stepSeconds * Math.max(0, (demand[t] ?? 0) - count * (capacity[t] ?? 0))
    const started = t === 0 ? 0 : Math.max(0, count - (counts[t - 1] ?? 0))
    dollars += (costPerHour / 3600) * (count * stepSeconds + started * startupSeconds)
  })
  const priced = { counts, dollars, missedShare: requests > 0 ? missed / requests : 0 }
  return { dollars: Number.isFinite(price) ? lagrangian : dollars, missed, priced }
}

interface Path {
  readonly cost: number
  /** Steps that are on. */
  readonly on: number
  readonly states: Uint8Array
}

/** Two states and a charge for switching on, backwards through the steps; of equals it is off. */
function cheapestPath(problem: LevelsProblem, level: number, price: number): Path {
  const { demand, capacity, stepSeconds, bounds, costPerHour, startupSeconds } = problem
  const steps = demand.length
  const perStep = (costPerHour / 3600) * stepSeconds
  const start = (costPerHour / 3600) * startupSeconds
  /** For each step: whether to be on having been off before, and having been on. */
  const fromOff = new Uint8Array(steps)
  const fromOn = new Uint8Array(steps)
  let off = 0
  let on = 0
  for (let t = steps - 1; t >= 0; t--) {
    const k = capacity[t] ?? 0
    const carried = Math.min(k, Math.max(0, (demand[t] ?? 0) - (level - 1) * k))
    const stay = level <= bounds.min ? Number.POSITIVE_INFINITY : off
    const run = runs(perStep, stepSeconds, carried, price) + on
    const starts = t === 0 ? run : run + start
    fromOff[t] = starts < stay ? 1 : 0
    fromOn[t] = run < stay ? 1 : 0
    off = Math.min(stay, starts)
    on = Math.min(stay, run)
  }
  const states = new Uint8Array(steps)
  let before = 0
  let count = 0
  for (let t = 0; t < steps; t++) {
    before = (before === 1 ? fromOn[t] : fromOff[t]) ?? 0
    states[t] = before
    count += before
  }
  return { cost: off, on: count, states }
}

/** A price beyond any bound is a large one that no cost outweighs, so that paths still compare. */
const beyondAny = 1e12

function runs(perStep: number, stepSeconds: number, carried: number, price: number): number {
  if (carried <= 0) return perStep
  return Number.isFinite(price) ? perStep - price * stepSeconds * carried : perStep - beyondAny
}
