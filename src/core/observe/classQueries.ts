// The queries that policy authors write for a class's demand: the metrics of a gateway, a queue, a batch store.
import type { ClassSignals } from '../observation.ts'
import type { ClassId, PolicySet } from '../policy.ts'
import { missing, type Reading } from '../reading.ts'
import type { Answer } from './series.ts'
import { total } from './values.ts'

export type ClassSignal = 'requestsPerSecond' | 'backlogTokens'

export interface ClassQuery {
  readonly class: ClassId
  readonly signal: ClassSignal
  /** PromQL as the author wrote it. */
  readonly expression: string
}

export interface ClassAnswer {
  readonly query: ClassQuery
  readonly answer: Answer
}

export function classQueries({ policies }: PolicySet): readonly ClassQuery[] {
  return policies
    .flatMap((policy) => policy.classes)
    .flatMap(({ id, demand }) => {
      if (demand.kind !== 'query') return []
      const { requestsPerSecond, backlogTokens } = demand
      return Object.entries({ requestsPerSecond, backlogTokens }).flatMap(([signal, expression]) =>
        expression === undefined ? [] : [{ class: id, signal: signal as ClassSignal, expression }],
      )
    })
}

export function classSignals(answers: readonly ClassAnswer[]): Readonly<Record<ClassId, ClassSignals>> {
  const classes: Record<ClassId, ClassSignals> = {}
  for (const { query, answer } of answers) {
    classes[query.class] = { ...classes[query.class], [query.signal]: reading(query, answer) }
  }
  return classes
}

/** Sentences about queries that were refused: those are mistakes that only their authors can mend. */
export function classWarnings(answers: readonly ClassAnswer[]): readonly string[] {
  return answers.flatMap(({ query, answer }) =>
    answer.kind === 'refused' ? [`class ${query.class}, query ${query.signal}: ${answer.why}`] : [],
  )
}

function reading({ signal }: ClassQuery, answer: Answer): Reading {
  switch (answer.kind) {
    case 'failed':
      return missing('backendDown', `query ${signal}: ${answer.why}`)
    case 'refused':
      return missing('noSeries', `query ${signal} was refused: ${answer.why}`)
    case 'rows':
      return answer.rows.length === 0
        ? missing('noSeries', `query ${signal} has no result`)
        : total(answer.rows, `query ${signal}`, 'nonNegative')
  }
}
