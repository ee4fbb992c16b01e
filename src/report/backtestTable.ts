// Backtests as people and spreadsheets read them: one row per run, then its classes; CSV with one line per run and class.
import type { Broken } from '../backtest/limits.ts'
import { type ClassResult, type Result, spendingLayers } from '../backtest/result.ts'
import { isMissing } from '../core/reading.ts'
import { money, percent } from './figures.ts'
import { spentSteps, spentWords } from './spentSteps.ts'
import { type ColumnHead, table, wrap } from './table.ts'

const heads: readonly ColumnHead[] = [
  { title: 'RUN', align: 'left' },
  { title: 'CLASS', align: 'left' },
  { title: 'REQUESTS', align: 'right' },
  { title: 'ATTAINED', align: 'right' },
  { title: 'MINUTES', align: 'right' },
  { title: 'TTFT P50/P95/P99', align: 'right' },
  { title: 'ITL P50/P95/P99', align: 'right' },
  { title: 'COST', align: 'right' },
  { title: 'GPU-HOURS, EVENTS', align: 'left' },
]

export function backtestTable(
  results: readonly Result[],
  failures: readonly (readonly Broken[])[],
  width: number,
): string {
  const rows = results.flatMap((result) =>
    result.classes.map((one, index) => [
      index === 0 ? runName(result) : '',
      one.name,
      String(Math.round(one.requests)),
      one.attainment === undefined ? '-' : percent2(one.attainment.all),
      one.minutesKept === undefined ? '-' : percent(one.minutesKept),
      latencies(one.kind === 'tolerant' ? one.completionSeconds : one.ttftSeconds),
      latencies(one.itlSeconds),
      index === 0 ? money(result.dollarsPerHour) : '',
      index === 0 ? spending(result) : '',
    ]),
  )
  const wrapped = (sentences: readonly string[]): readonly string[] =>
    sentences.flatMap((sentence) => wrap(sentence, width))
  const blocks = [
    table(heads, rows, width),
    wrapped([...assumptions(results), ...bounds(results)]),
    ...results.map((result) => spentLines(result, width)),
    wrapped(results.flatMap((result, i) => brokenLines(result, failures[i] ?? []))),
  ]
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`
}

/** Which run it is, by what differs between runs. */
export function runName({ controller, settings }: Result): string {
  const { fidelity, seed, startupSeconds } = settings
  return [
    controller,
    fidelity,
    ...(startupSeconds === undefined ? [] : [`start-up ${startupSeconds}s`]),
    `seed ${seed}`,
  ].join(', ')
}

function spending({ gpuHours, events }: Result): string {
  const hours = Object.entries(gpuHours).map(([type, spent]) => `${type} ${spent.toFixed(1)}`)
  return [...hours, `${events.scaleUps} up ${events.scaleDowns} down`].join(', ')
}

function latencies(percentiles: ClassResult['ttftSeconds']): string {
  if (percentiles === undefined) return '-'
  return [percentiles.p50, percentiles.p95, percentiles.p99].map(seconds).join(' / ')
}

function seconds(value: number): string {
  return value < 10 ? `${Math.round(value * 1000)}ms` : `${Math.round(value)}s`
}

function percent2(share: number): string {
  return `${(share * 100).toFixed(2)} %`
}

function assumptions(results: readonly Result[]): readonly string[] {
  const [first] = results
  if (first === undefined) return []
  const { fidelity, warmupSeconds, untilSeconds, tickSeconds, stepSeconds, modelError } = first.settings
  return [
    `Scored: ${minutes(untilSeconds - warmupSeconds)} of ${minutes(untilSeconds)} (the first ${minutes(warmupSeconds)} are warm-up). ` +
      `A request is attained when TTFT and its mean gap keep their bounds, or its deadline; ${
        fidelity === 'fluid' ? `fluid plant in steps of ${stepSeconds ?? '?'} s` : 'every request simulated'
      }, a decision every ${tickSeconds} s, profiles ${modelError === 0 ? 'taken as true' : `${percent(modelError)} optimistic`}.`,
  ]
}

function bounds(results: readonly Result[]): readonly string[] {
  return results.flatMap((result) => {
    const { bound, dollarsPerHour } = result
    if (bound === undefined || isMissing(bound)) return []
    return [
      `${runName(result)}: ${(dollarsPerHour / bound.dollarsPerHour).toFixed(2)} times the bound of ${money(bound.dollarsPerHour)}, for who knew the traffic and carried ${percent(bound.attainment)} of it.`,
    ]
  })
}

const spentHeads: readonly ColumnHead[] = [
  { title: '$/H', align: 'right' },
  { title: 'OF PAID', align: 'right' },
  { title: 'WHERE IT WENT', align: 'left' },
]

/** Nothing for a rule whose spending cannot be split. */
function spentLines(result: Result, width: number): readonly string[] {
  const { spending, dollarsPerHour } = result
  if (spending === undefined) return []
  const bound = boundOf(result)
  const rows = spentSteps(spending, dollarsPerHour, bound).map(({ layer, perHour, shareOfPaid }, index) => {
    const sign = index === 0 || Math.abs(perHour) < 0.005 ? '' : perHour < 0 ? '-' : '+'
    return [
      `${sign}${Math.abs(perHour).toFixed(2)}`,
      shareOfPaid === undefined ? '-' : `${sign}${percent(Math.abs(shareOfPaid))}`,
      `${spentWords[layer].title}: ${spentWords[layer].about}`,
    ]
  })
  const regret = bound === undefined ? '' : `; ${regretText(dollarsPerHour - bound)}`
  const paid = [dollarsPerHour.toFixed(2), '', `paid by ${runName(result)}${regret}`]
  return table(spentHeads, [...rows, paid], width)
}

function regretText(perHour: number): string {
  return perHour < 0
    ? `${money(-perHour)} below the bound`
    : `${money(perHour)} beyond the bound, which is the regret`
}

function boundOf({ bound }: Result): number | undefined {
  return bound === undefined || isMissing(bound) ? undefined : bound.dollarsPerHour
}

function minutes(span: number): string {
  const whole = Math.round(span / 60)
  return whole < 120 ? `${whole} min` : `${(span / 3600).toFixed(1)} h`
}

export function brokenLines(result: Result, broken: readonly Broken[]): readonly string[] {
  return broken.map(
    ({ limit, value, className }) =>
      `FAILED ${runName(result)}: ${limit.text}: ${limit.figure}${className === undefined ? '' : ` of ${className}`} is ${Number(value.toPrecision(5))}`,
  )
}

const columns: readonly (readonly [
  string,
  (result: Result, one: ClassResult) => string | number | undefined,
])[] = [
  ['controller', ({ controller }) => controller],
  ['fidelity', ({ settings }) => settings.fidelity],
  ['seed', ({ settings }) => settings.seed],
  ['startup_s', ({ settings }) => settings.startupSeconds],
  ['model_error', ({ settings }) => settings.modelError],
  ['class', (_, { name }) => name],
  ['requests', (_, { requests }) => requests],
  ['unfinished', (_, { unfinished }) => unfinished],
  ['attainment', (_, { attainment }) => attainment?.all],
  ['attainment_ttft', (_, { attainment }) => attainment?.ttft],
  ['attainment_gap', (_, { attainment }) => attainment?.gap],
  ['minutes_kept', (_, { minutesKept }) => minutesKept],
  ['ttft_p50_s', (_, { ttftSeconds }) => ttftSeconds?.p50],
  ['ttft_p95_s', (_, { ttftSeconds }) => ttftSeconds?.p95],
  ['ttft_p99_s', (_, { ttftSeconds }) => ttftSeconds?.p99],
  ['itl_p50_s', (_, { itlSeconds }) => itlSeconds?.p50],
  ['itl_p95_s', (_, { itlSeconds }) => itlSeconds?.p95],
  ['itl_p99_s', (_, { itlSeconds }) => itlSeconds?.p99],
  ['good_requests_per_s', (_, { goodRequestsPerSecond }) => goodRequestsPerSecond],
  ['deadline_misses', (_, { deadlineMisses }) => deadlineMisses],
  ['fleet_dollars_per_hour', ({ dollarsPerHour }) => dollarsPerHour],
  ['fleet_dollars', ({ dollars }) => dollars],
  ['fleet_gpu_hours', ({ gpuHours }) => Object.values(gpuHours).reduce((sum, hours) => sum + hours, 0)],
  ['bound_dollars_per_hour', boundOf],
  ['fleet_scale_ups', ({ events }) => events.scaleUps],
  ['fleet_scale_downs', ({ events }) => events.scaleDowns],
  ...spendingLayers.map(
    (layer) =>
      [
        `fleet_${snakeCase(layer)}_dollars_per_hour`,
        ({ spending }: Result) => spending?.perHour[layer],
      ] as const,
  ),
  ['fleet_attributed_share', ({ spending }) => spending?.attributedShare],
]

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** A line per run and class, with a header; what does not exist is empty. */
export function backtestCsv(results: readonly Result[]): string {
  const lines = results.flatMap((result) =>
    result.classes.map((one) => columns.map(([, of]) => cell(of(result, one))).join(',')),
  )
  return `${[columns.map(([name]) => name).join(','), ...lines].join('\n')}\n`
}

function cell(value: string | number | undefined): string {
  const text = String(value ?? '')
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
