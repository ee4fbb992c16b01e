// A forecast told of a series of demands, one after another.
import { advance, type Forecast, type ForecastMemory, forecast } from '../../src/core/forecast/forecast.ts'
import { enterSeason, type Season } from '../../src/core/forecast/season.ts'

export const tick = 15
export const leadSeconds = 228

/** What is learnt, and the season that it was learnt with. */
export interface Told extends ForecastMemory {
  readonly season: Season
}

/** The memory after each of these demands, one a tick. */
export function told(
  demands: readonly number[],
  { start, from = 0, lead = leadSeconds }: { start?: Told; from?: number; lead?: number } = {},
): Told {
  let memory = start
  demands.forEach((demand, i) => {
    memory = tellOne(memory, from + i * tick, demand, lead)
  })
  if (memory === undefined) throw new RangeError('a story needs at least one demand')
  return memory
}

export function tellOne(memory: Told | undefined, at: number, demand: number, lead: number): Told {
  if (memory !== undefined && at <= memory.at) return memory
  const next = advance(memory, at, demand, lead, memory?.season)
  return { ...next, season: enterSeason(memory?.season, at, Math.log1p(demand)) }
}

export function forecastOf(memory: Told, quantile: number): Forecast {
  return forecast(memory, quantile, memory.season)
}

/** So many ticks of a demand that depends on the time in seconds. */
export function series(ticks: number, demandAt: (at: number) => number, from = 0): readonly number[] {
  return Array.from({ length: ticks }, (_, i) => demandAt(from + i * tick))
}
