// Traffic straight from Prometheus: what arrived of each class, by the queries and the mapping of `serve`, as the rate series
// that --trace reads. What is not known is told and filled in, or refused; it is never taken as no traffic.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { arrivedAt, asArriving, untold } from '../backtest/traffic/arrived.ts'
import { type Gap, type ObservedSeries, SeriesLog } from '../backtest/traffic/observedSeries.ts'
import { mostMissing } from '../backtest/traffic/readRates.ts'
import { rateSeriesText } from '../backtest/traffic/writeRates.ts'
import { withReplicas } from '../core/observe/ownSeries.ts'
import { type PolicySet, serves, type TrafficClass } from '../core/policy.ts'
import { instantsOf, type Span } from '../core/span.ts'
import { systemClock } from '../loop/clock.ts'
import { inParts, type ObservePast } from '../loop/pastParts.ts'
import { durationText } from '../policy/quantity.ts'
import { ownPast, prometheusObserver } from '../prometheus/observer.ts'
import { type ClassName, classNames } from './classNames.ts'
import type { Flags, Terminal, Values } from './command.ts'
import { CommandError, exitCodes, usageError } from './exit.ts'
import { metricsFlags, observeOptionsOf, prometheusClientFor } from './observing.ts'
import { progress } from './progress.ts'
import { type RateReading, type SourceDescription, scanSeries } from './traceFiles.ts'
import { instantFlag } from './values.ts'

export const observedFlags = {
  from: {
    type: 'string',
    placeholder: 'TIME',
    text: "with --prometheus: its traffic since then, such as '7d ago'",
  },
  to: { type: 'string', placeholder: 'TIME', text: 'with --prometheus: until then (default now)' },
  'save-traffic': {
    type: 'string',
    placeholder: 'DIR',
    text: 'with --prometheus: also write what was read, a file per class for --trace',
  },
  ...metricsFlags,
} as const satisfies Flags

interface Asked {
  readonly policies: PolicySet
  /** Indices of the classes whose traffic is to be read. */
  readonly classes: readonly number[]
  readonly reading: RateReading
}

interface ObservedClass {
  readonly classIndex: number
  readonly source: SourceDescription
  readonly seconds: number
  readonly beginsAtSeconds?: number
}

/** Of all windows; beyond it what is filled in is no longer beside the point. */
const mostMissingShare = 0.2
const mostWindows = 1_000_000
/** Longer lists of gaps tell nobody more. */
const shownGaps = 5

/** Throws a usage error where flags that need each other are given alone. */
export function requireObservable(values: Values<typeof observedFlags>): void {
  if (values.prometheus === undefined) {
    const lone = (['from', 'to', 'save-traffic'] as const).find((flag) => values[flag] !== undefined)
    if (lone !== undefined) throw usageError(`--${lone} is for traffic from --prometheus URL`)
  } else if (values.from === undefined)
    throw usageError("--prometheus needs --from TIME: since when, such as --from '7d ago'")
}

/** Throws CommandError where the traffic of one of the classes cannot be told. */
export async function observedTraffic(
  values: Values<typeof observedFlags>,
  { policies, classes, reading }: Asked,
  terminal: Terminal,
): Promise<readonly ObservedClass[]> {
  const all = classNames(policies)
  const asked = classes.flatMap((index) => all[index] ?? [])
  requireTold(policies, asked, terminal)
  const { rateWindowSeconds } = observeOptionsOf(values)
  const span = spanOf(values, rateWindowSeconds)
  const logs = await readLogs(values, policies, asked, span, terminal)
  const { fromSeconds, untilSeconds } = commonSpan(asked, logs, span, terminal)
  const found = asked.map(({ shortest }, index): ObservedClass => {
    const series = (logs[index] as SeriesLog).series(fromSeconds, untilSeconds)
    const windows = (untilSeconds - fromSeconds) / rateWindowSeconds
    tellGaps(shortest, series, { windows, windowSeconds: rateWindowSeconds, ...reading }, terminal)
    tellLengths(shortest, series, terminal)
    const text = rateSeriesText(series.rows)
    const scanned = scanSeries({ kind: 'rateText', name: `Prometheus, ${shortest}`, text, ...reading })
    const { description, seconds, beginsAtSeconds } = scanned
    return {
      ...{ classIndex: classes[index] as number, source: description, seconds },
      ...(beginsAtSeconds === undefined ? {} : { beginsAtSeconds }),
    }
  })
  if (values['save-traffic'] !== undefined) await save(values['save-traffic'], asked, found, terminal)
  return found
}

/** A backlog says what waits, not what came: such a class needs traffic of its own, and cannot be told from others. */
function requireTold(policies: PolicySet, asked: readonly ClassName[], terminal: Terminal): void {
  const silent = untold(policies)
  for (const { trafficClass, shortest } of asked)
    if (silent.includes(trafficClass))
      throw new CommandError(
        exitCodes.failed,
        `class ${shortest}: its demand is a backlog, which does not tell what arrives. Give demand.requestsPerSecond beside it, or its traffic as --trace ${shortest}=FILE or --synthetic ${shortest}=KIND:...`,
      )
  for (const { trafficClass, shortest } of asked) {
    const policy = policies.policies.find(({ classes }) => classes.includes(trafficClass))
    const beside = silent.filter((other) => sharesEngines(policy?.variants ?? [], trafficClass, other))
    if (trafficClass.demand.kind === 'engine' && policy !== undefined && beside.length > 0)
      terminal.error(
        `note: ${shortest}: its engines also serve ${beside.map(({ name }) => name).join(', ')}, whose requests cannot be told apart: counted as ${shortest}\n`,
      )
  }
}

function sharesEngines(
  variants: PolicySet['policies'][number]['variants'],
  one: TrafficClass,
  other: TrafficClass,
): boolean {
  return variants.some((variant) => serves(variant, one) && serves(variant, other))
}

/** Whole windows; each instant is the end of one. */
function spanOf(values: Values<typeof observedFlags>, windowSeconds: number): Span {
  const now = systemClock.now()
  const from = instantFlag('from', values.from ?? '', now)
  const to = values.to === undefined ? now : Math.min(now, instantFlag('to', values.to, now))
  if (!(from < to))
    throw usageError(`--from must lie before --to: got "${values.from}" and "${values.to ?? 'now'}"`)
  const first = Math.ceil(from / windowSeconds - 1e-9) * windowSeconds
  const until = Math.floor(to / windowSeconds + 1e-9) * windowSeconds
  const windows = (until - first) / windowSeconds
  if (windows < 2) throw usageError(`--from to --to must hold at least two windows of ${windowSeconds} s`)
  if (windows > mostWindows)
    throw usageError(
      `--from to --to must hold at most ${mostWindows} windows of ${windowSeconds} s: raise --window`,
    )
  return { from: first + windowSeconds, until, stepSeconds: windowSeconds }
}

async function readLogs(
  values: Values<typeof observedFlags>,
  stated: PolicySet,
  asked: readonly ClassName[],
  span: Span,
  terminal: Terminal,
): Promise<readonly SeriesLog[]> {
  const policies = asArriving(stated)
  const options = observeOptionsOf(values)
  const client = prometheusClientFor(values)
  const observer = prometheusObserver(client, options)
  const own = ownPast(client, options.matchers)
  // With the replicas that a running scaler recorded: they tell "none ran" from "none was seen".
  const observePast: ObservePast = async (set, part, signals, signal) => {
    const [past, recorded] = await Promise.all([
      observer.observePast(set, part, signals, signal),
      own.replicas(part, signal),
    ])
    return past.map((observation, index) => withReplicas(observation, recorded[index] ?? {}, {}))
  }
  const logs = asked.map(({ trafficClass }) => new SeriesLog(trafficClass, span.stepSeconds))
  const total = instantsOf(span).length
  const shown = progress(terminal, 'windows read from Prometheus', total)
  let read = 0
  try {
    for await (const part of inParts(policies, span, 'traffic', observePast, terminal.signal)) {
      for (const observation of part) {
        const arrived = arrivedAt(policies, observation)
        for (const [index, { trafficClass }] of asked.entries()) {
          const one = arrived[trafficClass.id]
          if (one !== undefined) logs[index]?.enter(observation.at, one)
        }
      }
      read += part.length
      shown.done(read)
    }
    return logs
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandError(
      exitCodes.failed,
      `the traffic cannot be read from Prometheus: ${why}. Check --prometheus, its credentials, and that it is reachable from here`,
      { cause: error },
    )
  } finally {
    shown.end()
    client.close()
  }
}

/** From the first to the last window of which all classes are known: a class that has no data yet has no zero traffic. */
function commonSpan(
  asked: readonly ClassName[],
  logs: readonly SeriesLog[],
  { from, until, stepSeconds }: Span,
  terminal: Terminal,
): { readonly fromSeconds: number; readonly untilSeconds: number } {
  const known = asked.map(({ shortest }, index) => {
    const span = logs[index]?.known
    if (span !== undefined) return { shortest, ...span }
    throw new CommandError(
      exitCodes.failed,
      `class ${shortest}: Prometheus knows nothing of its traffic from ${iso(from - stepSeconds)} to ${iso(until)} (${whyText(logs[index]?.why)}). Missing is not zero: give it as --trace ${shortest}=FILE or --synthetic ${shortest}=KIND:...`,
    )
  })
  const fromSeconds = Math.max(...known.map((span) => span.fromSeconds))
  const untilSeconds = Math.min(...known.map((span) => span.untilSeconds))
  if (untilSeconds - fromSeconds < 2 * stepSeconds)
    throw new CommandError(exitCodes.failed, 'there is no time of which the traffic of all classes is known')
  const latest = known.find((span) => span.fromSeconds === fromSeconds)
  const earliest = known.find((span) => span.untilSeconds === untilSeconds)
  if (fromSeconds > from - stepSeconds)
    terminal.error(
      `note: ${latest?.shortest}: nothing is known before ${iso(fromSeconds)}: the traffic begins there\n`,
    )
  if (untilSeconds < until)
    terminal.error(
      `note: ${earliest?.shortest}: nothing is known after ${iso(untilSeconds)}: the traffic ends there\n`,
    )
  return { fromSeconds, untilSeconds }
}

interface Windows extends RateReading {
  readonly windows: number
  readonly windowSeconds: number
}

/** Throws where what is missing is too long, or too much. */
function tellGaps(
  name: string,
  { gaps }: ObservedSeries,
  { windows, windowSeconds, bridgeSeconds }: Windows,
  terminal: Terminal,
): void {
  const lengthOf = (gap: Gap): number => gap.untilSeconds - gap.fromSeconds
  const longest = [...gaps].sort((x, y) => lengthOf(y) - lengthOf(x))
  const [worst] = longest
  if (worst === undefined) return
  const gapText = (gap: Gap): string =>
    `${durationText(lengthOf(gap))} from ${iso(gap.fromSeconds)} (${whyText(gap.why)})`
  const most = Math.max(mostMissing * windowSeconds, bridgeSeconds)
  if (lengthOf(worst) > most)
    throw new CommandError(
      exitCodes.failed,
      `class ${name}: nothing is known for ${gapText(worst)}, and missing is not zero: --bridge ${durationText(lengthOf(worst))} fills it in by a straight line; or choose --from and --to beside it`,
    )
  const share = gaps.reduce((sum, gap) => sum + lengthOf(gap), 0) / (windows * windowSeconds)
  const shareText = `${Number((100 * share).toPrecision(2))} %`
  if (share > mostMissingShare)
    throw new CommandError(
      exitCodes.failed,
      `class ${name}: ${shareText} of its traffic is not known, in ${gaps.length} gaps, the longest ${gapText(worst)}: at most ${100 * mostMissingShare} % are filled in`,
    )
  const more = gaps.length > shownGaps ? `; and ${gaps.length - shownGaps} shorter ones` : ''
  terminal.error(
    `note: ${name}: ${shareText} of its traffic is not known and filled in by straight lines: ${longest.slice(0, shownGaps).map(gapText).join('; ')}${more}\n`,
  )
}

function tellLengths(name: string, { lengths, prefixHitRate }: ObservedSeries, terminal: Terminal): void {
  if (lengths === 'assumed')
    terminal.error(`note: ${name}: no lengths are known: those that its policy assumes are taken\n`)
  if (prefixHitRate >= 0.05)
    terminal.error(
      `note: ${name}: engines found ${Math.round(100 * prefixHitRate)} % of prompt tokens in their prefix caches; the simulation computes them all\n`,
    )
}

function whyText(why: Gap['why'] | undefined): string {
  if (why === undefined) return 'no reason is known'
  return why.detail === undefined ? why.missing : `${why.missing}: ${why.detail}`
}

async function save(
  directory: string,
  asked: readonly ClassName[],
  found: readonly ObservedClass[],
  terminal: Terminal,
): Promise<void> {
  try {
    await mkdir(directory, { recursive: true })
    for (const [index, { shortest }] of asked.entries()) {
      const source = found[index]?.source
      if (source?.kind !== 'rateText') continue
      const file = join(directory, `${shortest.replaceAll('/', '.')}.csv`)
      await writeFile(file, source.text)
      terminal.error(`wrote ${file}: --trace ${shortest}=${file} plays it again\n`)
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandError(exitCodes.failed, `--save-traffic cannot be written: ${why}`, { cause: error })
  }
}

function iso(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
