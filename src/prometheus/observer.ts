// One observation through Prometheus: all queries of a tick at once, each failing alone.

import type { Observation } from '../core/observation.ts'
import { classQueries } from '../core/observe/classQueries.ts'
import type { Answers } from '../core/observe/deal.ts'
import { type ObserveContext, observe } from '../core/observe/observe.ts'
import {
  defaultObserveOptions,
  type ObserveOptions,
  type QueryPlan,
  queryPlan,
} from '../core/observe/queries.ts'
import type { Answer } from '../core/observe/series.ts'
import type { PolicySet } from '../core/policy.ts'
import { classDemandAsker } from './classDemand.ts'
import type { PrometheusClient } from './client.ts'
import { PrometheusError, type PrometheusFailure } from './error.ts'
import { promql } from './promql.ts'

/** Replicas and pools as Kubernetes tells them. */
export type Known = Pick<ObserveContext, 'replicas' | 'pools'>

export interface PrometheusObserver {
  /** Queries are evaluated at `at`, whenever they run. Rejects only where the signal aborts. */
  readonly observe: (
    policies: PolicySet,
    at: number,
    known: Known,
    signal: AbortSignal,
  ) => Promise<Observation>
}

interface ObserverOptions extends Partial<ObserveOptions> {
  readonly onQuery?: (report: QueryReport) => void
}

export interface QueryReport {
  /** The query's id; `classes` for those of policy authors. */
  readonly query: string
  readonly outcome: 'answered' | PrometheusFailure
  readonly seconds: number
}

const mostBackendWarnings = 10

interface Prepared {
  readonly policies: PolicySet
  readonly plan: QueryPlan
  readonly texts: readonly string[]
}

export function prometheusObserver(
  client: PrometheusClient,
  options: ObserverOptions = {},
): PrometheusObserver {
  const { onQuery, ...changed } = options
  const observeOptions = { ...defaultObserveOptions, ...changed }
  const classDemand = classDemandAsker()
  let prepared: Prepared | undefined

  function prepare(policies: PolicySet): Prepared {
    const plan = queryPlan(policies, observeOptions)
    return { policies, plan, texts: plan.queries.map(promql) }
  }

  return {
    observe: async (policies, at, known, signal) => {
      prepared = prepared?.policies === policies ? prepared : prepare(policies)
      const { plan, texts } = prepared
      const warnings = new Set<string>()
      const ask = async (query: string, text: string) => {
        const begun = performance.now()
        const report = (outcome: QueryReport['outcome']) =>
          onQuery?.({ query, outcome, seconds: (performance.now() - begun) / 1000 })
        try {
          const answer = await client.instant(text, at, signal)
          for (const warning of answer.warnings) warnings.add(`Prometheus: ${warning}`)
          report('answered')
          return { answer: { kind: 'rows', rows: answer.rows } satisfies Answer, permanent: false }
        } catch (error) {
          if (!(error instanceof PrometheusError)) throw error
          report(error.failure)
          return { answer: answerOf(error), permanent: error.status === 400 }
        }
      }
      const [answers, classAnswers] = await Promise.all([
        Promise.all(
          plan.queries.map(
            async ({ id }, index) => [id, (await ask(id, texts[index] ?? '')).answer] as const,
          ),
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
    },
  }
}

function answerOf({ failure, message }: PrometheusError): Answer {
  return { kind: failure === 'refused' ? 'refused' : 'failed', why: message }
}
