// What Prometheus would answer about one variant: counters and gauges as they were scraped, rates over windows with
// PromQL's own extrapolation. The numbers are those that text, scrape and query would give, without the text.
import type { Histogram, LengthHistogram } from '../core/histogram.ts'
import type { ReplicaCounts, TypicalEngine, VariantSignals } from '../core/observation.ts'
import { defaultObserveOptions } from '../core/observe/queries.ts'
import { lookBackSeconds } from '../core/observe/series.ts'
import { type ShortPart, shortRate } from '../core/observe/shortRate.ts'
import { isMissing, missing, type Reading } from '../core/reading.ts'
import { extrapolated, slope } from '../simulation/seriesRate.ts'
import {
  boundsOf,
  cachedTokens,
  completions,
  type Distribution,
  eventsOf,
  generationTokens,
  offsetOf,
  preemptions,
  promptTokens,
  type Scrape,
  sumOf,
} from './tally.ts'

interface Target {
  scrapes: Scrape[]
  /** Its pod is gone: instants do not see it any more, windows still do. */
  gone: boolean
}

const { rateWindowSeconds, lengthWindowSeconds } = defaultObserveOptions

export class SignalWindow {
  private readonly targets = new Map<string, Target>()

  scraped(target: string, scrape: Scrape): void {
    const known = this.targets.get(target) ?? { scrapes: [], gone: false }
    this.targets.set(target, known)
    known.gone = false
    known.scrapes.push(scrape)
    const kept = known.scrapes.findIndex(({ at }) => at > scrape.at - lengthWindowSeconds)
    if (kept > 0) known.scrapes.splice(0, kept)
  }

  /** All targets but these are gone. */
  only(alive: ReadonlySet<string>, at: number): void {
    for (const [name, target] of this.targets) {
      if (!alive.has(name)) target.gone = true
      const last = target.scrapes.at(-1)
      if (last === undefined || last.at <= at - lengthWindowSeconds) this.targets.delete(name)
    }
  }

  signals(at: number, replicas: ReplicaCounts, kvTokens: number): VariantSignals {
    const newest = [...this.targets.values()].flatMap(({ scrapes, gone }) => (gone ? [] : scrapes.slice(-1)))
    const reporting = newest.reduce((sum, scrape) => sum + scrape.replicas, 0)
    const seen = <T>(value: () => T, name: string): Reading<T> => {
      if (reporting > 0) return value()
      return replicas.ready === 0 ? missing('noReplicas', name) : missing('noSeries', name)
    }
    const sum = (of: (scrape: Scrape) => number): number =>
      newest.reduce((total, scrape) => total + of(scrape), 0)
    const rate = (index: number, name: string): Reading => this.rate(at, index, name, replicas)
    const prompts = rate(promptTokens, 'prompt tokens')
    const cached = rate(cachedTokens, 'prefix cache hits')
    return {
      replicas,
      reporting: seen(() => reporting, 'replicas that report'),
      running: seen(() => sum(({ running }) => running), 'running requests'),
      waiting: seen(() => sum(({ waiting }) => waiting), 'waiting requests'),
      inSystemGrowthPerSecond: this.growth(at, replicas),
      completionsPerSecond: rate(completions, 'finished requests'),
      generationTokensPerSecond: rate(generationTokens, 'generated tokens'),
      preemptionsPerSecond: rate(preemptions, 'preemptions'),
      promptTokens: this.lengths(at, 'promptTokens', replicas),
      outputTokens: this.lengths(at, 'outputTokens', replicas),
      ttft: this.histogram(at, 'ttft', rateWindowSeconds, replicas),
      itl: this.histogram(at, 'itl', rateWindowSeconds, replicas),
      tpot: this.histogram(at, 'tpot', rateWindowSeconds, replicas),
      typicalEngine: this.typicalEngine(at, replicas),
      prefixHitRate:
        typeof prompts !== 'number' || typeof cached !== 'number'
          ? prompts
          : prompts > 0
            ? Math.min(1, cached / prompts)
            : missing('idle', 'prefix cache queries'),
      kvUsage: seen(
        () => Math.min(1, sum(({ kvUsage, replicas: many }) => kvUsage * many) / reporting),
        'KV cache usage',
      ),
      kvTokensPerReplica: seen(() => kvTokens, 'num_gpu_blocks'),
      arrivingNow: shortRate(
        rateWindowSeconds,
        (part) => this.firstTokens(at, part, replicas),
        (part) => this.mostSamples(at, part),
      ),
    }
  }

  /** Per second, over the window that the part is read over. */
  private firstTokens(at: number, part: ShortPart, replicas: ReplicaCounts): Reading {
    return this.perSecond(at, shortWindowSeconds(part), eventsOf('ttft')) ?? absent(replicas, 'first tokens')
  }

  private mostSamples(at: number, part: ShortPart): number {
    const from = at - shortWindowSeconds(part)
    let most = 0
    for (const { scrapes } of this.targets.values()) most = Math.max(most, within(scrapes, from, at).length)
    return most
  }

  /** A target that is new began at nothing, where some are not: as `rise` reads it (src/core/observe/series.ts). */
  private growth(at: number, replicas: ReplicaCounts): Reading {
    const then = at - rateWindowSeconds
    const inSystem = ({ running, waiting }: Scrape): number => running + waiting
    const targets = [...this.targets.values()].map(({ scrapes }) => ({
      before: within(scrapes, then - lookBackSeconds, then).at(-1),
      inside: within(scrapes, then, at),
    }))
    const isKnown = targets.some(({ before }) => before !== undefined)
    const known = targets.flatMap(({ before, inside }) => {
      if (!isKnown) return slope(inside.map((scrape) => ({ at: scrape.at, value: inSystem(scrape) }))) ?? []
      const last = inside.at(-1)
      const held = before === undefined ? 0 : inSystem(before)
      return last === undefined ? [] : (inSystem(last) - held) / rateWindowSeconds
    })
    if (known.length === 0) return absent(replicas, 'growth of running requests')
    return known.reduce((sum, line) => sum + line, 0)
  }

  private rate(at: number, index: number, name: string, replicas: ReplicaCounts): Reading {
    return this.perSecond(at, rateWindowSeconds, ({ counts }) => counts[index] ?? 0) ?? absent(replicas, name)
  }

  /** The rate of a counter over all targets that have one. */
  private perSecond(
    at: number,
    windowSeconds: number,
    counter: (scrape: Scrape) => number,
  ): number | undefined {
    const from = at - windowSeconds
    let total: number | undefined
    for (const { scrapes } of this.targets.values()) {
      const perSecond = rateOf(within(scrapes, from, at), from, at, counter)
      if (perSecond !== undefined) total = (total ?? 0) + perSecond
    }
    return total
  }

  /** A target that stands for several replicas counts as its mean one. */
  private typicalEngine(at: number, replicas: ReplicaCounts): Reading<TypicalEngine> {
    const from = at - rateWindowSeconds
    const typical = (value: (scrape: Scrape) => number): number | undefined =>
      median(
        [...this.targets.values()].flatMap(({ scrapes }) => {
          const perSecond = rateOf(within(scrapes, from, at), from, at, value)
          return perSecond === undefined ? [] : [perSecond / Math.max(1, scrapes.at(-1)?.replicas ?? 1)]
        }),
      )
    const gapsPerSecond = typical(eventsOf('itl'))
    const gapSecondsPerSecond = typical(sumOf('itl'))
    const firstTokensPerSecond = typical(eventsOf('ttft'))
    const ttftSecondsPerSecond = typical(sumOf('ttft'))
    return gapsPerSecond === undefined ||
      gapSecondsPerSecond === undefined ||
      firstTokensPerSecond === undefined ||
      ttftSecondsPerSecond === undefined
      ? absent(replicas, 'the typical engine')
      : { gapsPerSecond, gapSecondsPerSecond, firstTokensPerSecond, ttftSecondsPerSecond }
  }

  private lengths(
    at: number,
    name: 'promptTokens' | 'outputTokens',
    replicas: ReplicaCounts,
  ): Reading<LengthHistogram> {
    const histogram = this.histogram(at, name, lengthWindowSeconds, replicas)
    const events = this.perSecond(at, rateWindowSeconds, eventsOf(name))
    const sum = this.perSecond(at, rateWindowSeconds, sumOf(name))
    if (isMissing(histogram) || events === undefined || sum === undefined) return histogram
    return {
      ...histogram,
      seconds: lengthWindowSeconds,
      lately: { seconds: rateWindowSeconds, eventsPerSecond: events, sumPerSecond: sum },
    }
  }

  private histogram(
    at: number,
    name: Distribution,
    windowSeconds: number,
    replicas: ReplicaCounts,
  ): Reading<Histogram> {
    const upperBounds = boundsOf[name]
    const offset = offsetOf[name]
    const from = at - windowSeconds
    const cumulative = new Float64Array(upperBounds.length + 1)
    let sumPerSecond = 0
    let known = false
    for (const { scrapes } of this.targets.values()) {
      const inside = within(scrapes, from, at)
      const sum = rateOf(inside, from, at, ({ counts }) => counts[offset] ?? 0)
      if (sum === undefined) continue
      known = true
      sumPerSecond += sum
      const first = inside[0] as Scrape
      const last = inside.at(-1) as Scrape
      let firstValue = 0
      let lastValue = 0
      for (let bucket = 0; bucket < cumulative.length; bucket++) {
        firstValue += first.counts[offset + 1 + bucket] ?? 0
        lastValue += last.counts[offset + 1 + bucket] ?? 0
        const increase = lastValue - firstValue
        if (increase <= 0) continue
        const seen = { increase, firstValue, firstAt: first.at, lastAt: last.at, samples: inside.length }
        cumulative[bucket] = (cumulative[bucket] ?? 0) + extrapolated(seen, from, at)
      }
    }
    if (!known) return absent(replicas, name)
    let below = 0
    const perSecond = Array.from(cumulative, (upTo) => {
      const inBucket = Math.max(0, upTo - below)
      below = Math.max(below, upTo)
      return inBucket
    })
    return below > 0 ? { upperBounds, perSecond, sumPerSecond } : missing('idle', name)
  }
}

/** `fine…` and `coarse…`: as the queries of src/core/observe/shortRate.ts read them. */
function shortWindowSeconds(part: ShortPart): number {
  return Math.round(rateWindowSeconds * (part.startsWith('fine') ? 1 / 6 : 1 / 2))
}

/** As PromQL's quantile(0.5, ...) has it: between the two in the middle where there are two. */
function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((x, y) => x - y)
  const low = sorted[Math.floor((sorted.length - 1) / 2)]
  const high = sorted[Math.ceil((sorted.length - 1) / 2)]
  return low === undefined || high === undefined ? undefined : (low + high) / 2
}

function absent({ ready }: ReplicaCounts, name: string): ReturnType<typeof missing> {
  return missing(ready === 0 ? 'noReplicas' : 'noSeries', name)
}

function rateOf(
  inside: readonly Scrape[],
  from: number,
  to: number,
  value: (scrape: Scrape) => number,
): number | undefined {
  const first = inside[0]
  const last = inside.at(-1)
  if (first === undefined || last === undefined || last.at <= first.at) return undefined
  const firstValue = value(first)
  const increase = value(last) - firstValue
  return extrapolated(
    { increase, firstValue, firstAt: first.at, lastAt: last.at, samples: inside.length },
    from,
    to,
  )
}

function within(scrapes: readonly Scrape[], from: number, to: number): readonly Scrape[] {
  let first = scrapes.length
  while (first > 0 && (scrapes[first - 1]?.at ?? from) > from) first--
  let end = scrapes.length
  while (end > first && (scrapes[end - 1]?.at ?? to) > to) end--
  return first === 0 && end === scrapes.length ? scrapes : scrapes.slice(first, end)
}
