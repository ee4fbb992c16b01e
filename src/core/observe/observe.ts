// From the answers of the metrics to what the decision reads. Pure: the same answers give the same observation.
// Each signal stands alone: a query that failed, or a series that is not there, leaves the others untouched.
import type { LengthHistogram } from '../histogram.ts'
import type {
  ClassSignals,
  Observation,
  Pause,
  ReplicaCounts,
  TypicalEngine,
  VariantSignals,
} from '../observation.ts'
import type { ClassId, PolicySet, VariantId } from '../policy.ts'
import { isMissing, missing, type Reading } from '../reading.ts'
import { type Claimants, claimantsIn } from './claims.ts'
import { type ClassAnswer, classSignals, classWarnings } from './classQueries.ts'
import { type Answers, type Dealt, dealer } from './deal.ts'
import { gatewaySignals } from './gatewaySignals.ts'
import { kvTokensOf, kvUsageOf } from './kvCache.ts'
import type { QueryPlan } from './queries.ts'
import type { QueryId } from './series.ts'
import { shortRate } from './shortRate.ts'
import { type Sight, type Signal, sightOf } from './sight.ts'
import { share } from './values.ts'
import { warningsAbout } from './warnings.ts'

export interface ObserveContext {
  /** Seconds since the epoch: the instant for which the answers were given. */
  readonly at: number
  readonly classAnswers: readonly ClassAnswer[]
  /** From Kubernetes; variants it does not tell are counted by the replicas that report metrics. */
  readonly replicas?: Readonly<Record<VariantId, Reading<ReplicaCounts>>>
  readonly pools?: Readonly<Record<string, Reading>>
  /** Variants whose ScaledObject is paused, and what else Kubernetes shows that is wrong. */
  readonly pauses?: Readonly<Record<VariantId, Pause>>
  readonly clusterWarnings?: readonly string[]
  /** What the back end itself complained about. */
  readonly backendWarnings?: readonly string[]
}

export function observe(
  policies: PolicySet,
  plan: QueryPlan,
  answers: Answers,
  context: ObserveContext,
): Observation {
  return mapping(policies, plan)(answers, context)
}

/** `observe` for many instants: who claims which series is found once. */
export function mapping(
  { policies }: PolicySet,
  plan: QueryPlan,
): (answers: Answers, context: ObserveContext) => Observation {
  const claimants = claimantsIn(plan.claims)
  const deal = dealer(claimants)
  const ids = policies.flatMap((policy) => policy.variants.map(({ id }) => id))
  return (answers, context) => mapped(plan, ids, claimants, deal(answers), answers, context)
}

function mapped(
  plan: QueryPlan,
  ids: readonly VariantId[],
  claimants: Claimants,
  dealt: Dealt,
  answers: Answers,
  context: ObserveContext,
): Observation {
  const variants: Record<VariantId, VariantSignals> = {}
  for (const id of ids) {
    const counts = context.replicas?.[id]
    variants[id] = signalsOf(sightOf(id, dealt, plan, context.at, counts), counts, plan)
  }
  const classes: Record<ClassId, ClassSignals> = { ...classSignals(context.classAnswers) }
  const gateways = gatewaySignals(plan.gateways, answers.get('gateways'), context.at, plan)
  for (const [id, gateway] of Object.entries(gateways)) classes[id] = { ...classes[id], gateway }
  return {
    format: 'mixscaler-observation/1',
    at: context.at,
    variants,
    classes,
    pools: context.pools ?? {},
    ...(context.pauses === undefined ? {} : { pauses: context.pauses }),
    warnings: [
      ...warningsAbout(plan, answers, variants, claimants),
      ...classWarnings(context.classAnswers),
      ...(context.clusterWarnings ?? []),
      ...(context.backendWarnings ?? []),
    ],
  }
}

function signalsOf(
  sight: Sight,
  counts: Reading<ReplicaCounts> | undefined,
  plan: QueryPlan,
): VariantSignals {
  const { rateWindowSeconds } = plan
  const reporting = sight.sum(told.reporting)
  const kvConfig = sight.rows(told.kvConfig)
  return {
    replicas: counts === undefined || isMissing(counts) ? counted(reporting) : counts,
    reporting,
    running: sight.sum(told.running),
    waiting: sight.sum(told.waiting),
    inSystemGrowthPerSecond: growthOf(sight),
    completionsPerSecond: sight.sum(told.completions),
    generationTokensPerSecond: sight.sum(told.generationTokens),
    preemptionsPerSecond: sight.sum(told.preemptions),
    promptTokens: lengths(sight, 'promptTokens', told.prompts, plan),
    outputTokens: lengths(sight, 'outputTokens', told.outputs, plan),
    ttft: sight.histogram('ttft', 'TTFT'),
    itl: sight.histogram('itl', 'ITL'),
    tpot: sight.histogram('itl', 'TPOT', 'some', 'tpot/'),
    typicalEngine: typicalEngine(sight),
    prefixHitRate: share(sight.sum(told.prefixHits), sight.sum(told.prefixQueries), 'prefix cache queries'),
    kvUsage: kvUsageOf(sight.sum(told.kvUsage), sight.sum(told.kvEngines)),
    kvTokensPerReplica: isMissing(kvConfig) ? kvConfig : kvTokensOf(kvConfig, reporting),
    arrivingNow: shortRate(
      rateWindowSeconds,
      (part) => sight.sum(told[part]),
      (part) => sight.most(told[part]),
    ),
  }
}

function lengths(
  sight: Sight,
  query: 'promptTokens' | 'outputTokens',
  lately: (typeof told)['prompts'],
  { rateWindowSeconds, lengthWindowSeconds }: QueryPlan,
): Reading<LengthHistogram> {
  const histogram = sight.histogram(query, lately.count.name)
  const eventsPerSecond = sight.sum(lately.count)
  const sumPerSecond = sight.sum(lately.sum)
  if (isMissing(histogram) || isMissing(eventsPerSecond) || isMissing(sumPerSecond)) return histogram
  const lastMinute = { seconds: rateWindowSeconds, eventsPerSecond, sumPerSecond }
  return { ...histogram, seconds: lengthWindowSeconds, lately: lastMinute }
}

/** What replicas that are new hold has come within the window, where some are not: else all of them may be new to the metrics alone. */
function growthOf(sight: Sight): Reading {
  const before = sight.sum(told.before)
  const { runningGrowth, waitingGrowth, runningSlope, waitingSlope } = told
  const isKnown = !isMissing(before) && before > 0
  const [running, waiting] = isKnown ? [runningGrowth, waitingGrowth] : [runningSlope, waitingSlope]
  return plus(sight.sum(running), sight.sum(waiting))
}

function typicalEngine(sight: Sight): Reading<TypicalEngine> {
  const gaps = sight.sum(told.typicalGaps)
  const gapSeconds = sight.sum(told.typicalGapSeconds)
  const firstTokens = sight.sum(told.typicalFirstTokens)
  const ttftSeconds = sight.sum(told.typicalTtftSeconds)
  if (isMissing(gaps)) return gaps
  if (isMissing(gapSeconds)) return gapSeconds
  if (isMissing(firstTokens)) return firstTokens
  if (isMissing(ttftSeconds)) return ttftSeconds
  return {
    gapsPerSecond: gaps,
    gapSecondsPerSecond: gapSeconds,
    firstTokensPerSecond: firstTokens,
    ttftSecondsPerSecond: ttftSeconds,
  }
}

function always(query: QueryId, part: string, name: string): Signal {
  return { query, part, name, reportedBy: 'everyVersion', range: 'nonNegative' }
}

function sometimes(query: QueryId, part: string, name: string): Signal {
  return { query, part, name, reportedBy: 'some', range: 'nonNegative' }
}

function change(query: QueryId, part: string, name: string): Signal {
  return { query, part, name, reportedBy: 'everyVersion', range: 'any' }
}

/** What is read of each variant, besides its histograms. */
const told = {
  reporting: always('presence', 'replicas', 'replicas that report'),
  kvConfig: sometimes('kvConfig', 'engines', 'cache_config_info'),
  running: always('gauges', 'running', 'running requests'),
  waiting: always('gauges', 'waiting', 'waiting requests'),
  before: always('growth', 'before', 'replicas a window ago'),
  runningGrowth: change('growth', 'running', 'growth of running requests'),
  waitingGrowth: change('growth', 'waiting', 'growth of waiting requests'),
  runningSlope: change('growth', 'slope/running', 'growth of running requests'),
  waitingSlope: change('growth', 'slope/waiting', 'growth of waiting requests'),
  completions: always('counters', 'completions', 'finished requests'),
  generationTokens: always('counters', 'generationTokens', 'generated tokens'),
  preemptions: always('counters', 'preemptions', 'preemptions'),
  prefixHits: sometimes('counters', 'prefixHits', 'prefix cache hits'),
  prefixQueries: sometimes('counters', 'prefixQueries', 'prefix cache queries'),
  kvUsage: sometimes('gauges', 'kvUsage', 'KV cache usage'),
  kvEngines: sometimes('gauges', 'kvEngines', 'KV cache usage'),
  prompts: {
    count: always('promptTokens', 'lately/count', 'prompt lengths'),
    sum: always('promptTokens', 'lately/sum', 'prompt lengths'),
  },
  outputs: {
    count: always('outputTokens', 'lately/count', 'output lengths'),
    sum: always('outputTokens', 'lately/sum', 'output lengths'),
  },
  typicalGaps: always('itl', 'typicalCount', 'typical itl'),
  typicalGapSeconds: always('itl', 'typicalSum', 'typical itl'),
  typicalFirstTokens: always('ttft', 'typicalCount', 'typical ttft'),
  typicalTtftSeconds: always('ttft', 'typicalSum', 'typical ttft'),
  fineRate: always('counters', 'fineRate', 'first tokens'),
  fineSamples: always('counters', 'fineSamples', 'first tokens'),
  coarseRate: always('counters', 'coarseRate', 'first tokens'),
  coarseSamples: always('counters', 'coarseSamples', 'first tokens'),
} as const

function counted(reporting: Reading): Reading<ReplicaCounts> {
  if (isMissing(reporting)) return reporting
  return { desired: reporting, ready: reporting, starting: 0, terminating: 0 }
}

function plus(a: Reading, b: Reading): Reading {
  if (isMissing(a)) return a
  if (isMissing(b)) return b
  return Number.isFinite(a + b) ? a + b : missing('infinite')
}
