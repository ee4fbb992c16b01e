// Scraped metrics in memory, for the demo, which has no Prometheus: what Prometheus keeps about targets
// (`up`, staleness, labels of the target over those of the series), for as long as the windows look back.

import { lookBackSeconds, type SeriesRead } from '../core/observe/series.ts'
import { rate, type Sample, slope } from './seriesRate.ts'
import { type Labels, parseExposition, type SeriesName, seriesName } from './seriesText.ts'

interface Series {
  readonly labels: Labels
  /** Labels as one text: equal texts, equal labels. */
  readonly identity: string
  readonly samples: Sample[]
  /** When it vanished from its target. Instants from then on do not see it; windows still do. */
  goneAt: number
}

/** A series without its name, and what it reads at an instant. */
export interface ReadSeries {
  readonly labels: Labels
  readonly identity: string
  readonly value: number
}

export class SeriesStore {
  private readonly keepSeconds: number
  private readonly byName = new Map<string, Map<string, Series>>()
  /** By target and by `name{labels}` as the target writes it. */
  private readonly byTarget = new Map<string, Map<string, Series>>()
  private sweptAt = Number.NEGATIVE_INFINITY

  /** `keepSeconds`: the longest window of any query. */
  constructor(keepSeconds: number) {
    this.keepSeconds = Math.max(lookBackSeconds, keepSeconds)
  }

  /** A successful scrape; text that cannot be parsed makes it a failed one. Scrapes come in order of time. */
  scrape(target: Labels, text: string, at: number): void {
    const exposition = parseExposition(text)
    const known = this.seriesOfTarget(target)
    const fresh = exposition.kind === 'samples' ? freshNames(exposition.samples, known) : undefined
    if (exposition.kind === 'malformed' || fresh === undefined) {
      this.scrapeFailed(target, at)
      return
    }
    for (const [written, name] of fresh) known.set(written, this.adopt(target, name))
    for (const [written, series] of known) {
      const value = exposition.samples.get(written)
      if (value !== undefined) this.append(series, at, value)
      else {
        series.goneAt = at
        known.delete(written)
      }
    }
    this.append(this.seriesNamed('up', target), at, 1)
    this.sweep(at)
  }

  scrapeFailed(target: Labels, at: number): void {
    this.vanish(target, at)
    this.append(this.seriesNamed('up', target), at, 0)
  }

  /** Service discovery lost the target: its series end at once. */
  targetGone(target: Labels, at: number): void {
    this.vanish(target, at)
    this.seriesNamed('up', target).goneAt = at
  }

  /** All series of a metric that have a value at `at`. */
  read(metric: string, read: SeriesRead, at: number): readonly ReadSeries[] {
    const found: ReadSeries[] = []
    for (const { labels, identity, samples, goneAt } of this.byName.get(metric)?.values() ?? []) {
      const value = readSamples(samples, goneAt, read, at)
      if (value !== undefined) found.push({ labels, identity, value })
    }
    return found
  }

  private seriesOfTarget(target: Labels): Map<string, Series> {
    const identity = identityOf(target)
    const known = this.byTarget.get(identity) ?? new Map<string, Series>()
    this.byTarget.set(identity, known)
    return known
  }

  private adopt(target: Labels, { name, labels }: SeriesName): Series {
    const own = Object.entries(labels).map(([label, value]) =>
      Object.hasOwn(target, label) ? ([`exported_${label}`, value] as const) : ([label, value] as const),
    )
    return this.seriesNamed(name, { ...Object.fromEntries(own), ...target })
  }

  private seriesNamed(name: string, labels: Labels): Series {
    const named = this.byName.get(name) ?? new Map<string, Series>()
    this.byName.set(name, named)
    const identity = identityOf(labels)
    const known = named.get(identity)
    if (known !== undefined) return known
    const series: Series = { labels, identity, samples: [], goneAt: Number.POSITIVE_INFINITY }
    named.set(identity, series)
    return series
  }

  private append(series: Series, at: number, value: number): void {
    const { samples } = series
    if ((samples.at(-1)?.at ?? Number.NEGATIVE_INFINITY) >= at) return
    series.goneAt = Number.POSITIVE_INFINITY
    samples.push({ at, value })
    const kept = samples.findIndex((sample) => sample.at >= at - this.keepSeconds)
    if (kept > 0) samples.splice(0, kept)
  }

  private vanish(target: Labels, at: number): void {
    for (const series of this.seriesOfTarget(target).values()) series.goneAt = at
    this.byTarget.delete(identityOf(target))
  }

  /** Forgets series that nothing can see any more; their targets may write them anew. */
  private sweep(at: number): void {
    if (at - this.sweptAt < this.keepSeconds / 4) return
    this.sweptAt = at
    const isOver = ({ samples }: Series): boolean =>
      (samples.at(-1)?.at ?? Number.NEGATIVE_INFINITY) < at - this.keepSeconds
    for (const written of [...this.byName.values(), ...this.byTarget.values()]) {
      for (const [key, series] of written) if (isOver(series)) written.delete(key)
    }
    for (const [name, named] of this.byName) if (named.size === 0) this.byName.delete(name)
  }
}

/** Series that the target did not have before; undefined where a name is malformed. */
function freshNames(
  samples: ReadonlyMap<string, number>,
  known: ReadonlyMap<string, Series>,
): ReadonlyMap<string, SeriesName> | undefined {
  const fresh = new Map<string, SeriesName>()
  for (const written of samples.keys()) {
    if (known.has(written)) continue
    const name = seriesName(written)
    if (name === undefined) return undefined
    fresh.set(written, name)
  }
  return fresh
}

function readSamples(
  samples: readonly Sample[],
  goneAt: number,
  read: SeriesRead,
  at: number,
): number | undefined {
  switch (read.kind) {
    case 'newest':
    case 'newestAt': {
      const newest = samples.findLast((sample) => sample.at <= at)
      if (newest === undefined || goneAt <= at || newest.at <= at - lookBackSeconds) return undefined
      if (read.kind === 'newestAt') return newest.at
      return newest.at >= at - read.maxAgeSeconds ? newest.value : undefined
    }
    case 'newborn': {
      const then = at - read.windowSeconds
      const old = within(samples, then - lookBackSeconds, then).length > 0
      return old ? undefined : readSamples(samples, goneAt, { ...read, kind: 'newest' }, at)
    }
    case 'last':
      return within(samples, at - read.windowSeconds, at).at(-1)?.value
    case 'samples': {
      const count = within(samples, at - read.windowSeconds, at).length
      return count > 0 ? count : undefined
    }
    case 'rate': {
      const from = at - read.windowSeconds
      return rate(within(samples, from, at), from, at)
    }
    case 'rise': {
      const now = readSamples(samples, goneAt, { ...read, kind: 'last' }, at)
      const before = readSamples(samples, goneAt, { ...read, kind: 'before' }, at) ?? 0
      return now === undefined ? undefined : (now - before) / read.windowSeconds
    }
    case 'before': {
      const then = at - read.windowSeconds
      return within(samples, then - lookBackSeconds, then).at(-1)?.value
    }
    case 'slope':
      return slope(within(samples, at - read.windowSeconds, at))
  }
}

function within(samples: readonly Sample[], from: number, to: number): readonly Sample[] {
  return samples.filter(({ at }) => at > from && at <= to)
}

function identityOf(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))
}
