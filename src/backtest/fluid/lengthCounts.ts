// The lengths that engines count in their histograms: of the requests that end, which are no fair sample of those that
// arrive, and of so many of them and no more. A plant that told the mean of all requests there will ever be would tell a
// controller what no engine knows.
import type { LengthBin, Shape } from '../../core/capacity/question.ts'
import { spanOf } from '../../core/histogram.ts'
import type { Random } from '../../simulation/random.ts'
import { lengthBounds, type Tally } from '../tally.ts'
import { meanOf } from '../traffic/lengthPoints.ts'
import { TokenClock } from './tokenClock.ts'

/** Of one length, prompt or output, by bucket of the engines' histogram. */
interface Buckets {
  readonly shares: Float64Array
  /** Tokens. */
  readonly means: Float64Array
}

interface ShapeBuckets {
  /** Tokens, over all prompts. */
  readonly promptMean: number
  readonly prompt: Buckets
  readonly output: Buckets
}

export class LengthCounts {
  private readonly random: Random
  private readonly clock: TokenClock
  private readonly known = new WeakMap<Shape, ShapeBuckets>()
  /** Since the last count: tokens of each answer, and by class what began and what ended. */
  private tokens = 0
  private readonly begun: Float64Array
  private readonly completed: Float64Array
  private readonly drawn = new Float64Array(lengthBounds.length + 1)

  constructor(classes: number, random: Random) {
    this.random = random
    this.clock = new TokenClock(classes, middles)
    this.begun = new Float64Array(classes)
    this.completed = new Float64Array(classes)
  }

  /** Tokens. */
  promptMean(shape: Shape): number {
    return this.bucketsOf(shape).promptMean
  }

  /** A step in which each answer got so many tokens. `begun` and `completed` by class. */
  add(tokens: number, begun: Float64Array, completed: Float64Array): void {
    this.tokens += tokens
    for (let c = 0; c < begun.length; c++) {
      this.begun[c] = (this.begun[c] as number) + (begun[c] as number)
      this.completed[c] = (this.completed[c] as number) + (completed[c] as number)
    }
  }

  /** `shapes` by class. `oneToken`: answers of a prefill engine, whatever the request asks for. */
  countInto(tally: Tally, shapes: readonly (Shape | undefined)[], oneToken: boolean): void {
    if (this.tokens <= 0 && !oneToken) return
    const ending = this.clock.pass(this.tokens, this.begun)
    for (const [index, requests] of this.completed.entries()) {
      const shape = shapes[index]
      if (shape === undefined || !(requests > 0)) continue
      const { prompt, output } = this.bucketsOf(shape)
      this.draw(tally, 'promptTokens', prompt, undefined, requests)
      if (oneToken) tally.addTo('outputTokens', 0, requests, requests)
      else this.draw(tally, 'outputTokens', output, ending[index], requests)
    }
    this.tokens = 0
    this.begun.fill(0)
    this.completed.fill(0)
  }

  /**
   * So many requests over the buckets, in proportion to their shares and to what began of each length. Amounts vary as a draw of so
   * many does, and add up to as many: Dirichlet, whose shares vary by `s (1 - s) / (requests + 1)`. What lengths vary inside a
   * bucket is left out: 3 % of the whole variance.
   */
  private draw(
    tally: Tally,
    name: 'promptTokens' | 'outputTokens',
    { shares, means }: Buckets,
    begun: Float64Array | undefined,
    requests: number,
  ): void {
    let total = 0
    for (let i = 0; i < shares.length; i++) total += (shares[i] as number) * (begun?.[i] ?? 1)
    const each = total > 0 ? begun : undefined
    const scale = requests / (total > 0 ? total : 1)
    let sum = 0
    for (let i = 0; i < shares.length; i++) {
      const expected = (shares[i] as number) * (each?.[i] ?? 1) * scale
      const amount = expected > 0 ? this.random.gamma(expected) : 0
      this.drawn[i] = amount
      sum += amount
    }
    if (!(sum > 0)) return
    for (let i = 0; i < shares.length; i++) {
      const events = ((this.drawn[i] as number) * requests) / sum
      if (events > 0) tally.addTo(name, i, events, events * (means[i] as number))
    }
  }

  private bucketsOf(shape: Shape): ShapeBuckets {
    const known = this.known.get(shape)
    if (known !== undefined) return known
    const found = {
      promptMean: meanOf(shape.promptTokens),
      prompt: bucketsOf(shape.promptTokens),
      output: bucketsOf(shape.outputTokens),
    }
    this.known.set(shape, found)
    return found
  }
}

/** Tokens. */
const middles: readonly number[] = Array.from({ length: lengthBounds.length + 1 }, (_, bucket) => {
  const { lower, upper } = spanOf({ upperBounds: lengthBounds }, bucket)
  return (lower + upper) / 2
})

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
