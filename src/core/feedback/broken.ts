// How a class's SLO was kept within the window, as the engines' histograms show it: what was late beside what its
// percentile allows to be late. Formulas: docs/MODEL.md, "Headroom feedback".
import { eventsPerSecond, type Histogram } from '../histogram.ts'
import type { Observation } from '../observation.ts'
import { type LatencyBound, type Role, serves, type TrafficClass, type Variant } from '../policy.ts'
import { isMissing, missing, type Reading } from '../reading.ts'

export interface Kept {
  /** 0..1: the share of requests that broke the SLO: those late beyond what its percentile allows. */
  readonly broken: number
  /** Late over allowed to be late: 1 keeps the SLO with nothing to spare. */
  readonly spent: number
}

/** The worse of the bounds that can be read; missing where none can. */
export function keptBy(
  trafficClass: TrafficClass,
  variants: readonly Variant[],
  observation: Observation,
): Reading<Kept> {
  const { serviceLevel } = trafficClass
  if (serviceLevel.kind !== 'interactive') return missing('notReported', 'work that has a deadline')
  const of = (left: Role, metric: 'ttft' | 'itl'): Reading<Kept> => {
    const bound = serviceLevel[metric]
    if (bound === undefined) return missing('notReported', `no bound on ${metric}`)
    const histograms = variants
      .filter((variant) => variant.role !== left && serves(variant, trafficClass))
      .flatMap(({ id }) => observation.variants[id]?.[metric] ?? [])
    return within(bound, histograms)
  }
  const ttft = of('decode', 'ttft')
  const itl = of('prefill', 'itl')
  if (isMissing(ttft)) return serviceLevel.itl === undefined ? ttft : itl
  if (isMissing(itl)) return ttft
  return { broken: Math.max(ttft.broken, itl.broken), spent: Math.max(ttft.spent, itl.spent) }
}

function within(bound: LatencyBound, readings: readonly Reading<Histogram>[]): Reading<Kept> {
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
  if (all.unsure <= coarseShare * all.events)
    return keptAt(bound, (all.certain + all.interpolated) / all.events)
  const surely = keptAt(bound, all.certain / all.events)
  return surely.broken > 0
    ? surely
    : missing('notReported', `an edge of the histogram near ${bound.seconds} s`)
}

function keptAt({ percentile }: LatencyBound, late: number): Kept {
  const allowed = 1 - percentile
  return { broken: Math.max(0, late - allowed) / percentile, spent: late / allowed }
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
