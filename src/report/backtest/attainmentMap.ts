// When was the SLO broken? Attainment of one class on a grid of time: days by hours, or, for up to a day and a half,
// hours by five minutes. Each cell is the share of its requests that were good, not a mean of shares.
import type { MinuteSeries } from '../../backtest/result.ts'

export interface AttainmentMap {
  readonly class: string
  readonly by: 'days and hours' | 'hours and minutes'
  /** Each column is so many seconds; a row is all of them. */
  readonly columnSeconds: number
  readonly columns: number
  readonly rows: readonly AttainmentRow[]
}

export interface AttainmentRow {
  /** Seconds since the epoch at its first column. */
  readonly at: number
  /** 0..1; null where nothing arrived or nothing was scored. */
  readonly cells: readonly (number | null)[]
}

const shortSpanMinutes = 36 * 60

/** Undefined where the class has no series. */
export function attainmentMap(
  id: string,
  { classes }: MinuteSeries,
  fromMinute: number,
  epochSeconds: number,
): AttainmentMap | undefined {
  const series = classes[id]
  if (series === undefined) return undefined
  const isShort = series.demand.length - fromMinute <= shortSpanMinutes
  const [columnSeconds, columns] = isShort ? [300, 12] : [3600, 24]
  const rowSeconds = columnSeconds * columns
  const rows = new Map<number, { readonly arrived: number[]; readonly good: number[] }>()
  for (const [minute, demand] of series.demand.entries()) {
    const kept = series.attainment[minute]
    if (minute < fromMinute || kept === null || kept === undefined) continue
    const at = epochSeconds + minute * 60
    const rowAt = Math.floor(at / rowSeconds) * rowSeconds
    const row = rows.get(rowAt) ?? { arrived: new Array(columns).fill(0), good: new Array(columns).fill(0) }
    const column = Math.floor((at - rowAt) / columnSeconds)
    row.arrived[column] = (row.arrived[column] ?? 0) + demand
    row.good[column] = (row.good[column] ?? 0) + demand * kept
    rows.set(rowAt, row)
  }
  return {
    class: id,
    by: isShort ? 'hours and minutes' : 'days and hours',
    columnSeconds,
    columns,
    rows: [...rows].map(([at, { arrived, good }]) => ({
      at,
      cells: arrived.map((demand, column) => (demand > 0 ? Math.min(1, (good[column] ?? 0) / demand) : null)),
    })),
  }
}
