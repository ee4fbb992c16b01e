// How long the requests of a class are: from its gateway's or the engines' histograms, else as last seen, else as the policy
// assumes. Read anew only now and then, so that sampling noise neither moves the plan nor costs a new capacity.
import type { LengthBin, Shape } from '../capacity/question.ts'
import { assumedLengths, lengthsToCome } from '../capacity/shape.ts'
import { eventsPerSecond, type Lately, type LengthHistogram, mean, variance } from '../histogram.ts'
import type { Observation, VariantSignals } from '../observation.ts'
import { type Role, serves, type TrafficClass, type Variant } from '../policy.ts'
import { isMissing, type Reading } from '../reading.ts'
import { type Answering, answeringAt, clockOf, enterAnswering } from './answering.ts'
import { asArrived } from './ended.ts'
import { isDue } from './turns.ts'
import { type Longer, longerBy } from './unfinished.ts'
import { enterWork, type WorkAt, workOf } from './workAhead.ts'

/** Bins per histogram: twelve lose under a percent of capacity against the full sample (docs/MODEL.md). */
const binCount = 12

/** A shape stands for a turn, as long as the window it is read over, unless the work per request moves by more than this and than chance. */
const materialChange = 0.05

/** What surely is no chance, however few the requests. */
const largeChange = 0.1

export interface ClassShape {
  readonly shape: Shape
  readonly origin: 'observed' | 'assumed'
  /** When the shape was read; absent for an assumed one. */
  readonly readAt?: number
  /** That it was read from; absent where that is not told. */
  readonly requests?: number
  /** What work a request was lately, as often as lengths were read anew; absent for assumed ones. */
  readonly works?: readonly WorkAt[]
  /** What was answered lately; absent before any was. */
  readonly answering?: readonly Answering[]
}

/** `stated`: the policy's variants, of which those in sight are `seen`. */
export function classShape(
  trafficClass: TrafficClass,
  stated: readonly Variant[],
  seen: readonly Variant[],
  observation: Observation,
  remembered: ClassShape | undefined,
): ClassShape {
  const known: ClassShape = remembered ?? { shape: assumedShape(trafficClass), origin: 'assumed' }
  const answering = enterAnswering(known.answering ?? [], answeringAt(trafficClass, seen, observation))
  const kept = answering.length === 0 ? known : { ...known, answering }
  const now = observedShape(trafficClass, seen, observation, answering)
  if (now === undefined) return kept
  const { shape, requests } = now
  const { at } = observation
  if (known.readAt !== undefined) {
    const due = isDue(trafficClass.id, at, known.readAt)
    if (!due && !differs(shape, known.shape, noticed(requests))) return kept
  }
  const serving = stated.filter((variant) => serves(variant, trafficClass))
  const works = enterWork(known.works ?? [], at, workOf(shape, serving))
  return {
    ...{ shape, origin: 'observed', readAt: at, works },
    ...(Number.isFinite(requests) ? { requests } : {}),
    ...(answering.length === 0 ? {} : { answering }),
  }
}

/** A standard error of a mean whose spread is as large as itself, as most lengths' is about. */
function noticed(requests: number): number {
  return Math.min(largeChange, Math.max(materialChange, 1 / Math.sqrt(requests)))
}

interface ObservedShape {
  readonly shape: Shape
  /** That it is read from. */
  readonly requests: number
}

function observedShape(
  trafficClass: TrafficClass,
  seen: readonly Variant[],
  observation: Observation,
  answering: readonly Answering[],
): ObservedShape | undefined {
  const serving = seen.filter((variant) => serves(variant, trafficClass))
  const signalsOf = (roles: readonly Role[]): readonly VariantSignals[] =>
    serving
      .filter((variant) => roles.includes(variant.role))
      .flatMap((variant) => observation.variants[variant.id] ?? [])
  // A decode engine counts transferred prompts as its own, and a prefill engine emits one token per request.
  const entrances = signalsOf(['unified', 'prefill'])
  const exits = signalsOf(['unified', 'decode'])
  // A gateway tells the lengths of one class; engines mix all that they serve.
  const gateway = observation.classes[trafficClass.id]?.gateway
  const told = gateway === undefined || isMissing(gateway) ? undefined : gateway
  const promptTokens =
    merged(told === undefined ? [] : [told.promptTokens]) ??
    merged(entrances.map((signals) => signals.promptTokens))
  const outputTokens =
    merged(told === undefined ? [] : [told.outputTokens]) ??
    merged(exits.map((signals) => signals.outputTokens))
  if (promptTokens === undefined || outputTokens === undefined) return undefined
  const clock = clockOf(answering)
  const arrived = asArrived(outputTokens, clock)
  // What a gateway tells is of one class, what engines hold is of all that they serve.
  const unfinished = told === undefined ? longerBy(arrived, clock) : undefined
  const prompts = asOfLate(promptTokens)
  const { outputs, asSureAs } = asOfNow(arrived, unfinished)
  return {
    shape: {
      promptTokens: lengthsToCome(prompts, binCount, requestsIn(prompts)),
      outputTokens: lengthsToCome(outputs, binCount, requestsIn(outputs)),
      prefixHitRate: prefixHitRate(entrances),
    },
    requests: Math.min(requestsIn(prompts), requestsIn(outputs), asSureAs),
  }
}

function requestsIn(histogram: LengthHistogram): number {
  return eventsPerSecond(histogram) * (histogram.seconds ?? Number.POSITIVE_INFINITY)
}

/** How far the last minute must lie from what chance makes of so many requests, in standard errors. */
const surelyChanged = 3

/**
 * Lengths change at once, and minutes of the old ones hide it. Where the mean of the last minute differs from that of the
 * window by more than chance, and by what matters, all lengths are taken to have changed by as much.
 */
function asOfLate(histogram: LengthHistogram): LengthHistogram {
  const { lately, upperBounds, perSecond } = histogram
  const [usual, spread] = [mean(histogram), variance(histogram)]
  if (lately === undefined || usual === undefined || spread === undefined) return histogram
  if (!(lately.eventsPerSecond > 0 && usual > 0)) return histogram
  const now = lately.sumPerSecond / lately.eventsPerSecond
  const chance = surelyChanged * Math.sqrt(spread / (lately.eventsPerSecond * lately.seconds))
  if (!(Math.abs(now - usual) > Math.max(chance, materialChange * Math.max(now, usual)))) return histogram
  const factor = now / usual
  const events = eventsPerSecond(histogram)
  return {
    upperBounds: upperBounds.map((bound) => bound * factor),
    perSecond: perSecond.map((rate) => (rate * lately.eventsPerSecond) / events),
    sumPerSecond: lately.sumPerSecond,
    seconds: lately.seconds,
  }
}

/** Capacities are worked out anew only for each so large a step. */
const driftStep = 0.01

interface Outputs {
  readonly outputs: LengthHistogram
  /** The mean is as sure as that of so many requests, of a spread as large as it. */
  readonly asSureAs: number
}

/** How far mean answers drift from what they were in the window, in the logarithm: 12 % from ten minutes to the next in ServeGen's traces. */
const usualDrift = 0.08

/**
 * The lengths of the window drawn out, or in, by what the last minute and what is being answered say, each as far as its
 * standard error lets it: the mean of normal estimates.
 */
function asOfNow(arrived: LengthHistogram, unfinished: Longer | undefined): Outputs {
  const estimates = [lastMinute(arrived), unfinished].filter((one) => one !== undefined)
  const weight = estimates.reduce((sum, { error }) => sum + error ** -2, usualDrift ** -2)
  const log = estimates.reduce((sum, each) => sum + each.log * each.error ** -2, 0) / weight
  const factor = Math.exp(Math.round(log / driftStep) * driftStep)
  const outputs = {
    ...arrived,
    upperBounds: arrived.upperBounds.map((bound) => bound * factor),
    sumPerSecond: arrived.sumPerSecond * factor,
  }
  return { outputs, asSureAs: estimates.length === 0 ? Number.POSITIVE_INFINITY : weight }
}

function lastMinute(arrived: LengthHistogram): Longer | undefined {
  const { lately } = arrived
  const [usual, spread] = [mean(arrived), variance(arrived)]
  if (lately === undefined || usual === undefined || spread === undefined) return undefined
  const requests = lately.eventsPerSecond * lately.seconds
  const now = lately.sumPerSecond / lately.eventsPerSecond
  if (!(requests > 0 && usual > 0 && now > 0 && spread > 0)) return undefined
  return { log: Math.log(now / usual), error: Math.sqrt(spread / requests) / usual }
}

/** Worked out once: days of the past are read before any length is known. */
function assumedShape({ assumedShape: assumed }: TrafficClass): Shape {
  const shape = assumedShapes.get(assumed) ?? {
    promptTokens: assumedLengths(assumed.promptTokens),
    outputTokens: assumedLengths(assumed.outputTokens),
    prefixHitRate: 0,
  }
  assumedShapes.set(assumed, shape)
  return shape
}

const assumedShapes = new WeakMap<TrafficClass['assumedShape'], Shape>()

function differs(now: Shape, then: Shape, share: number): boolean {
  const moved = (x: number, y: number): boolean => Math.abs(x - y) > share * Math.max(x, y)
  return (
    moved(
      meanTokens(now.promptTokens) * (1 - now.prefixHitRate),
      meanTokens(then.promptTokens) * (1 - then.prefixHitRate),
    ) || moved(meanTokens(now.outputTokens), meanTokens(then.outputTokens))
  )
}

export function meanTokens(bins: readonly LengthBin[]): number {
  return bins.reduce((sum, bin) => sum + bin.weight * bin.tokens, 0)
}

/** One histogram over all of them; undefined where nothing was observed. */
function merged(readings: readonly Reading<LengthHistogram>[]): LengthHistogram | undefined {
  const histograms = readings.filter((reading): reading is LengthHistogram => !isMissing(reading))
  const upperBounds = [...new Set(histograms.flatMap((histogram) => histogram.upperBounds))].sort(
    (x, y) => x - y,
  )
  const perSecond = new Array<number>(upperBounds.length + 1).fill(0)
  let sumPerSecond = 0
  for (const histogram of histograms) {
    sumPerSecond += histogram.sumPerSecond
    histogram.perSecond.forEach((rate, i) => {
      const bound = histogram.upperBounds[i]
      const at = bound === undefined ? upperBounds.length : upperBounds.indexOf(bound)
      perSecond[at] = (perSecond[at] ?? 0) + rate
    })
  }
  const lately = latelyOf(histograms)
  const all = {
    ...{ upperBounds, perSecond, sumPerSecond },
    ...(histograms[0]?.seconds === undefined ? {} : { seconds: histograms[0].seconds }),
    ...(lately === undefined ? {} : { lately }),
  }
  return eventsPerSecond(all) > 0 ? all : undefined
}

/** Of all of them, or not at all. */
function latelyOf(histograms: readonly LengthHistogram[]): Lately | undefined {
  let [events, sum, seconds] = [0, 0, 0]
  for (const { lately } of histograms) {
    if (lately === undefined) return undefined
    events += lately.eventsPerSecond
    sum += lately.sumPerSecond
    seconds = lately.seconds
  }
  return { seconds, eventsPerSecond: events, sumPerSecond: sum }
}

/** Weighted by prompts; to whole twentieths, rounded down: a hit that does not come costs an SLO. */
function prefixHitRate(entrances: readonly VariantSignals[]): number {
  let prompts = 0
  let hits = 0
  for (const { promptTokens, prefixHitRate: hitRate } of entrances) {
    if (isMissing(promptTokens) || isMissing(hitRate)) continue
    const rate = eventsPerSecond(promptTokens)
    prompts += rate
    hits += rate * hitRate
  }
  return prompts > 0 ? Math.floor((hits / prompts) * 20) / 20 : 0
}
