// A forecast told of a series of demands, one after another.
import { advance, type ForecastMemory } from '../../src/core/forecast/forecast.ts'

export const tick = 15
export const leadSeconds = 228

/** The memory after each of these demands, one a tick. */
export function told(
  demands: readonly number[],
  { start, from = 0, lead = leadSeconds }: { start?: ForecastMemory; from?: number; lead?: number } = {},
): ForecastMemory {
  let memory = start
  demands.forEach((demand, i) => {
    memory = advance(memory, from + i * tick, demand, lead)
  })
  if (memory === undefined) throw new RangeError('a story needs at least one demand')
  return memory
}

/** So many ticks of a demand that depends on the time in seconds. */
export function series(ticks: number, demandAt: (at: number) => number, from = 0): readonly number[] {
  return Array.from({ length: ticks }, (_, i) => demandAt(from + i * tick))
}
