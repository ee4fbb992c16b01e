// An observation from the store in memory: what src/prometheus/observer.ts does, without Prometheus.

import type { Observation } from '../core/observation.ts'
import { classQueries } from '../core/observe/classQueries.ts'
import { type ObserveContext, observe } from '../core/observe/observe.ts'
import type { QueryPlan } from '../core/observe/queries.ts'
import type { PolicySet } from '../core/policy.ts'
import { answerQuery } from './seriesQuery.ts'
import type { SeriesStore } from './seriesStore.ts'

export function observeStore(
  store: SeriesStore,
  policies: PolicySet,
  plan: QueryPlan,
  at: number,
  known: Pick<ObserveContext, 'replicas' | 'pools'>,
): Observation {
  const answers = new Map(
    plan.queries.map((query) => [query.id, { kind: 'rows', rows: answerQuery(store, query, at) }] as const),
  )
  const classAnswers = classQueries(policies).map((query) => ({
    query,
    answer: { kind: 'failed', why: 'PromQL of policies needs a Prometheus' } as const,
  }))
  return observe(policies, plan, answers, { at, classAnswers, ...known })
}
