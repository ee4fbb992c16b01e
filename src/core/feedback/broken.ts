// How a class's SLO was kept within the window, as the engines' histograms show it: the share of requests beyond its
// bounds, beside the share that may be. Formulas: docs/MODEL.md, "Headroom feedback".
import { eventsPerSecond, type Histogram } from '../histogram.ts'
import type { Observation } from '../observation.ts'
import { type LatencyBound, type Role, serves, type TrafficClass, type Variant } from '../policy.ts'
import { isMissing, missing, type Reading } from '../reading.ts'

export interface Kept {
  /** 0..1: the share of requests that broke the SLO, at most: requests that broke two bounds count for both. */
  readonly broken: number
  /** 0..1: the share that may: what the goal leaves, or the percentile of a bound where that is stricter. */
  readonly allowed: number
  /** `some`: a bound cannot be read, and nothing says that it was kept. */
  readonly bounds: 'all' | 'some'
}

/** `attainment`: the share of requests that shall keep the SLO. Missing where no bound can be read. */
export function keptBy(
  trafficClass: TrafficClass,
  variants: readonly Variant[],
  observation: Observation,
  attainment: number,
): Reading<Kept> {
  const { serviceLevel } = trafficClass
  if (serviceLevel.kind !== 'interactive') return missing('notReported', 'work that has a deadline')
  const read = metrics.flatMap((metric): readonly Reading[] => {
    const bound = serviceLevel[metric]
    if (bound === undefined) return []
    const left: Role = metric === 'ttft' ? 'decode' : 'prefill'
    const histograms = variants
      .filter((variant) => variant.role !== left && serves(variant, trafficClass))
      .flatMap(({ id }) => observation.variants[id]?.[metric] ?? [])
    const late = lateOf(bound, histograms)
    return [isMissing(late) || metric !== 'itl' ? late : beyondAllowance(late, bound)]
  })
  const known = read.filter((one): one is number => !isMissing(one))
  if (known.length === 0) return read.find(isMissing) ?? missing('notReported', 'no bound')
  const broken = Math.min(
    1,
    known.reduce((sum, one) => sum + one, 0),
  )
  const goal = Math.max(attainment, serviceLevel.ttft?.percentile ?? 0, serviceLevel.tpot?.percentile ?? 0)
  return { broken, allowed: 1 - goal, bounds: known.length === read.length ? 'all' : 'some' }
}

const metrics = ['ttft', 'itl', 'tpot'] as const

/** A bound on each token is broken by the tokens beyond what its percentile allows: single slow ones break no request. */
function beyondAllowance(late: number, { percentile }: LatencyBound): number {
  return Math.max(0, late - (1 - percentile)) / percentile
}

/** Share of the events beyond the bound. */
function lateOf(bound: LatencyBound, readings: readonly Reading<Histogram>[]): Reading {
  const histograms = readings.filter((reading): reading is Histogram => !isMissing(reading))
  if (histograms.length === 0) return readings.find(isMissing) ?? missing('idle')
  const all = { events: 0, certain: 0, interpolated: 0, unsure: 0 }
  for (const histogram of histograms) {
    const late = lateEvents(histogram, bound.seconds)
    all.events += eventsPerSecond(histogram)
    all.certain += late.certain
    all.interpolated += late.interpolated
    all.unsure += late.unsure
  }
  if (!(all.events > 0)) return missing('idle')
  if (all.unsure <= coarseShare * all.events) return (all.certain + all.interpolated) / all.events
  return all.certain > 0
    ? all.certain / all.events
    : missing('notReported', `an edge of the histogram near ${bound.seconds} s`)
}

/** With more of the events in the bound's own bucket, a line through it says more about the bucket than about them. */
const coarseShare = 0.25

interface LateEvents {
  readonly certain: number
  /** Of those in the bound's own bucket. */
  readonly interpolated: number
  /** All of that bucket. */
  readonly unsure: number
}

/**
 * Linear inside the bound's bucket: where the density falls there, as it does in a tail, that counts too many as late,
 * which is the safe side.
 */
function lateEvents({ upperBounds, perSecond }: Histogram, seconds: number): LateEvents {
  let certain = 0
  let interpolated = 0
  let unsure = 0
  perSecond.forEach((rate, i) => {
    const lower = i === 0 ? 0 : (upperBounds[i - 1] ?? 0)
    const upper = upperBounds[i] ?? Number.POSITIVE_INFINITY
    if (lower >= seconds) certain += rate
    else if (upper === Number.POSITIVE_INFINITY) certain += rate
    else if (upper > seconds) {
      unsure = rate
      interpolated = (rate * (upper - seconds)) / (upper - lower)
    }
  })
  return { certain, interpolated, unsure }
}
