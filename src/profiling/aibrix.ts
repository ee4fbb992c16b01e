// AIBrix's GPU profile: the largest rate within an SLO, by output tokens (rows) and prompt tokens (columns), and the
// latency of whole requests there. Cells of rate 0 met no SLO and measured nothing.
import { fixedLength, noData, type ProfileData, type Run } from '../core/profiles/measurement.ts'
import { at, isList, type Json, kindOf, numberAt, textAt } from './json.ts'
import { type Given, setupFrom } from './setup.ts'
import { Unreadable } from './unreadable.ts'

export function isAibrix(value: Json): boolean {
  return at(value, 'tputs') !== undefined && at(value, 'indexes') !== undefined
}

export function aibrix(file: string, document: Json, given: Given): ProfileData {
  const [outputs, prompts] = axes(at(document, 'indexes'))
  const rates = matrix(document, 'tputs', outputs.length, prompts.length)
  const latencies = matrix(document, 'e2e', outputs.length, prompts.length)
  const setup = setupFrom(given, { gpu: textAt(document, 'gpu'), engine: 'AIBrix profile' })
  const percentile = numberAt(document, 'slos', 'percentile')
  const runs = outputs.flatMap((output, i) =>
    prompts.flatMap((prompt, j): readonly Run[] => {
      const requestsPerSecond = rates[i]?.[j] ?? 0
      if (!(requestsPerSecond > 0)) return []
      return [
        {
          origin: { file, row: i * prompts.length + j + 1 },
          setup,
          load: { kind: 'rate', requestsPerSecond, arrivals: 'poisson' },
          promptTokens: fixedLength(prompt),
          outputTokens: fixedLength(output),
          e2eMs: 1000 * (latencies[i]?.[j] ?? 0),
          ...(percentile === undefined ? {} : { remark: `latency is p${percentile}, not the mean` }),
        },
      ]
    }),
  )
  return { ...noData, runs }
}

function axes(indexes: Json | undefined): readonly [readonly number[], readonly number[]] {
  if (isList(indexes) && indexes.length === 2) {
    const [outputs, prompts] = indexes.map((axis) => numberList(axis))
    if (outputs !== undefined && prompts !== undefined) return [outputs, prompts]
  }
  throw new Unreadable(
    `"indexes" must be two lists of token counts, outputs then prompts: got ${kindOf(indexes)}`,
  )
}

function matrix(document: Json, key: string, rows: number, columns: number): readonly (readonly number[])[] {
  const found = at(document, key)
  const lists = isList(found) ? found.map(numberList) : []
  const whole = lists.flatMap((list) => (list === undefined ? [] : [list]))
  if (whole.length > 0 && whole.length === lists.length) {
    if (whole.length === rows && whole.every(({ length }) => length === columns)) return whole
    const turned = whole.length === columns && whole.every(({ length }) => length === rows)
    throw new Unreadable(
      `"${key}" must have a row for each of the ${rows} output lengths and a column for each of the ${columns} ` +
        `prompt lengths: got ${whole.length} rows${turned ? ', so rows and columns are swapped' : ''}`,
    )
  }
  throw new Unreadable(`"${key}" must be a list of lists of numbers: got ${kindOf(found)}`)
}

function numberList(value: Json | undefined): readonly number[] | undefined {
  if (!isList(value)) return undefined
  const numbers = value.flatMap((each) => (typeof each === 'number' && Number.isFinite(each) ? [each] : []))
  return numbers.length === value.length ? numbers : undefined
}
