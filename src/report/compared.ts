// What a what-if changes, in one line: the plan under it against the plan without it.
import type { Totals } from '../core/totals.ts'
import { change, money, rate, shown } from './figures.ts'

export interface Compared {
  /** As it was asked: `demand=2x,pool.h100=64`. */
  readonly change: string
  readonly without: Totals
  readonly with: Totals
}

/** One sentence without its full stop. */
export function comparedSentence({ change: asked, without, with: after }: Compared): string {
  const from = without.costPerHour
  const to = after.costPerHour
  const pools = [...new Set([...Object.keys(without.gpus), ...Object.keys(after.gpus)])].sort()
  const gpus = pools.map(
    (pool) => `${pool} ${shown(without.gpus[pool] ?? 0, String)} -> ${shown(after.gpus[pool] ?? 0, String)}`,
  )
  return `Against the plan without ${asked}: cost ${shown(from, money)} -> ${shown(to, money)}${change(from, to)}; GPUs ${gpus.join(', ')}; ${shortOf(without, after)}`
}

function shortOf(without: Totals, after: Totals): string {
  const classes = [...new Set([...Object.keys(without.shortfall), ...Object.keys(after.shortfall)])].sort()
  if (classes.length === 0) return 'nothing is short in either'
  const each = classes.map(
    (id) => `${id} ${rate(without.shortfall[id] ?? 0)} -> ${rate(after.shortfall[id] ?? 0)} req/s`,
  )
  return `short: ${each.join(', ')}`
}
