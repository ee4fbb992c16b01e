// One observation through Prometheus: all queries of a tick at once, each failing alone.

import type { Observation, ReplicaCounts } from '../core/observation.ts'
import { classQueries } from '../core/observe/classQueries.ts'
import type { Answers } from '../core/observe/deal.ts'
import { addTo, groupBy } from '../core/observe/group.ts'
import { mapping, type ObserveContext, observe } from '../core/observe/observe.ts'
import {
  type LastDecided,
  lastDecided,
  lastDecidedQuery,
  recordedReplicas,
  replicasQuery,
  type Told,
  toldBySettled,
  toldQuery,
} from '../core/observe/ownSeries.ts'
import {
  defaultObserveOptions,
  demandOnly,
  type ObserveOptions,
  type QueryPlan,
  queryPlan,
  trafficOnly,
} from '../core/observe/queries.ts'
import type { Answer, QueryId, Row } from '../core/observe/series.ts'
import type { PolicySet, VariantId } from '../core/policy.ts'
import { instantsOf, type Span } from '../core/span.ts'
import type { SampledSeries } from './answer.ts'
import { classDemandAsker } from './classDemand.ts'
import type { PrometheusClient } from './client.ts'
import { PrometheusError, type PrometheusFailure } from './error.ts'
import { promql } from './promql.ts'

/** What Kubernetes tells. */
export type Known = Pick<ObserveContext, 'replicas' | 'pools' | 'pauses' | 'clusterWarnings'>

export interface PrometheusObserver {
  /** Queries are evaluated at `at`, whenever they run. Rejects only where the signal aborts. */
  readonly observe: (
    policies: PolicySet,
    at: number,
    known: Known,
    signal: AbortSignal,
  ) => Promise<Observation>
  /**
   * What `observe` would have seen at each instant of the span, by range queries and the same mapping. Rejects with a
   * PrometheusError where one of our own queries is not answered, so that a part of the past is seen whole or not at all.
   */
  readonly observePast: (
    policies: PolicySet,
    span: Span,
    signals: PastSignals,
    signal: AbortSignal,
  ) => Promise<readonly Observation[]>
}

/** What the scaler itself exported, where it is scraped. All reject with a PrometheusError. */
export interface OwnPast {
  readonly lastDecided: (at: number, signal: AbortSignal) => Promise<LastDecided>
  readonly told: (at: number, signal: AbortSignal) => Promise<readonly Told[]>
  /** At each instant of the span. */
  readonly replicas: (
    span: Span,
    signal: AbortSignal,
  ) => Promise<readonly Readonly<Record<VariantId, ReplicaCounts>>[]>
}

/** `demand`, `traffic`: only what that is read from; every other signal is missing. */
export type PastSignals = 'all' | 'demand' | 'traffic'

interface ObserverOptions extends Partial<ObserveOptions> {
  readonly onQuery?: (report: QueryReport) => void
  /** Lets what waits run, where it is its turn: awaited between the instants of a past. */
  readonly pause?: () => Promise<void>
}

export interface QueryReport {
  /** The query's id; `classes` for those of policy authors. */
  readonly query: string
  readonly outcome: 'answered' | PrometheusFailure
  /** Where it was not answered: in words. */
  readonly why?: string
  readonly seconds: number
}

const mostBackendWarnings = 10

interface Prepared {
  readonly policies: PolicySet
  readonly plan: QueryPlan
  readonly texts: readonly string[]
}

/** By the instant's place in its span. */
type RowsByInstant = ReadonlyMap<number, readonly Row[]>

/** A row of an instant of a range. */
interface PastRow extends Row {
  readonly at: number
}

export function prometheusObserver(
  client: PrometheusClient,
  options: ObserverOptions = {},
): PrometheusObserver {
  const { onQuery, pause, ...changed } = options
  const observeOptions = { ...defaultObserveOptions, ...changed }
  const classDemand = classDemandAsker()
  const pastClassDemand = classDemandAsker()
  let prepared: Readonly<Record<PastSignals, Prepared>> | undefined

  function prepare(policies: PolicySet): Readonly<Record<PastSignals, Prepared>> {
    if (prepared?.all.policies === policies) return prepared
    const all = queryPlan(policies, observeOptions)
    const withTexts = (plan: QueryPlan): Prepared => ({ policies, plan, texts: plan.queries.map(promql) })
    prepared = {
      all: withTexts(all),
      demand: withTexts(demandOnly(all)),
      traffic: withTexts(trafficOnly(all)),
    }
    return prepared
  }

  async function timed<T>(query: string, work: () => Promise<T>): Promise<T> {
    const begun = performance.now()
    const report = (end: Pick<QueryReport, 'outcome' | 'why'>) =>
      onQuery?.({ query, ...end, seconds: (performance.now() - begun) / 1000 })
    try {
      const result = await work()
      report({ outcome: 'answered' })
      return result
    } catch (error) {
      if (error instanceof PrometheusError) report({ outcome: error.failure, why: error.message })
      throw error
    }
  }

  async function observeAt(
    policies: PolicySet,
    at: number,
    known: Known,
    signal: AbortSignal,
  ): Promise<Observation> {
    const { plan, texts } = prepare(policies).all
    const warnings = new Set<string>()
    const ask = async (query: string, text: string) => {
      try {
        const answer = await timed(query, () => client.instant(text, at, signal))
        for (const warning of answer.warnings) warnings.add(`Prometheus: ${warning}`)
        return { answer: { kind: 'rows', rows: answer.rows } satisfies Answer, permanent: false }
      } catch (error) {
        return unanswered(error)
      }
    }
    const [answers, classAnswers] = await Promise.all([
      Promise.all(
        plan.queries.map(async ({ id }, index) => [id, (await ask(id, texts[index] ?? '')).answer] as const),
      ).then((pairs): Answers => new Map(pairs)),
      classDemand.ask(classQueries(policies), (text) => ask('classes', text)),
    ])
    signal.throwIfAborted()
    return observe(policies, plan, answers, {
      at,
      classAnswers,
      ...known,
      backendWarnings: [...warnings].sort().slice(0, mostBackendWarnings),
    })
  }

  async function observePast(
    policies: PolicySet,
    span: Span,
    signals: PastSignals,
    signal: AbortSignal,
  ): Promise<readonly Observation[]> {
    const { plan, texts } = prepare(policies)[signals]
    const range = (text: string) => timed('history', () => client.range(text, span, signal))
    const [own, classAnswers] = await Promise.all([
      Promise.all(
        plan.queries.map(async ({ id }, index) => [id, (await range(texts[index] ?? '')).series] as const),
      ),
      pastClassDemand.ask(classQueries(policies), async (text) => {
        try {
          const answer = { kind: 'rows', rows: pastRows((await range(text)).series) } as const
          return { answer, permanent: false }
        } catch (error) {
          // An author's mistake leaves its class without a past; anything else fails all of it, too large a part above all.
          if (error instanceof PrometheusError && (error.failure !== 'refused' || isTooLarge(error)))
            throw error
          return unanswered(error)
        }
      }),
    ])
    const byQuery: (readonly [QueryId, RowsByInstant])[] = []
    for (const [id, series] of own) {
      byQuery.push([id, rowsByInstant(series, span)])
      await pause?.()
    }
    const byClass = classAnswers.map(({ query, answer }) => ({
      query,
      answers: answersByInstant(answer, span),
    }))
    const map = mapping(policies, plan)
    const past: Observation[] = []
    for (const [index, at] of instantsOf(span).entries()) {
      past.push(
        map(new Map(byQuery.map(([id, rows]) => [id, rowsAnswer(rows, index)])), {
          at,
          classAnswers: byClass.map(({ query, answers }) => ({ query, answer: answers(index) })),
        }),
      )
      await pause?.()
    }
    signal.throwIfAborted()
    return past
  }

  return { observe: observeAt, observePast }
}

export function ownPast(client: PrometheusClient, matchers: ObserveOptions['matchers']): OwnPast {
  return {
    lastDecided: async (at, signal) =>
      lastDecided((await client.instant(lastDecidedQuery(matchers), at, signal)).rows),
    told: async (at, signal) => toldBySettled((await client.instant(toldQuery(matchers), at, signal)).rows),
    replicas: async (span, signal) => {
      const { series } = await client.range(replicasQuery(matchers), span, signal)
      const rows = rowsByInstant(series, span)
      return instantsOf(span).map((_, index) => recordedReplicas(rows.get(index) ?? []))
    },
  }
}

/** Prometheus' limits on points and samples, and those of its kin, in their words. */
function isTooLarge({ message }: PrometheusError): boolean {
  return /too many|exceed|limit/i.test(message)
}

function unanswered(error: unknown): { readonly answer: Answer; readonly permanent: boolean } {
  if (!(error instanceof PrometheusError)) throw error
  return { answer: answerOf(error), permanent: error.status === 400 }
}

function pastRows(series: readonly SampledSeries[]): readonly PastRow[] {
  return series.flatMap(({ labels, samples }) => samples.map(({ at, value }) => ({ labels, value, at })))
}

function rowsByInstant(series: readonly SampledSeries[], { from, stepSeconds }: Span): RowsByInstant {
  const rows = new Map<number, Row[]>()
  for (const { labels, samples } of series) {
    for (const { at, value } of samples) addTo(rows, Math.round((at - from) / stepSeconds), { labels, value })
  }
  return rows
}

function rowsAnswer(rows: RowsByInstant, index: number): Answer {
  return { kind: 'rows', rows: rows.get(index) ?? [] }
}

function answersByInstant(answer: Answer, { from, stepSeconds }: Span): (index: number) => Answer {
  if (answer.kind !== 'rows') return () => answer
  const rows = groupBy(answer.rows, (row) => Math.round(((row as PastRow).at - from) / stepSeconds))
  return (index) => rowsAnswer(rows, index)
}

function answerOf({ failure, message }: PrometheusError): Answer {
  return { kind: failure === 'refused' ? 'refused' : 'failed', why: message }
}
