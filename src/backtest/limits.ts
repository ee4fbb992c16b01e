// `--fail-if attainment<99%,cost>120/h`: conditions under which a backtest counts as failed. Read once, checked against
// every result; a class or a run that breaks one is named.
import { nearest } from '../core/nearest.ts'
import type { ClassResult, Percentiles, Result } from './result.ts'

export interface Limit {
  /** As it was written. */
  readonly text: string
  readonly figure: string
  /** Absent: every class. */
  readonly className?: string
  readonly operator: '<' | '<=' | '>' | '>='
  readonly value: number
}

export interface Broken {
  readonly limit: Limit
  readonly value: number
  /** Absent: the whole fleet. */
  readonly className?: string
}

interface Figure {
  readonly unit: 'share' | 'money' | 'seconds' | 'count'
  readonly of: (result: Result, one: ClassResult) => number | undefined
  readonly per: 'fleet' | 'class'
}

const percentile =
  (of: (one: ClassResult) => Percentiles | undefined, name: keyof Percentiles): Figure['of'] =>
  (_, one) =>
    of(one)?.[name]
const latency = (name: string, of: (one: ClassResult) => Percentiles | undefined): [string, Figure][] =>
  (['p50', 'p95', 'p99'] as const).map((share) => [
    `${name}.${share}`,
    { unit: 'seconds', per: 'class', of: percentile(of, share) },
  ])

const figures: Readonly<Record<string, Figure>> = {
  attainment: { unit: 'share', per: 'class', of: (_, { attainment }) => attainment?.all },
  'attainment.ttft': { unit: 'share', per: 'class', of: (_, { attainment }) => attainment?.ttft },
  'attainment.gap': { unit: 'share', per: 'class', of: (_, { attainment }) => attainment?.gap },
  minutes: { unit: 'share', per: 'class', of: (_, { minutesKept }) => minutesKept },
  ...Object.fromEntries([
    ...latency('ttft', ({ ttftSeconds }) => ttftSeconds),
    ...latency('itl', ({ itlSeconds }) => itlSeconds),
    ...latency('tpot', ({ tpotSeconds }) => tpotSeconds),
  ]),
  unfinished: { unit: 'count', per: 'class', of: (_, { unfinished }) => unfinished },
  deadlineMisses: { unit: 'count', per: 'class', of: (_, { deadlineMisses }) => deadlineMisses },
  cost: { unit: 'money', per: 'fleet', of: ({ dollarsPerHour }) => dollarsPerHour },
  dollars: { unit: 'count', per: 'fleet', of: ({ dollars }) => dollars },
  events: { unit: 'count', per: 'fleet', of: ({ events }) => events.scaleUps + events.scaleDowns },
}

const unitsOf: Readonly<
  Record<
    Figure['unit'],
    { readonly pattern: RegExp; readonly example: string; readonly factor: (unit: string) => number }
  >
> = {
  share: { pattern: /^(\d+(?:\.\d+)?)(%)$/, example: '99%', factor: () => 0.01 },
  money: { pattern: /^\$?(\d+(?:\.\d+)?)(\/h)?$/, example: '120/h', factor: () => 1 },
  seconds: {
    pattern: /^(\d+(?:\.\d+)?)(ms|s)$/,
    example: '800ms',
    factor: (unit) => (unit === 'ms' ? 0.001 : 1),
  },
  count: { pattern: /^(\d+(?:\.\d+)?)()$/, example: '10', factor: () => 1 },
}

/** The limits, or what cannot be read, for people. */
export function readLimits(text: string, classNames: readonly string[]): readonly Limit[] | string {
  const limits: Limit[] = []
  for (const part of text.split(',').map((each) => each.trim())) {
    const limit = readLimit(part, classNames)
    if (typeof limit === 'string') return limit
    limits.push(limit)
  }
  return limits
}

function readLimit(part: string, classNames: readonly string[]): Limit | string {
  const [, left = '', operator, right = ''] = /^([^<>=\s]+)\s*(<=|>=|<|>)\s*(\S+)$/.exec(part) ?? []
  if (operator === undefined) return `must be conditions such as attainment<99%,cost>120/h: got "${part}"`
  const [, figure = left, className] = /^(.*)\[(.*)\]$/.exec(left) ?? []
  const known = figures[figure]
  if (known === undefined) {
    const meant = nearest(figure, Object.keys(figures))
    return `knows no "${figure}": it is one of ${Object.keys(figures).join(', ')}${meant === undefined ? '' : `. Did you mean ${meant}?`}`
  }
  if (className !== undefined && !classNames.includes(className))
    return `knows no class "${className}": it is one of ${classNames.join(', ')}`
  if (className !== undefined && known.per === 'fleet')
    return `"${figure}" is of the whole fleet, not of a class`
  const unit = unitsOf[known.unit]
  const [, number, suffix = ''] = unit.pattern.exec(right) ?? []
  if (number === undefined)
    return `must compare ${figure} with a value such as ${unit.example}: got "${right}"`
  return {
    text: part,
    figure,
    ...(className === undefined ? {} : { className }),
    operator: operator as Limit['operator'],
    value: Number(number) * unit.factor(suffix),
  }
}

/** Conditions that hold, which is what they must not. A figure that does not exist holds nothing. */
export function broken(limits: readonly Limit[], result: Result): readonly Broken[] {
  return limits.flatMap((limit): readonly Broken[] => {
    const { of, per } = figures[limit.figure] as Figure
    const classes = result.classes.filter(
      ({ name }) => limit.className === undefined || name === limit.className,
    )
    const asked = per === 'fleet' ? classes.slice(0, 1) : classes
    return asked.flatMap((one): readonly Broken[] => {
      const value = of(result, one)
      if (value === undefined || !holds(value, limit)) return []
      return [{ limit, value, ...(per === 'fleet' ? {} : { className: one.name }) }]
    })
  })
}

function holds(value: number, { operator, value: bound }: Limit): boolean {
  switch (operator) {
    case '<':
      return value < bound
    case '<=':
      return value <= bound
    case '>':
      return value > bound
    case '>=':
      return value >= bound
  }
}
