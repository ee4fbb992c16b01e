// From the answers of the metrics to what the decision reads. Pure: the same answers give the same observation.
// Each signal stands alone: a query that failed, or a series that is not there, leaves the others untouched.
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
import { type ClassAnswer, classSignals, classWarnings } from './classQueries.ts'
import { type Answers, deal } from './deal.ts'
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
  { policies }: PolicySet,
  plan: QueryPlan,
  answers: Answers,
  context: ObserveContext,
): Observation {
  const dealt = deal(plan.claims, answers)
  const variants: Record<VariantId, VariantSignals> = {}
  for (const { id } of policies.flatMap((policy) => policy.variants)) {
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
      ...warningsAbout(plan, answers, variants),
      ...classWarnings(context.classAnswers),
      ...(context.clusterWarnings ?? []),
      ...(context.backendWarnings ?? []),
    ],
  }
}

function signalsOf(
  sight: Sight,
  counts: Reading<ReplicaCounts> | undefined,
  { rateWindowSeconds }: QueryPlan,
): VariantSignals {
  const reporting = sight.sum(always('presence', 'replicas', 'replicas that report'))
  const kvConfig = sight.rows(sometimes('kvConfig', 'engines', 'cache_config_info'))
  return {
    replicas: counts === undefined || isMissing(counts) ? counted(reporting) : counts,
    reporting,
    running: sight.sum(always('gauges', 'running', 'running requests')),
    waiting: sight.sum(always('gauges', 'waiting', 'waiting requests')),
    inSystemGrowthPerSecond: plus(
      sight.sum(slope('growth', 'running', 'growth of running requests')),
      sight.sum(slope('growth', 'waiting', 'growth of waiting requests')),
    ),
    completionsPerSecond: sight.sum(always('counters', 'completions', 'finished requests')),
    generationTokensPerSecond: sight.sum(always('counters', 'generationTokens', 'generated tokens')),
    preemptionsPerSecond: sight.sum(always('counters', 'preemptions', 'preemptions')),
    promptTokens: sight.histogram('promptTokens', 'prompt lengths'),
    outputTokens: sight.histogram('outputTokens', 'output lengths'),
    ttft: sight.histogram('ttft', 'TTFT'),
    itl: sight.histogram('itl', 'ITL'),
    tpot: sight.histogram('itl', 'TPOT', 'some', 'tpot/'),
    typicalEngine: typicalEngine(sight),
    prefixHitRate: share(
      sight.sum(sometimes('counters', 'prefixHits', 'prefix cache hits')),
      sight.sum(sometimes('counters', 'prefixQueries', 'prefix cache queries')),
      'prefix cache queries',
    ),
    kvUsage: kvUsageOf(
      sight.sum(sometimes('gauges', 'kvUsage', 'KV cache usage')),
      sight.sum(sometimes('gauges', 'kvEngines', 'KV cache usage')),
    ),
    kvTokensPerReplica: isMissing(kvConfig) ? kvConfig : kvTokensOf(kvConfig, reporting),
    arrivingNow: shortRate(
      rateWindowSeconds,
      (part) => sight.sum(always('counters', part, 'first tokens')),
      (part) => sight.most(always('counters', part, 'first tokens')),
    ),
  }
}

function typicalEngine(sight: Sight): Reading<TypicalEngine> {
  const read = (query: QueryId, part: string): Reading => sight.sum(always(query, part, `typical ${query}`))
  const gaps = read('itl', 'typicalCount')
  const gapSeconds = read('itl', 'typicalSum')
  const firstTokens = read('ttft', 'typicalCount')
  const ttftSeconds = read('ttft', 'typicalSum')
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

function slope(query: QueryId, part: string, name: string): Signal {
  return { query, part, name, reportedBy: 'everyVersion', range: 'any' }
}

function counted(reporting: Reading): Reading<ReplicaCounts> {
  if (isMissing(reporting)) return reporting
  return { desired: reporting, ready: reporting, starting: 0, terminating: 0 }
}

function plus(a: Reading, b: Reading): Reading {
  if (isMissing(a)) return a
  if (isMissing(b)) return b
  return Number.isFinite(a + b) ? a + b : missing('infinite')
}
