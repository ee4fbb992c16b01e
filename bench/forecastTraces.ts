// Recorded demand for the forecast's bench, as requests per second over the last minute at every tick of 15 s.
//
// The Azure traces are requests with their times. ServeGen gives a rate for each ten minutes; what happens inside is
// made up in one of two ways. `bridge`: log-linear between the middles of windows, plus a Brownian bridge whose
// standard deviation per square root of a minute is (median |10-minute log change| / 0.6745) / sqrt(10).
// `step`: flat inside a window, which is the hardest case, as every change is a jump that nothing announces. In both,
// arrivals have 1.2 times the variance of Poisson ones, and rates are scaled to a fleet of 30 H100 at their
// 99.5th percentile (914 and 87 requests/s).
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Random } from '../src/simulation/random.ts'

export const tickSeconds = 15
export const ticksPerMinute = 60 / tickSeconds
const ticksPerWindow = 10 * ticksPerMinute
export const minutesPerDay = 1440

export interface Trace {
  readonly name: string
  /** From the end of the first minute on. */
  readonly rates: Float64Array
  /** Minutes that are scored; what lies before is history. */
  readonly from: number
  readonly until: number
}

export function minutely(rates: Float64Array): Float64Array {
  return rates.filter((_, tick) => tick % ticksPerMinute === 0)
}

export async function readTraces(data: string, seed: number): Promise<readonly Trace[]> {
  const text = (file: string): Promise<string> => readFile(join(data, file), 'utf8')
  const large = windowRates(await text('servegen_language_m_large_10min.csv'))
  const reason = windowRates(await text('servegen_reason_deepseek_r1_10min.csv'))
  const week = { from: 7 * minutesPerDay, until: 11 * minutesPerDay }
  const day = { from: 6 * 60, until: minutesPerDay }
  const hour = { from: 10, until: 58 }
  const made = (rates: readonly number[], peak: number, inside: Inside): Float64Array =>
    overLastMinute(drawn(inside(scaled(rates, peak), new Random(seed, 1)), new Random(seed, 2)))
  return [
    { name: 'large-bridge', rates: made(large, 914, bridged), ...week },
    { name: 'large-step', rates: made(large, 914, stepped), ...week },
    { name: 'reason-bridge', rates: made(reason, 87, bridged), ...day },
    { name: 'reason-step', rates: made(reason, 87, stepped), ...day },
    {
      name: 'azure-conv',
      rates: overLastMinute(counted(await text('AzureLLMInferenceTrace_conv.csv'))),
      ...hour,
    },
    {
      name: 'azure-code',
      rates: overLastMinute(counted(await text('AzureLLMInferenceTrace_code.csv'))),
      ...hour,
    },
  ]
}

function windowRates(csv: string): readonly number[] {
  const [, ...lines] = csv.trim().split('\n')
  return lines.map((line) => Number(line.split(',')[1]))
}

function scaled(rates: readonly number[], peak: number): readonly number[] {
  const sorted = rates.toSorted((x, y) => x - y)
  const now = sorted[Math.floor(0.995 * (sorted.length - 1))] ?? 1
  return rates.map((rate) => (rate * peak) / now)
}

/** The rate at every tick, from one for each ten minutes. */
type Inside = (rates: readonly number[], random: Random) => Float64Array

function stepped(rates: readonly number[]): Float64Array {
  return Float64Array.from(
    { length: rates.length * ticksPerWindow },
    (_, tick) => rates[Math.floor(tick / ticksPerWindow)] ?? 0,
  )
}

function bridged(rates: readonly number[], random: Random): Float64Array {
  const logs = rates.map((rate) => Math.log(Math.max(rate, 0.01)))
  const changes = logs.slice(1).map((log, i) => Math.abs(log - (logs[i] ?? log)))
  const median = changes.toSorted((x, y) => x - y)[Math.floor(changes.length / 2)] ?? 0
  const deviation = median / 0.6745 / Math.sqrt(ticksPerWindow)
  const out = new Float64Array(rates.length * ticksPerWindow)
  logs.forEach((log, window) => {
    const next = logs[window + 1] ?? log
    const walk = [0]
    for (let i = 0; i < ticksPerWindow; i++) walk.push((walk[i] ?? 0) + deviation * random.normal())
    const end = walk[ticksPerWindow] ?? 0
    for (let i = 0; i < ticksPerWindow; i++) {
      const part = i / ticksPerWindow
      const tick = window * ticksPerWindow + ticksPerWindow / 2 + i
      if (tick < out.length) out[tick] = Math.exp(log + part * (next - log) + (walk[i] ?? 0) - part * end)
    }
  })
  return out.fill(out[ticksPerWindow / 2] ?? 0, 0, ticksPerWindow / 2)
}

/** Requests in each tick, with 1.2 times the variance of a Poisson count. */
function drawn(rates: Float64Array, random: Random): Float64Array {
  return rates.map((rate) => {
    const mean = rate * tickSeconds
    return Math.max(0, Math.round(mean + Math.sqrt(1.2 * mean) * random.normal()))
  })
}

function counted(csv: string): Float64Array {
  const [, ...lines] = csv.trim().split('\n')
  const times = lines.map((line) => Date.parse(`${line.slice(0, 23).replace(' ', 'T')}Z`) / 1000)
  const begin = times[0] ?? 0
  const counts = new Float64Array(Math.floor(((times.at(-1) ?? 0) - begin) / tickSeconds))
  for (const time of times) {
    const tick = Math.floor((time - begin) / tickSeconds)
    if (tick < counts.length) counts[tick] = (counts[tick] ?? 0) + 1
  }
  return counts
}

function overLastMinute(counts: Float64Array): Float64Array {
  return Float64Array.from({ length: counts.length - ticksPerMinute + 1 }, (_, tick) => {
    let sum = 0
    for (let i = 0; i < ticksPerMinute; i++) sum += counts[tick + i] ?? 0
    return sum / 60
  })
}
