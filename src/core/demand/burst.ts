// How bursty the arrivals of a class are, as an index of dispersion: the variance of counts over seconds against that of a
// Poisson process of the same rate. From differences of neighbouring windows, so that a trend is no burst, in four steps,
// so that noise costs no new capacity (docs/MODEL.md, "Burstiness").
import type { Observation, ShortRate } from '../observation.ts'
import { serves, type TrafficClass, type Variant } from '../policy.ts'
import { isMissing, missing, type Reading } from '../reading.ts'
import { isDue } from './turns.ts'

export interface BurstMemory {
  /** Oldest first. */
  readonly rates: readonly RateAt[]
  /** One of `steps`, and when it was chosen; absent until there are enough rates. */
  readonly dispersion?: number
  readonly chosenAt?: number
}

interface RateAt extends ShortRate {
  readonly at: number
}

export interface Burstiness {
  readonly memory: BurstMemory
  /** For the capacity model: bounded, in steps. */
  readonly dispersion: number
  /** What was measured, where it is beyond what the model covers. */
  readonly untrusted?: {
    readonly dispersion: number
    readonly seconds: number
    /** The rate that 95 % of requests arrive below, over such windows. */
    readonly requestsPerSecond: number
  }
}

/** Twenty minutes of ticks. */
const mostRates = 80
/** Under these the estimate says little: its relative error is sqrt(3 / rates). */
const fewestRates = 40
const steps = [1, 2, 4] as const
/** Above the last step by half a step: 4 sqrt 2. Sizing by the index is up to seven times too optimistic there. */
const trustedUpTo = 5.66

/** Of squared normal deviates, the largest twentieth is left out: a jump of the rate is no burst. The rest averages 0.721. */
const keptShare = 0.95
const keptMean = 0.721

export function burstiness(
  trafficClass: TrafficClass,
  reading: Reading<ShortRate>,
  before: BurstMemory | undefined,
  at: number,
): Burstiness {
  const memory = chosen(trafficClass, entered(before ?? { rates: [] }, reading, at), at)
  const measured = dispersionOf(memory.rates)
  const step = memory.dispersion ?? steps[0]
  if (measured === undefined || measured <= trustedUpTo || step < steps[2])
    return { memory, dispersion: step }
  const seconds = meanOf(memory.rates.map((rate) => rate.seconds))
  const untrusted = { dispersion: measured, seconds, requestsPerSecond: highRate(memory.rates) }
  return { memory, dispersion: step, untrusted }
}

/** Of each class, with this instant's arrivals. */
export function burstsOf(
  classes: readonly TrafficClass[],
  seen: readonly Variant[],
  observation: Observation,
  before: (trafficClass: TrafficClass) => BurstMemory | undefined,
): ReadonlyMap<TrafficClass, Burstiness> {
  return new Map(
    classes.map((trafficClass) => {
      const rate = arrivingNow(trafficClass, seen, observation)
      return [trafficClass, burstiness(trafficClass, rate, before(trafficClass), observation.at)]
    }),
  )
}

/** What tells of a class's arrivals over seconds: its gateway, or the first tokens of the engines it enters. */
export function arrivingNow(
  trafficClass: TrafficClass,
  seen: readonly Variant[],
  observation: Observation,
): Reading<ShortRate> {
  switch (trafficClass.demand.kind) {
    case 'query':
      return missing('notReported', 'arrivals over seconds')
    case 'gateway': {
      const gateway = observation.classes[trafficClass.id]?.gateway ?? missing('noSeries', 'the gateway')
      return isMissing(gateway) ? gateway : gateway.arrivingNow
    }
    case 'engine': {
      let requestsPerSecond = 0
      const windows: number[] = []
      for (const variant of seen) {
        if (variant.role === 'decode' || !serves(variant, trafficClass)) continue
        const rate = observation.variants[variant.id]?.arrivingNow
        if (rate === undefined || isMissing(rate)) continue
        requestsPerSecond += rate.requestsPerSecond
        windows.push(rate.seconds)
      }
      if (windows.length === 0) return missing('notReported', 'arrivals over seconds')
      return { requestsPerSecond, seconds: meanOf(windows) }
    }
  }
}

/** Overlapping windows count the same arrivals twice: the next one begins where the last one ended. */
function entered(memory: BurstMemory, reading: Reading<ShortRate>, at: number): BurstMemory {
  const last = memory.rates.at(-1)
  if (isMissing(reading) || (last !== undefined && at - last.at < reading.seconds)) return memory
  return { ...memory, rates: [...memory.rates.slice(1 - mostRates), { at, ...reading }] }
}

function chosen({ id }: TrafficClass, memory: BurstMemory, at: number): BurstMemory {
  const { rates, chosenAt } = memory
  if (rates.length < fewestRates || (chosenAt !== undefined && !isDue(id, at, chosenAt))) return memory
  const measured = dispersionOf(rates)
  if (measured === undefined) return memory
  const dispersion = steps.findLast((step) => measured >= step / Math.SQRT2) ?? steps[0]
  return { rates, dispersion, chosenAt: at }
}

/** I = mean of (r' - r)^2 T / 2 over mean r, for windows of T seconds; at least 1. Undefined where nothing arrived. */
export function dispersionOf(rates: readonly ShortRate[]): number | undefined {
  const mean = meanOf(rates.map(({ requestsPerSecond }) => requestsPerSecond))
  if (rates.length < fewestRates || !(mean > 0)) return undefined
  const squares = rates.slice(1).map(({ requestsPerSecond, seconds }, i) => {
    const before = rates[i]?.requestsPerSecond ?? requestsPerSecond
    return ((requestsPerSecond - before) ** 2 * seconds) / 2
  })
  const kept = squares.sort((x, y) => x - y).slice(0, Math.ceil(keptShare * squares.length))
  return Math.max(1, meanOf(kept) / keptMean / mean)
}

/** Weighted by arrivals: most requests of bursty traffic come while it is high. */
function highRate(rates: readonly ShortRate[]): number {
  const sorted = rates.map(({ requestsPerSecond }) => requestsPerSecond).sort((x, y) => x - y)
  const all = sorted.reduce((sum, rate) => sum + rate, 0)
  let sum = 0
  for (const rate of sorted) {
    sum += rate
    if (sum >= 0.95 * all) return rate
  }
  return sorted.at(-1) ?? 0
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
