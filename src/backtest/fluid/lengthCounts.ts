// The lengths that engines count in their histograms: of the requests that end, which are no fair sample of those that
// arrive, and of so many of them and no more. A plant that told the mean of all requests there will ever be would tell a
// controller what no engine knows.
import type { LengthBin, Shape } from '../../core/capacity/question.ts'
import type { Random } from '../../simulation/random.ts'
import { lengthBounds, type Tally } from '../signalWindow.ts'
import { TokenClock } from './tokenClock.ts'

/** Of one length, prompt or output, by bucket of the engines' histogram. */
interface Buckets {
  readonly shares: Float64Array
  /** Tokens. */
  readonly means: Float64Array
}

interface ShapeBuckets {
  readonly prompt: Buckets
  readonly output: Buckets
}

export class LengthCounts {
  private readonly random: Random
  private readonly clock: TokenClock
  private readonly known = new WeakMap<Shape, ShapeBuckets>()
  /** By shape, requests that ended since the last count, by bucket of their output. */
  private readonly ended = new Map<Shape, Float64Array>()

  constructor(classes: number, random: Random) {
    this.random = random
    this.clock = new TokenClock(classes, middles)
  }

  /** A step in which each answer got so many tokens. `begun` and `completed` by class, `shapes` too. */
  add(
    tokens: number,
    begun: Float64Array,
    completed: Float64Array,
    shapes: readonly (Shape | undefined)[],
  ): void {
    const ending = this.clock.pass(tokens, begun)
    for (const [classIndex, requests] of completed.entries()) {
      const shape = shapes[classIndex]
      if (shape === undefined || !(requests > 0)) continue
      const { shares } = this.bucketsOf(shape).output
      const due = ending[classIndex] as Float64Array
      let total = 0
      for (let bucket = 0; bucket < shares.length; bucket++)
        total += (shares[bucket] as number) * (due[bucket] as number)
      const own = this.ended.get(shape) ?? new Float64Array(shares.length)
      this.ended.set(shape, own)
      for (let bucket = 0; bucket < shares.length; bucket++) {
        const share = shares[bucket] as number
        const part = total > 0 ? (share * (due[bucket] as number)) / total : share
        own[bucket] = (own[bucket] as number) + requests * part
      }
    }
  }

  /** `oneToken`: answers of a prefill engine, whatever the request asks for. */
  countInto(tally: Tally, oneToken: boolean): void {
    for (const [shape, outputs] of this.ended) {
      const requests = sum(outputs)
      const { prompt, output } = this.bucketsOf(shape)
      this.draw(
        tally,
        'promptTokens',
        prompt.shares.map((share) => share * requests),
        prompt.means,
      )
      if (oneToken) tally.addTo('outputTokens', 0, requests, requests)
      else this.draw(tally, 'outputTokens', outputs, output.means)
    }
    this.ended.clear()
  }

  /**
   * Amounts that vary as a draw of so many requests does, and add up to as many: Dirichlet, whose shares vary by
   * `s (1 - s) / (requests + 1)`. What lengths vary inside a bucket is left out: 3 % of the whole variance.
   */
  private draw(
    tally: Tally,
    name: 'promptTokens' | 'outputTokens',
    expected: Float64Array,
    means: Float64Array,
  ): void {
    const drawn = expected.map((amount) => (amount > 0 ? this.random.gamma(amount) : 0))
    const scale = sum(expected) / sum(drawn)
    for (const [bucket, amount] of (Number.isFinite(scale) ? drawn : expected).entries()) {
      const events = Number.isFinite(scale) ? amount * scale : amount
      if (events > 0) tally.addTo(name, bucket, events, events * (means[bucket] ?? 0))
    }
  }

  private bucketsOf(shape: Shape): ShapeBuckets {
    const known = this.known.get(shape)
    if (known !== undefined) return known
    const found = { prompt: bucketsOf(shape.promptTokens), output: bucketsOf(shape.outputTokens) }
    this.known.set(shape, found)
    return found
  }
}

/** Tokens; the last bucket has no upper edge. */
const middles: readonly number[] = [...lengthBounds, 2 * (lengthBounds.at(-1) ?? 0)].map(
  (upper, bucket) => ((lengthBounds[bucket - 1] ?? 0) + upper) / 2,
)

/** Engines count whole tokens; a point is the mean of many lengths. */
function bucketsOf(points: readonly LengthBin[]): Buckets {
  const shares = new Float64Array(lengthBounds.length + 1)
  const means = new Float64Array(lengthBounds.length + 1)
  for (const { tokens, weight } of points) {
    const counted = Math.round(tokens)
    const found = lengthBounds.findIndex((bound) => counted <= bound)
    const bucket = found < 0 ? lengthBounds.length : found
    shares[bucket] = (shares[bucket] ?? 0) + weight
    means[bucket] = (means[bucket] ?? 0) + tokens * weight
  }
  return { shares, means: means.map((tokens, bucket) => tokens / (shares[bucket] || 1)) }
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0)
}
