// What a director reads in ten seconds: what is paid, what would be paid, whether the SLO held, which GPU runs out, and
// what twice the traffic would take.
import type { Result } from '../../backtest/result.ts'
import { rounded } from '../../core/explain/alternatives.ts'
import { missing, type Reading } from '../../core/reading.ts'
import { type Doubled, doubled, type Planning } from '../planning.ts'
import type { Comparison } from './comparison.ts'
import type { PoolUse } from './poolUse.ts'

export interface Summary {
  /** Under the controller that stands for today. */
  readonly today: Paid | Unknown
  readonly ours: Paid
  /** Of what is paid today: positive saves. */
  readonly savedShare: Reading
  readonly savedPerYear: Reading
  /** The class of ours that fares worst. */
  readonly worstClass: { readonly class: string; readonly attainment: number } | Unknown
  readonly bottleneck: PoolUse | Unknown
  readonly doubled: Doubled | Unknown
}

export interface Paid {
  readonly controller: string
  readonly dollarsPerHour: number
  readonly dollarsPerYear: number
}

/** Why there is nothing to say. */
export interface Unknown {
  readonly unknown: string
}

export function isUnknown(value: object): value is Unknown {
  return 'unknown' in value
}

export function summary(
  own: Result,
  compared: readonly Comparison[],
  pools: readonly PoolUse[],
  today: string | undefined,
  planning: Planning | undefined,
): Summary {
  const paidBy = (controller: string | undefined): Paid | undefined => {
    const found = compared.find((each) => each.controller === controller)
    return (
      found && {
        controller: found.controller,
        dollarsPerHour: found.dollarsPerHour,
        dollarsPerYear: found.dollarsPerYear,
      }
    )
  }
  const ours = paidBy(own.controller)
  if (ours === undefined) throw new Error(`no comparison of ${own.controller}`)
  const now = paidBy(today)
  const noToday = missing('notReported', 'no controller stands for what runs today')
  return {
    today: now ?? { unknown: 'no rule was run beside ours that stands for what runs today' },
    ours,
    savedShare: now === undefined ? noToday : saved(now.dollarsPerHour, ours.dollarsPerHour),
    savedPerYear: now === undefined ? noToday : rounded(now.dollarsPerYear - ours.dollarsPerYear),
    worstClass: worstClass(own),
    bottleneck: bottleneck(pools),
    doubled: planning === undefined ? { unknown: 'no what-if was planned' } : doubled(planning),
  }
}

function saved(before: number, after: number): Reading {
  return before > 0 ? rounded(1 - after / before) : missing('infinite', 'nothing is paid today')
}

function worstClass({ classes }: Result): Summary['worstClass'] {
  const [worst] = classes
    .flatMap(({ id, attainment }) =>
      attainment === undefined ? [] : [{ class: id, attainment: attainment.all }],
    )
    .sort((x, y) => x.attainment - y.attainment)
  return worst ?? { unknown: 'nothing arrived' }
}

/** The pool that was fullest at its peak; where no size is known, the one that held most. */
function bottleneck(pools: readonly PoolUse[]): Summary['bottleneck'] {
  const [fullest] = pools
    .flatMap((pool) => (typeof pool.peakShare === 'number' ? [{ pool, share: pool.peakShare }] : []))
    .sort((x, y) => y.share - x.share)
  const [largest] = [...pools].sort((x, y) => y.peak - x.peak)
  return fullest?.pool ?? largest ?? { unknown: 'no variant was in this run' }
}
