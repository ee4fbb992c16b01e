// Instants of the past, one after the other, to the rate series of a class: what was measured, window by window. What was
// not is left out and told: missing is not zero traffic. Bounded by one number per window and a few lengths per hour.
import type { LengthBin } from '../../core/capacity/question.ts'
import { assumedLengths } from '../../core/capacity/shape.ts'
import { dispersionOf } from '../../core/demand/burst.ts'
import type { ShortRate } from '../../core/observation.ts'
import type { TrafficClass } from '../../core/policy.ts'
import { isMissing, type Missing } from '../../core/reading.ts'
import type { Arrived } from './arrived.ts'
import type { LengthFigures } from './lengthPoints.ts'
import type { RateRow } from './writeRates.ts'

/** Lengths, and bursts, are those of an hour: of a minute they are noise, and each set of lengths costs the fluid plant a table. */
const blockSeconds = 3600

export interface Gap {
  readonly fromSeconds: number
  readonly untilSeconds: number
  readonly why: Missing
}

export interface ObservedSeries {
  /** In order of time; windows that are not known are absent. */
  readonly rows: readonly RateRow[]
  readonly gaps: readonly Gap[]
  readonly lengths: 'observed' | 'assumed'
  /** Of prompt tokens, the share that engines found in their caches. */
  readonly prefixHitRate: number
}

interface Lengths {
  readonly prompt: LengthFigures
  readonly output: LengthFigures
}

/** What an hour came to. */
interface Block {
  readonly index: number
  /** Rates of the windows whose lengths are known, summed. */
  readonly requests: number
  readonly hits: number
  /** Absent where nothing came. */
  readonly lengths?: Lengths
  readonly burst?: { readonly requests: number; readonly dispersion: number }
}

export class SeriesLog {
  private readonly trafficClass: TrafficClass
  private readonly windowSeconds: number
  private readonly windows: (number | Missing)[] = []
  private readonly blocks: Block[] = []
  private open: OpenBlock | undefined = undefined
  private first: number | undefined = undefined

  constructor(trafficClass: TrafficClass, windowSeconds: number) {
    this.trafficClass = trafficClass
    this.windowSeconds = windowSeconds
  }

  /** `at` is the window's end. Each window follows on the one before. */
  enter(at: number, { requestsPerSecond, lengths, now }: Arrived): void {
    const from = at - this.windowSeconds
    this.first ??= from
    this.windows.push(requestsPerSecond)
    if (isMissing(requestsPerSecond)) return
    if (this.open?.index !== blockOf(from)) this.close()
    this.open ??= new OpenBlock(blockOf(from))
    this.open.enter(requestsPerSecond, lengths, now)
  }

  /** Windows that are known begin and end here; undefined where there is none. */
  get known(): { readonly fromSeconds: number; readonly untilSeconds: number } | undefined {
    const windows = whole(this.windows)
    const first = windows.findIndex((rate) => !isMissing(rate))
    const last = windows.findLastIndex((rate) => !isMissing(rate))
    return first < 0 ? undefined : { fromSeconds: this.startOf(first), untilSeconds: this.startOf(last + 1) }
  }

  /** Why the newest unknown window is. */
  get why(): Missing | undefined {
    return this.windows.findLast((rate) => isMissing(rate))
  }

  series(fromSeconds: number, untilSeconds: number): ObservedSeries {
    this.close()
    const lengths = lengthsOf(this.blocks, this.trafficClass)
    const cv = cvOf(this.blocks)
    const rows: RateRow[] = []
    const gaps: Gap[] = []
    for (const [index, rate] of whole(this.windows).entries()) {
      const from = this.startOf(index)
      if (from < fromSeconds || from >= untilSeconds) continue
      if (!isMissing(rate)) {
        rows.push({
          fromSeconds: from,
          requestsPerSecond: rate,
          ...lengths.at(blockOf(from)),
          ...(cv === undefined ? {} : { cv }),
        })
        continue
      }
      const before = gaps.at(-1)
      const joins = before !== undefined && before.untilSeconds === from
      const gap = { fromSeconds: joins ? before.fromSeconds : from, untilSeconds: from + this.windowSeconds }
      gaps.splice(joins ? -1 : gaps.length, 1, { ...gap, why: joins ? before.why : rate })
    }
    return { rows, gaps, lengths: lengths.origin, prefixHitRate: hitsOf(this.blocks) }
  }

  private startOf(index: number): number {
    return (this.first ?? 0) + index * this.windowSeconds
  }

  private close(): void {
    if (this.open !== undefined) this.blocks.push(this.open.closed())
    this.open = undefined
  }
}

/** Beside a window that is not known, one may be known in part only: its rate would count the rest as nothing. */
function whole(windows: readonly (number | Missing)[]): readonly (number | Missing)[] {
  return windows.map((rate, index) => {
    if (isMissing(rate)) return rate
    const [before, after] = [windows[index - 1] ?? rate, windows[index + 1] ?? rate]
    if (isMissing(before)) return before
    return isMissing(after) ? after : rate
  })
}

function blockOf(fromSeconds: number): number {
  return Math.floor(fromSeconds / blockSeconds)
}

class OpenBlock {
  readonly index: number
  private requests = 0
  private hits = 0
  private readonly prompt: LengthBin[] = []
  private readonly output: LengthBin[] = []
  private readonly bursts: ShortRate[] = []

  constructor(index: number) {
    this.index = index
  }

  enter(rate: number, { origin, shape }: Arrived['lengths'], now: Arrived['now']): void {
    if (!isMissing(now)) this.bursts.push(now)
    if (origin !== 'observed' || !(rate > 0)) return
    const weighted = ({ tokens, weight }: LengthBin): LengthBin => ({ tokens, weight: weight * rate })
    this.requests += rate
    this.hits += rate * shape.prefixHitRate
    this.prompt.push(...shape.promptTokens.map(weighted))
    this.output.push(...shape.outputTokens.map(weighted))
  }

  closed(): Block {
    const dispersion = dispersionOf(this.bursts)
    const arrived = this.bursts.reduce((total, { requestsPerSecond }) => total + requestsPerSecond, 0)
    return {
      index: this.index,
      requests: this.requests,
      hits: this.hits,
      ...(this.requests > 0
        ? { lengths: { prompt: figuresOf(this.prompt), output: figuresOf(this.output) } }
        : {}),
      ...(dispersion === undefined ? {} : { burst: { requests: arrived, dispersion } }),
    }
  }
}

/** A block without requests has the lengths of the last one that had some, or of the first. */
function lengthsOf(
  blocks: readonly Block[],
  { assumedShape }: TrafficClass,
): { readonly origin: ObservedSeries['lengths']; readonly at: (block: number) => Lengths } {
  const known = blocks.flatMap(({ index, lengths }) => (lengths === undefined ? [] : [{ index, lengths }]))
  const [first] = known
  if (first === undefined) {
    const assumed = {
      prompt: figuresOf(assumedLengths(assumedShape.promptTokens)),
      output: figuresOf(assumedLengths(assumedShape.outputTokens)),
    }
    return { origin: 'assumed', at: () => assumed }
  }
  return {
    origin: 'observed',
    at: (block) => (known.findLast(({ index }) => index <= block) ?? first).lengths,
  }
}

function figuresOf(bins: readonly LengthBin[]): LengthFigures {
  const sorted = [...bins].sort((x, y) => x.tokens - y.tokens)
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0)
  const mean = sorted.reduce((sum, { tokens, weight }) => sum + tokens * weight, 0) / total
  const quantile = (share: number): number => quantileOf(sorted, share * total)
  return { mean, p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) }
}

/** Straight between the points' middles. */
function quantileOf(sorted: readonly LengthBin[], rank: number): number {
  let below = 0
  let before: { readonly rank: number; readonly tokens: number } | undefined
  for (const { tokens, weight } of sorted) {
    const middle = below + weight / 2
    if (middle >= rank) {
      if (before === undefined) return tokens
      return before.tokens + ((tokens - before.tokens) * (rank - before.rank)) / (middle - before.rank)
    }
    before = { rank: middle, tokens }
    below += weight
  }
  return before?.tokens ?? 1
}

/** One figure for the series, as requests are drawn with one: hours by their rate. */
function cvOf(blocks: readonly Block[]): number | undefined {
  const bursts = blocks.flatMap(({ burst }) => (burst === undefined ? [] : [burst]))
  const weight = bursts.reduce((sum, { requests }) => sum + requests, 0)
  if (!(weight > 0)) return undefined
  return Math.sqrt(bursts.reduce((sum, { requests, dispersion }) => sum + requests * dispersion, 0) / weight)
}

function hitsOf(blocks: readonly Block[]): number {
  const requests = blocks.reduce((sum, block) => sum + block.requests, 0)
  return requests > 0 ? blocks.reduce((sum, { hits }) => sum + hits, 0) / requests : 0
}
