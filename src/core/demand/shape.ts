// How long the requests of a class are: from its gateway's or the engines' histograms, else as last seen, else as the policy
// assumes. Read anew only now and then, so that sampling noise neither moves the plan nor costs a new capacity.
import type { LengthBin, Shape } from '../capacity/question.ts'
import { assumedLengths, lengthsToCome } from '../capacity/shape.ts'
import { eventsPerSecond, type Lately, type LengthHistogram } from '../histogram.ts'
import type { Observation, VariantSignals } from '../observation.ts'
import { type Role, serves, type TrafficClass, type Variant } from '../policy.ts'
import { isMissing, type Reading } from '../reading.ts'
import { clockOf } from './answerClock.ts'
import { type Answering, answeringAt, enterAnswering } from './answering.ts'
import { asArrived } from './ended.ts'
import { answersNow, materialChange, promptsNow } from './lengthsNow.ts'
import { isDue } from './turns.ts'
import { longerBy } from './unfinished.ts'
import { enterWork, type WorkAt, workOf } from './workAhead.ts'

/** Bins per histogram: twelve lose under a percent of capacity against the full sample (docs/MODEL.md). */
const binCount = 12

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
  const prompts = promptsNow(promptTokens)
  const { outputs, asSureAs } = answersNow(arrived, unfinished)
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
