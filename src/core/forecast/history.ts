// What past demand of a class says about demand ahead, kept so that any server can rebuild it from Prometheus: demand
// enters on a fixed grid of minutes, whatever the interval between decisions, into two generations of what is learnt
// (generations.ts) and a week of the day's pattern (season.ts).
import { elder, enterInto, type Generations, windowBegin } from '../generations.ts'
import { advance, experience, type Forecast, type ForecastMemory, forecast } from './forecast.ts'
import { logOf } from './logs.ts'
import { enterSeason, type Season, seasonSeconds, seasonSlotSeconds } from './season.ts'

/** Both are absent before the first instant of their grids. */
export interface DemandHistory {
  readonly learnt?: Generations<ForecastMemory>
  readonly season?: Season
}

/** One way of entering demand: into all that is remembered (`enterDemand`), or into the season alone (`enterPattern`). */
export type EnterDemand = (
  history: DemandHistory,
  at: number,
  requestsPerSecond: number,
  leadSeconds: number,
) => DemandHistory

export const noHistory: DemandHistory = {}

/** Demand of other instants shapes the forecast of that instant and is not remembered. */
export const historyGridSeconds = 60

/** Of the week before the generations' window only the season is kept: two values for each of its slots are enough. */
export const seasonGridSeconds = 300

/**
 * The old generation is read at an age of one to two days: its errors are those of the last eight hours, its fit forgets
 * within 21. Twelve hours forecast up to 1.6 % worse, three days up to 0.5 % better (docs/MODEL.md, "State").
 */
const generationSeconds = 86400

export function enterDemand(
  history: DemandHistory,
  at: number,
  requestsPerSecond: number,
  leadSeconds: number,
): DemandHistory {
  if (at % historyGridSeconds !== 0) return history
  const enter = (memory: ForecastMemory | undefined): ForecastMemory =>
    advance(memory, at, requestsPerSecond, leadSeconds, history.season)
  const learnt = enterInto(history.learnt, at, generationSeconds, enter)
  return { ...enterPattern(history, at, requestsPerSecond), learnt }
}

/** Into the season alone: all that the week before the generations' window is read for. */
export function enterPattern(history: DemandHistory, at: number, requestsPerSecond: number): DemandHistory {
  if (at % seasonGridSeconds !== 0) return history
  return { ...history, season: enterSeason(history.season, at, logOf(requestsPerSecond)) }
}

/** For demand at an instant of the grid or between two. */
export function forecastFrom(
  { learnt, season }: DemandHistory,
  at: number,
  requestsPerSecond: number,
  leadSeconds: number,
  quantile: number,
): Forecast {
  const known = learnt === undefined ? undefined : elder(learnt)
  return forecast(advance(known, at, requestsPerSecond, leadSeconds, season), quantile, season)
}

/** 0..1: with the errors of forecasts for this lead. */
export function experienceFrom({ learnt }: DemandHistory, leadSeconds: number): number {
  return learnt === undefined ? 0 : experience(elder(learnt), leadSeconds)
}

/** Inputs on the minute grid since `learntFrom`, and on the season's grid since `seasonFrom`, give the history at `at`. */
export function historyWindow(at: number): { readonly learntFrom: number; readonly seasonFrom: number } {
  const learntFrom = windowBegin(at, generationSeconds)
  const first = learntFrom - seasonSeconds
  return { learntFrom, seasonFrom: Math.floor(first / seasonSlotSeconds) * seasonSlotSeconds }
}
