// Request lengths as weighted points, from what a rate series tells of them (mean and a few percentiles), or from the
// requests themselves. Both plants draw from the same points.
import type { LengthBin } from '../../core/capacity/question.ts'
import { assumedLengths } from '../../core/capacity/shape.ts'
import type { Random } from '../../simulation/random.ts'

export interface LengthFigures {
  readonly mean: number
  readonly p50?: number
  readonly p95?: number
  readonly p99?: number
}

/** Edges of the points, finer in the tail; where the mean alone is known, core's assumption. */
const edges = [
  ...Array.from({ length: 18 }, (_, i) => i / 20),
  ...Array.from({ length: 9 }, (_, i) => 0.9 + i / 100),
  ...[0.99, 0.9925, 0.995, 0.9975, 1],
]

/**
 * Points whose quantiles go through the percentiles (straight in the logarithm) and whose mean is the stated one: the
 * unknown shortest length, then the unknown longest one, is moved until it is. What no such move can reach is scaled.
 */
export function lengthPoints({ mean, p50, p95, p99 }: LengthFigures): readonly LengthBin[] {
  if (p50 === undefined || p95 === undefined || p99 === undefined) return assumedLengths(Math.max(1, mean))
  const knots = [p50, Math.max(p50, p95), Math.max(p50, p95, p99)].map((tokens) => Math.max(1, tokens))
  const [middle, high, higher] = knots as [number, number, number]
  const points = (shortest: number, longest: number): readonly LengthBin[] =>
    pointsOf((share) => quantile(share, [shortest, middle, high, higher, longest]))
  const shortest = solved(mean, 1, middle, (length) => points(length, 2 * higher))
  const longest = solved(mean, higher, 100 * higher, (length) => points(shortest, length))
  const found = points(shortest, longest)
  const scale = Math.max(1, mean) / meanOf(found)
  return found.map(({ tokens, weight }) => ({ tokens: Math.max(1, tokens * scale), weight }))
}

/** Equal shares of the sorted lengths, finer in the tail. */
export function pointsFrom(sorted: ArrayLike<number>): readonly LengthBin[] {
  const count = sorted.length
  return edges.slice(1).flatMap((to, i): readonly LengthBin[] => {
    const [first, end] = [Math.round((edges[i] ?? 0) * count), Math.round(to * count)]
    if (end <= first) return []
    let sum = 0
    for (let index = first; index < end; index++) sum += sorted[index] ?? 0
    return [{ tokens: Math.max(1, sum / (end - first)), weight: (end - first) / count }]
  })
}

export function meanOf(points: readonly LengthBin[]): number {
  return points.reduce((sum, { tokens, weight }) => sum + tokens * weight, 0)
}

/** Whole tokens. */
export function drawLength(points: readonly LengthBin[], random: Random): number {
  let left = random.uniform()
  for (const { tokens, weight } of points) {
    left -= weight
    if (left < 0) return Math.max(1, Math.round(tokens))
  }
  return Math.max(1, Math.round(points.at(-1)?.tokens ?? 1))
}

const knotShares = [0, 0.5, 0.95, 0.99, 1]

function quantile(share: number, lengths: readonly number[]): number {
  let i = 1
  while (i < knotShares.length - 1 && share > (knotShares[i] ?? 1)) i++
  const [from, to] = [knotShares[i - 1] ?? 0, knotShares[i] ?? 1]
  const [low, high] = [lengths[i - 1] ?? 1, lengths[i] ?? 1]
  return low * (high / low) ** ((share - from) / (to - from))
}

const samples = 8

function pointsOf(length: (share: number) => number): readonly LengthBin[] {
  return edges.slice(1).map((to, i) => {
    const from = edges[i] ?? 0
    let sum = 0
    for (let k = 0; k < samples; k++) sum += length(from + ((to - from) * (k + 0.5)) / samples)
    return { tokens: sum / samples, weight: to - from }
  })
}

/** The length between the two at which the mean is met, or the nearer end. */
function solved(
  mean: number,
  lowest: number,
  highest: number,
  points: (length: number) => readonly LengthBin[],
): number {
  let [low, high] = [lowest, highest]
  for (let i = 0; i < 30; i++) {
    const middle = Math.sqrt(low * high)
    if (meanOf(points(middle)) > mean) high = middle
    else low = middle
  }
  return Math.sqrt(low * high)
}
