// From what was written down to the scores: attainment by request and by minute, latencies, goodput, money, events.
// Only what arrived after the warm-up counts, and what had not ended when the simulation did counts as late.
import type { VariantId } from '../core/policy.ts'
import type { Latencies } from '../simulation/latencies.ts'
import type { Spent } from './plant.ts'
import { figure, type Recorder, totalDollars } from './record.ts'
import type {
  ClassResult,
  MinuteDecision,
  MinuteSeries,
  Percentiles,
  Result,
  ResultSettings,
  VariantResult,
} from './result.ts'
import type { ClassService, ServiceBook } from './serviceBook.ts'
import type { ClassGoal, Site, SiteClass, SiteVariant } from './site.ts'
import { type LayerSeconds, spendingOf } from './spendingBook.ts'

interface Written {
  readonly site: Site
  readonly service: ServiceBook
  readonly controller: string
  readonly settings: ResultSettings
  /** At the end of the warm-up and of the traffic. */
  readonly before: Readonly<Record<VariantId, Spent>>
  readonly after: Readonly<Record<VariantId, Spent>>
  readonly minutes: MinuteSeries
  readonly decisions: readonly MinuteDecision[]
  readonly recorder: Recorder
  readonly spending?: LayerSeconds
}

export function resultOf(written: Written): Result {
  const { site, service, controller, settings, before, after, recorder, minutes, decisions, spending } =
    written
  const scoredSeconds = settings.untilSeconds - settings.warmupSeconds
  const dollars = totalDollars(after) - totalDollars(before)
  const dollarsPerHour = figure((dollars / scoredSeconds) * 3600)
  const variants = site.variants.map((variant) => variantResult(variant, written))
  const gpuHours: Record<string, number> = {}
  for (const { acceleratorType, gpuHours: hours } of variants)
    gpuHours[acceleratorType] = figure((gpuHours[acceleratorType] ?? 0) + hours)
  return {
    format: 'mixscaler-backtest/1',
    controller,
    settings,
    scoredSeconds,
    classes: site.classes.map((siteClass, classIndex) =>
      classResult(siteClass, service.classOf(classIndex), settings, scoredSeconds),
    ),
    variants,
    dollars: figure(dollars),
    dollarsPerHour,
    gpuHours,
    events: recorder.allEvents(),
    ...(spending === undefined ? {} : { spending: spendingOf(spending, dollarsPerHour, scoredSeconds) }),
    ...(decisions.length === 0 ? {} : { decisions }),
    minutes,
  }
}

function classResult(
  { id, name, goal }: SiteClass,
  service: ClassService,
  settings: ResultSettings,
  scoredSeconds: number,
): ClassResult {
  const first = Math.ceil(settings.warmupSeconds / 60)
  const total = (counts: Float64Array): number =>
    counts.subarray(first).reduce((sum, count) => sum + count, 0)
  const { arrived, finished, good, ttftGood, gapGood } = service.minutes
  const requests = total(arrived)
  const kept = minutesKept(goal, service, first)
  return {
    id,
    name,
    kind: goal.kind,
    requests: figure(requests),
    unfinished: figure(Math.max(0, requests - total(finished))),
    ...(requests > 0
      ? {
          attainment: {
            all: figure(total(good) / requests),
            ttft: figure(total(ttftGood) / requests),
            gap: figure(total(gapGood) / requests),
          },
        }
      : {}),
    ...(kept === undefined ? {} : { minutesKept: figure(kept) }),
    ...percentilesOf('ttftSeconds', service.ttft),
    ...percentilesOf('itlSeconds', service.itl),
    ...percentilesOf('tpotSeconds', service.tpot),
    ...percentilesOf('completionSeconds', service.completion),
    goodRequestsPerSecond: figure(total(good) / scoredSeconds),
    goodTokensPerSecond: figure(service.goodOutputTokens / scoredSeconds),
    ...(goal.kind === 'tolerant' ? { deadlineMisses: figure(Math.max(0, requests - total(good))) } : {}),
  }
}

/** A minute is kept when the share of its requests within each bound is at least that bound's percentile. */
function minutesKept(goal: ClassGoal, { minutes }: ClassService, first: number): number | undefined {
  let busy = 0
  let kept = 0
  for (let minute = first; minute < minutes.arrived.length; minute++) {
    const arrived = minutes.arrived[minute] ?? 0
    if (arrived <= 0) continue
    busy++
    const share = (counts: Float64Array): number => (counts[minute] ?? 0) / arrived + 1e-9
    const holds =
      goal.kind === 'tolerant'
        ? share(minutes.good) >= 1
        : share(minutes.ttftGood) >= goal.percentiles.ttft && share(minutes.gapGood) >= goal.percentiles.gap
    if (holds) kept++
  }
  return busy > 0 ? kept / busy : undefined
}

function percentilesOf<Name extends string>(
  name: Name,
  latencies: Latencies,
): Readonly<Partial<Record<Name, Percentiles>>> {
  const at = (q: number): number => figure(latencies.quantile(q) ?? 0)
  if (latencies.count <= 0) return {} as Record<Name, never>
  return { [name]: { p50: at(0.5), p95: at(0.95), p99: at(0.99) } } as Record<Name, Percentiles>
}

function variantResult(
  { id, name, acceleratorType, gpusPerReplica }: SiteVariant,
  { before, after, recorder }: Written,
): VariantResult {
  const since = (of: (spent: Spent) => number): number => {
    const [then, now] = [before[id], after[id]]
    return then === undefined || now === undefined ? 0 : of(now) - of(then)
  }
  const events = recorder.events[id]
  const replicaHours = since(({ replicaSeconds }) => replicaSeconds) / 3600
  return {
    id,
    name,
    acceleratorType,
    dollars: figure(since(({ dollars }) => dollars)),
    gpuHours: figure(replicaHours * gpusPerReplica),
    replicaHours: figure(replicaHours),
    startingReplicaMinutes: figure(since(({ startingSeconds }) => startingSeconds) / 60),
    scaleUps: events?.scaleUps ?? 0,
    scaleDowns: events?.scaleDowns ?? 0,
  }
}
