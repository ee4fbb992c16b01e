// Traffic in steps for the fluid plant: how many requests of each class arrive in a step, and how long they are.
// Recorded requests are counted, a block at a time; rates are summed up, with the noise that requests would have.
import type { Shape } from '../../core/capacity/question.ts'
import { Random } from '../../simulation/random.ts'
import type { Request } from '../../simulation/request.ts'
import { rateInside, windowAt } from './insideWindows.ts'
import { pointsFrom } from './lengthPoints.ts'
import { lengthsInside } from './lengthsInside.ts'
import { requestsFrom } from './requests.ts'
import type { ClassTraffic, RateSource, Traffic } from './traffic.ts'

export interface Arriving {
  /** In this step; not a whole number where it comes from rates. */
  readonly requests: number
  /** The same object for as long as lengths stay the same. */
  readonly shape: Shape
}

/** Lengths of recorded requests are those of so long a block. */
const blockSeconds = 300

/** One entry per source and step, without end: after the traffic nothing arrives. */
export function* stepsOf(
  traffic: Traffic,
  stepSeconds: number,
  seed: number,
): Generator<readonly Arriving[]> {
  const sources = traffic.sources.map((source, index) =>
    stepsFrom(source, traffic.untilSeconds, stepSeconds, seed * 1000 + index),
  )
  for (;;) yield sources.map((source) => source.next().value as Arriving)
}

function stepsFrom(
  traffic: ClassTraffic,
  untilSeconds: number,
  stepSeconds: number,
  seed: number,
): Iterator<Arriving> {
  const { source } = traffic
  switch (source.kind) {
    case 'requests':
      return counted(requestsFrom(traffic, untilSeconds, seed), stepSeconds)
    case 'rates':
      return summed(traffic, source, rateInside(source.windows, source.inside, seed), {
        untilSeconds,
        stepSeconds,
        seed,
      })
  }
}

const nothing: Shape = {
  promptTokens: [{ tokens: 1, weight: 1 }],
  outputTokens: [{ tokens: 1, weight: 1 }],
  prefixHitRate: 0,
}

function* counted(requests: Iterator<Request>, stepSeconds: number): Generator<Arriving> {
  const steps = Math.max(1, Math.round(blockSeconds / stepSeconds))
  let next = requests.next()
  let shape = nothing
  for (let block = 0; ; block++) {
    const counts = new Float64Array(steps)
    const inside: Request[] = []
    const from = block * steps * stepSeconds
    while (next.done !== true && next.value.arrivedAtSeconds < from + steps * stepSeconds) {
      const step = Math.min(steps - 1, Math.floor((next.value.arrivedAtSeconds - from) / stepSeconds))
      counts[step] = (counts[step] ?? 0) + 1
      inside.push(next.value)
      next = requests.next()
    }
    if (inside.length > 0) shape = shapeOf(inside)
    for (const requests of counts) yield { requests, shape }
  }
}

function shapeOf(requests: readonly Request[]): Shape {
  const sorted = (of: (request: Request) => number): Float64Array => Float64Array.from(requests, of).sort()
  let tokens = 0
  let held = 0
  for (const { promptTokens, outputTokens } of requests) {
    tokens += outputTokens
    held += outputTokens * (promptTokens + outputTokens / 2)
  }
  return {
    promptTokens: pointsFrom(sorted(({ promptTokens }) => promptTokens)),
    outputTokens: pointsFrom(sorted(({ outputTokens }) => outputTokens)),
    prefixHitRate: 0,
    contextTokens: held / tokens,
  }
}

interface Grid {
  readonly untilSeconds: number
  readonly stepSeconds: number
  readonly seed: number
}

function* summed(
  { scale, shiftSeconds }: ClassTraffic,
  { windows, inside }: RateSource,
  rate: (at: number) => number,
  { untilSeconds, stepSeconds, seed }: Grid,
): Generator<Arriving> {
  const random = new Random(seed, 23)
  const lengthsAt = lengthsInside(windows, inside)
  let lengths: ReturnType<typeof lengthsAt>
  let shape = nothing
  for (let step = 0; ; step++) {
    const at = (step + 0.5) * stepSeconds
    const own = at - shiftSeconds
    const now = at < untilSeconds ? windowAt(windows, own) : undefined
    const drawn = at < untilSeconds ? lengthsAt(own) : undefined
    if (
      drawn !== undefined &&
      (drawn.promptTokens !== lengths?.promptTokens || drawn.outputTokens !== lengths.outputTokens)
    )
      shape = { promptTokens: drawn.promptTokens, outputTokens: drawn.outputTokens, prefixHitRate: 0 }
    lengths = drawn
    const mean = now === undefined ? 0 : scale * rate(own) * stepSeconds
    yield { requests: noisy(mean, (now?.cv ?? 1) ** 2, random), shape }
  }
}

/** A count with this mean and so many times the variance of a Poisson count: gamma, which is never negative. */
function noisy(mean: number, dispersion: number, random: Random): number {
  return mean > 0 ? dispersion * random.gamma(mean / dispersion) : 0
}
