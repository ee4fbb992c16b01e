// What will arrive by the time a replica ordered now is ready, and how sure that is: a hedged mixture of simple
// experts on the logarithm of demand, with quantiles from its own past errors. Formulas and sources: docs/MODEL.md.
import { climbOf, climbQuantile, firstCarry, learnCarry } from './climb.ts'
import {
  type Errors,
  enterError,
  errorQuantile,
  experienceOf,
  noErrors,
  provisionalScale,
} from './conformal.ts'
import { evaluate, type Fit, newFit, refit } from './leastSquares.ts'
import { featureCount, features, type Levels, moveLevels, newLevels } from './levels.ts'
import { changed, logOf, within } from './logs.ts'
import { type Losses, lose, mixed, noLosses, type Opinions } from './mixture.ts'
import { type Season, seasonalChange } from './season.ts'

/** Plain and bounded: about 900 numbers at most. The season is not part of it: history.ts keeps both. */
export interface ForecastMemory extends Lessons {
  /** What was entered last, and when. */
  readonly at: number
  readonly requestsPerSecond: number
  readonly horizonSeconds: number
  readonly levels: Levels
  /** Highest demand lately, requests per second. */
  readonly highest: number
  /** When the last forecast was put on record. */
  readonly openedAt: number
}

/** What is learnt for one horizon. */
interface Lessons {
  /** Forecasts on record whose time has not come, oldest first. */
  readonly open: readonly OpenForecast[]
  readonly fit: Fit
  readonly losses: Losses
  readonly errors: Errors
  /** What part of a climb goes on. */
  readonly carry: number
}

interface OpenForecast {
  readonly at: number
  readonly y: number
  readonly features: readonly number[]
  readonly opinions: Opinions
  /** What was forecast, a change of y: what the experts expect, and what is carried on of a climb. */
  readonly change: number
  readonly climb: number
  /** The change that one climb of ten was to exceed. */
  readonly upper: number
}

export interface Forecast {
  /** Requests per second at the horizon. */
  readonly expected: number
  /** With a chance of `quantile` no more than this will arrive. */
  readonly atQuantile: number
  readonly quantile: number
  readonly horizonSeconds: number
  /** How the spread is known: assumed, partly assumed, or from the errors of the last hours. */
  readonly basis: 'lastValue' | 'shortHistory' | 'calibrated'
}

/** Beyond this it is not a forecast any more: a longer start-up is planned for as if it took an hour. */
const longestHorizonSeconds = 3600

/** 0.02 % are forgotten every 15 s. */
const fitTimeConstantSeconds = 75_000

/** No expert says more than a factor of two. */
const largestChange = 0.7

const highestHalfLifeSeconds = 43_200

/** No forecast is more than half above the highest demand lately: in on/off traffic past ratios say nothing. */
const mostAboveHighest = 1.5

/** The memory with the demand of one more instant; unchanged where that instant does not come after all others. */
export function advance(
  memory: ForecastMemory | undefined,
  at: number,
  requestsPerSecond: number,
  leadSeconds: number,
  season: Season | undefined,
): ForecastMemory {
  const horizonSeconds = horizonOf(leadSeconds)
  if (memory === undefined) return begun(at, requestsPerSecond, horizonSeconds, season)
  if (at <= memory.at) return memory
  const y = logOf(requestsPerSecond)
  const seconds = at - memory.at
  const lessons =
    memory.horizonSeconds === horizonSeconds ? memory : noLessons(horizonSeconds, requestsPerSecond)
  const due = lessons.open.filter((open) => open.at + horizonSeconds <= at)
  const learnt = due.reduce((so, open) => learn(so, open, at, y, horizonSeconds), lessons)
  const moved: ForecastMemory = {
    at,
    requestsPerSecond,
    horizonSeconds,
    levels: moveLevels(memory.levels, at, y, seconds),
    highest: Math.max(requestsPerSecond, memory.highest * 0.5 ** (seconds / highestHalfLifeSeconds)),
    openedAt: memory.openedAt,
    open: learnt.open.slice(due.length),
    fit: learnt.fit,
    losses: learnt.losses,
    errors: learnt.errors,
    carry: learnt.carry,
  }
  return at - memory.openedAt < periodSeconds(horizonSeconds) ? moved : recorded(moved, season)
}

/** 0..1: of the errors that calibrate a forecast for this lead, how many are there. */
export function experience({ errors, horizonSeconds }: ForecastMemory, leadSeconds: number): number {
  return horizonSeconds === horizonOf(leadSeconds)
    ? experienceOf(errors, errorsPerHorizon(horizonSeconds))
    : 0
}

/** `quantile` in (0, 1). */
export function forecast(memory: ForecastMemory, quantile: number, season: Season | undefined): Forecast {
  const { horizonSeconds, requestsPerSecond, errors, highest } = memory
  const perHorizon = errorsPerHorizon(horizonSeconds)
  const { expected, carriedOn } = changeAhead(memory, opinionsOf(memory, featuresOf(memory, season)))
  const most = mostAboveHighest * highest
  const experience = experienceOf(errors, perHorizon)
  const provisional = experience < 1 ? sinceForecasts(memory) : 0
  return {
    expected: Math.min(most, changed(requestsPerSecond, expected)),
    atQuantile: Math.min(
      most,
      changed(
        requestsPerSecond,
        expected + carriedOn + errorQuantile(errors, quantile, perHorizon, provisional),
      ),
    ),
    quantile,
    horizonSeconds,
    basis: experience === 0 ? 'lastValue' : experience < 1 ? 'shortHistory' : 'calibrated',
  }
}

function horizonOf(leadSeconds: number): number {
  return Math.min(longestHorizonSeconds, Math.max(1, leadSeconds))
}

function begun(
  at: number,
  requestsPerSecond: number,
  horizonSeconds: number,
  season: Season | undefined,
): ForecastMemory {
  const first = {
    at,
    requestsPerSecond,
    horizonSeconds,
    levels: newLevels(at, logOf(requestsPerSecond)),
    highest: requestsPerSecond,
    openedAt: at,
    ...noLessons(horizonSeconds, requestsPerSecond),
  }
  return recorded(first, season)
}

function noLessons(horizonSeconds: number, requestsPerSecond: number): Lessons {
  const errors = noErrors(horizonSeconds, requestsPerSecond)
  return {
    ...{ open: [], fit: newFit(featureCount), losses: noLosses, errors },
    carry: firstCarry(horizonSeconds),
  }
}

function recorded(memory: ForecastMemory, season: Season | undefined): ForecastMemory {
  const x = featuresOf(memory, season)
  const opinions = opinionsOf(memory, x)
  const { expected, carriedOn, climb } = changeAhead(memory, opinions)
  const change = expected + carriedOn
  const perHorizon = errorsPerHorizon(memory.horizonSeconds)
  const open: OpenForecast = {
    ...{ at: memory.at, y: memory.levels.y, features: x, opinions, change, climb },
    upper: climb > 0 ? change + errorQuantile(memory.errors, climbQuantile, perHorizon) : change,
  }
  return { ...memory, open: [...memory.open, open], openedAt: memory.at }
}

/** An outcome that comes much too late, after ticks that were missed, is that of another horizon. */
function learn(lessons: Lessons, open: OpenForecast, at: number, y: number, horizonSeconds: number): Lessons {
  const period = periodSeconds(horizonSeconds)
  if (at - open.at - horizonSeconds > period + horizonSeconds / 2) return lessons
  const e = y - open.y
  return {
    open: lessons.open,
    fit: refit(lessons.fit, open.features, e, Math.exp(-period / fitTimeConstantSeconds)),
    losses: lose(lessons.losses, open.opinions, e, period),
    errors: enterError(lessons.errors, e - open.change, horizonSeconds, period),
    carry: learnCarry(lessons.carry, open.climb, e > open.upper, horizonSeconds),
  }
}

/** A horizon is long before the first forecast is judged: what has happened since the open ones is known earlier. */
function sinceForecasts({ open, at, levels, horizonSeconds, requestsPerSecond }: ForecastMemory): number {
  const changes = open.map((one) => ({ change: levels.y - one.y, ageSeconds: at - one.at }))
  return provisionalScale(changes, horizonSeconds, requestsPerSecond)
}

interface ChangeAhead {
  readonly expected: number
  readonly climb: number
  /** Of it: not expected, and no surprise. */
  readonly carriedOn: number
}

/** Of y until the horizon; experts, and what is known of climbs, are believed in proportion to the experience there is. */
function changeAhead(memory: ForecastMemory, opinions: Opinions): ChangeAhead {
  const { errors, losses, horizonSeconds, levels, requestsPerSecond, carry } = memory
  const experience = experienceOf(errors, errorsPerHorizon(horizonSeconds))
  const climb = climbOf(levels, requestsPerSecond)
  return {
    expected: experience * mixed(losses, opinions, horizonSeconds),
    climb,
    carriedOn: experience * carry * climb,
  }
}

function opinionsOf({ levels, fit }: ForecastMemory, x: readonly number[]): Opinions {
  return {
    last: 0,
    smooth: within(largestChange, levels.smooth - levels.y),
    linear: within(largestChange, evaluate(fit, x)),
  }
}

function featuresOf(
  { levels, at, horizonSeconds }: ForecastMemory,
  season: Season | undefined,
): readonly number[] {
  return features(levels, seasonalChange(season, at, horizonSeconds))
}

/** A forecast is put on record every minute, or thirty times in a longer horizon. */
function periodSeconds(horizonSeconds: number): number {
  return Math.max(60, horizonSeconds / 30)
}

function errorsPerHorizon(horizonSeconds: number): number {
  return Math.max(1, horizonSeconds / periodSeconds(horizonSeconds))
}
