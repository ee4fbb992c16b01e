// How a rate moves inside windows of which only the mean is known. `step`: not at all, and jumps between them. `bridge`:
// from centre to centre in the logarithm, with a Brownian bridge as rough as the windows are among each other, brought
// to each window's mean without a jump. Method and check on recorded requests: docs/MODEL.md, "Traffic inside windows".
import type { RateCurve } from '../../simulation/arrivals.ts'
import { Random } from '../../simulation/random.ts'
import type { Inside, RateWindow } from './traffic.ts'

/** Points of the bridge. */
const pointSeconds = 15
/** A rate of nothing has no logarithm. */
const lowestRate = 1e-3

export function rateInside(windows: readonly RateWindow[], inside: Inside, seed: number): RateCurve {
  switch (inside) {
    case 'step':
      return (at) => windowAt(windows, at)?.requestsPerSecond ?? 0
    case 'bridge':
      return bridged(windows, seed)
  }
}

/** Windows have one width. */
export function windowAt(windows: readonly RateWindow[], at: number): RateWindow | undefined {
  const [first] = windows
  if (first === undefined || at < first.fromSeconds) return undefined
  return windows[Math.floor((at - first.fromSeconds) / (first.untilSeconds - first.fromSeconds) + 1e-9)]
}

function bridged(windows: readonly RateWindow[], seed: number): RateCurve {
  const [first] = windows
  if (first === undefined) return () => 0
  const random = new Random(seed, 21)
  const width = first.untilSeconds - first.fromSeconds
  const points = Math.max(1, Math.round(width / pointSeconds))
  const logs = windows.map(({ requestsPerSecond }) => Math.log(Math.max(lowestRate, requestsPerSecond)))
  const roughness = medianChange(logs) / 0.6745 / Math.sqrt(points)
  const rates = new Float64Array(windows.length * points)
  // From centre to centre; before the first and after the last centre the rate is level.
  for (let from = -1; from < windows.length; from++) {
    const log = logs[Math.max(0, from)] ?? 0
    const next = logs[Math.min(windows.length - 1, from + 1)] ?? log
    const walk = [0]
    for (let i = 0; i < points; i++) walk.push((walk[i] ?? 0) + roughness * random.normal())
    const end = walk[points] ?? 0
    for (let i = 0; i < points; i++) {
      const part = (i + 0.5) / points
      const at = from * points + Math.floor(points / 2) + i
      if (at >= 0 && at < rates.length)
        rates[at] = Math.exp(log + part * (next - log) + (walk[i] ?? 0) - part * end)
    }
  }
  bringToMeans(rates, windows, points)
  return (at) => rates[Math.floor(((at - first.fromSeconds) / width) * points)] ?? 0
}

/** Rounds after which the means are met, but for windows beside others of a thousandth of their rate. */
const rounds = 12

/**
 * Multiplies by a curve, straight in the logarithm from centre to centre, whose values there are raised until windows have
 * their means: a factor for each window would be a jump at each edge. What is left is such a factor.
 */
function bringToMeans(rates: Float64Array, windows: readonly RateWindow[], points: number): void {
  const means = (): number[] =>
    windows.map((_, index) => {
      const own = rates.subarray(index * points, (index + 1) * points)
      return own.reduce((sum, rate) => sum + rate, 0) / points
    })
  for (let round = 0; round < rounds; round++) {
    const raise = means().map((mean, index) =>
      Math.log(Math.max(lowestRate, windows[index]?.requestsPerSecond ?? 0) / mean),
    )
    for (let i = 0; i < rates.length; i++) {
      const place = (i + 0.5) / points - 0.5
      const from = Math.floor(place)
      const [left, right] = [
        raise[Math.max(0, from)] ?? 0,
        raise[Math.min(windows.length - 1, from + 1)] ?? 0,
      ]
      rates[i] = (rates[i] ?? 0) * Math.exp(left + (place - from) * (right - left))
    }
  }
  const left = means()
  for (let i = 0; i < rates.length; i++) {
    const index = Math.floor(i / points)
    rates[i] = ((rates[i] ?? 0) * (windows[index]?.requestsPerSecond ?? 0)) / (left[index] ?? 1)
  }
}

/** Of the logarithm from window to window; windows without traffic are no change of traffic. */
function medianChange(logs: readonly number[]): number {
  const changes = logs
    .slice(1)
    .flatMap((log, i) => {
      const before = logs[i] ?? log
      return Math.min(log, before) <= Math.log(lowestRate) ? [] : [Math.abs(log - before)]
    })
    .sort((x, y) => x - y)
  return changes[Math.floor(changes.length / 2)] ?? 0
}
