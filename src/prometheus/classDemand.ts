// The queries of policy authors, asked together: one request for all of them, so that more policies do not mean
// more requests. One that Prometheus refuses would fail the whole request; then those asked with it are suspects
// and are asked apart, in at most six requests a tick, until the one at fault is known.
import type { ClassAnswer, ClassQuery } from '../core/observe/classQueries.ts'
import { type Answer, labelOf } from '../core/observe/series.ts'
import { tagged } from './promql.ts'

interface ClassDemandAsker {
  readonly ask: (queries: readonly ClassQuery[], put: Put) => Promise<readonly ClassAnswer[]>
}

/** Puts one query to the back end. `permanent`: the text itself is at fault and stays so. */
export type Put = (promql: string) => Promise<{ readonly answer: Answer; readonly permanent: boolean }>

/** Sizes of the groups in which many suspects are asked: some alone, so that every tick clears or convicts some. */
const groupSizes = [1, 1, 2, 4, 8, Number.POSITIVE_INFINITY]
const indexLabel = 'mixscaler_class'

export function classDemandAsker(): ClassDemandAsker {
  /** By expression: why the back end will never accept it. */
  let convicted: ReadonlyMap<string, string> = new Map()
  let suspects: ReadonlySet<string> = new Set()

  return {
    ask: async (queries, put) => {
      const current = new Set(queries.map(({ expression }) => expression))
      convicted = new Map([...convicted].filter(([expression]) => current.has(expression)))
      suspects = new Set([...suspects].filter((expression) => current.has(expression)))
      const found = new Map<string, Answer>()
      const groups: string[][] = []
      const together: string[] = []
      for (const expression of current) {
        const problem = expressionProblem(expression) ?? convicted.get(expression)
        if (problem !== undefined) found.set(expression, { kind: 'refused', why: problem })
        else if (!suspects.has(expression)) together.push(expression)
      }
      if (together.length > 0 && !(await settle(together))) suspects = new Set([...suspects, ...together])
      const apart = [...suspects].filter((expression) => !found.has(expression))
      for (const size of apart.length <= groupSizes.length ? apart.map(() => 1) : groupSizes) {
        groups.push(apart.splice(0, size))
      }
      await Promise.all(groups.filter((group) => group.length > 0).map(settle))
      return queries.map((query) => ({
        query,
        answer: found.get(query.expression) ?? { kind: 'failed', why: 'asked together with a refused query' },
      }))

      /** Asks a group; false where it must be asked in smaller ones. */
      async function settle(group: readonly string[]): Promise<boolean> {
        const { answer, permanent } = await put(bundled(group))
        if (answer.kind === 'refused' && group.length > 1) return false
        for (const [index, expression] of group.entries()) {
          found.set(expression, own(answer, String(index)))
          if (answer.kind === 'refused' && permanent) {
            convicted = new Map([...convicted, [expression, answer.why]])
          }
          if (answer.kind === 'rows' || permanent) {
            suspects = new Set([...suspects].filter((suspect) => suspect !== expression))
          }
        }
        return true
      }
    },
  }
}

/** One expression per class and signal, told apart by a label; each is summed, so that none has several rows. */
export function bundled(expressions: readonly string[]): string {
  return expressions
    .map((expression, index) => tagged(`sum((\n${expression}\n))`, indexLabel, String(index)))
    .join('\nor\n')
}

/** Why an expression cannot stand between parentheses without changing what is around it; else undefined. */
export function expressionProblem(expression: string): string | undefined {
  const token = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`|#[^\n]*|["'`]|[()[\]{}]|[^"'`#()[\]{}]+/g
  const closing: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' }
  const open: string[] = []
  let empty = true
  for (const [text] of expression.matchAll(token)) {
    if (text.startsWith('#') || text.trim() === '') continue
    empty = false
    if (/^["'`]$/.test(text)) return 'a string is not closed'
    const closes = closing[text]
    if (closes !== undefined) open.push(closes)
    else if (/^[)\]}]$/.test(text) && open.pop() !== text) return `unexpected "${text}"`
  }
  if (empty) return 'the query is empty'
  return open.length === 0 ? undefined : `"${open.at(-1)}" is missing`
}

function own(answer: Answer, index: string): Answer {
  if (answer.kind !== 'rows') return answer
  return { kind: 'rows', rows: answer.rows.filter((row) => labelOf(row, indexLabel) === index) }
}
