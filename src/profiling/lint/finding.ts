// What the linter says: one sentence per defect, the rows it is about, and what a fit then does with them.
import type { DecodePoint, Origin, PrefillPoint, Run, Setup } from '../../core/profiles/measurement.ts'

export type Defect =
  | 'unreadable'
  | 'impossible'
  | 'units'
  | 'swapped'
  | 'duplicate'
  | 'tokensMiscounted'
  | 'perGpuThroughput'
  | 'prefillInThroughput'
  | 'sameKvTokens'
  | 'saturated'
  | 'slotLimit'
  | 'outlier'
  | 'notMonotone'
  | 'notStationary'
  | 'outsideEngine'

export interface Finding {
  readonly defect: Defect
  /** A sentence: what is wrong, and what is done about it. */
  readonly text: string
  readonly rows: readonly Origin[]
  /** `dropped` rows are not fitted; `corrected` ones are fitted on what contradicts the value; `kept` as they are. */
  readonly use: 'dropped' | 'corrected' | 'kept'
}

type Row = Run | PrefillPoint | DecodePoint

export function origins(rows: readonly Row[]): readonly Origin[] {
  return rows.map(({ origin }) => origin)
}

/** Rows by a key, in the order in which keys first appear. */
export function groupBy<T>(rows: readonly T[], keyOf: (row: T) => string): readonly (readonly [T, ...T[]])[] {
  const groups = new Map<string, [T, ...T[]]>()
  for (const row of rows) {
    const key = keyOf(row)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  return [...groups.values()]
}

export function setupName({ model, gpu, tp, engine }: Setup): string {
  return `${model} on ${gpu} TP${tp}, ${engine}`
}

export function figure(value: number): string {
  return String(Number(value.toPrecision(3)))
}

/** 2-5, 9: neighbours as ranges, at most a dozen of them. */
export function rowsText(rows: readonly Origin[]): string {
  const texts = groupBy(rows, ({ file }) => file).map((group) => {
    const numbers = [...new Set(group.map(({ row }) => row))].sort((one, other) => one - other)
    const ranges: [number, number][] = []
    for (const each of numbers) {
      const last = ranges.at(-1)
      if (last !== undefined && each === last[1] + 1) last[1] = each
      else ranges.push([each, each])
    }
    const shown = ranges.slice(0, 12).map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`))
    const more = ranges.length > 12 ? ', ...' : ''
    return `${group[0].file} ${numbers.length === 1 ? 'row' : 'rows'} ${shown.join(', ')}${more}`
  })
  return texts.join('; ')
}
