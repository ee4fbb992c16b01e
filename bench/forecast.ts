// Is the forecast worth having? Pinball loss and coverage on recorded traces against the simple forecasts that people
// would use instead, all with the same rolling conformal quantiles, by horizon; and what planning for a quantile of
// it costs and saves. How the traces are made: forecastTraces.ts.
import { parseArgs } from 'node:util'
import { enterError, errorQuantile, noErrors } from '../src/core/forecast/conformal.ts'
import { enterDemand, forecastFrom, noHistory } from '../src/core/forecast/history.ts'
import { evaluate, newFit, refit } from '../src/core/forecast/leastSquares.ts'
import {
  minutely,
  minutesPerDay,
  readTraces,
  type Trace,
  tickSeconds,
  ticksPerMinute,
} from './forecastTraces.ts'

const help = `Usage: npx node bench/forecast.ts --data DIR [--minutes 1,2,3,4,5,10] [--trace NAME] [--seed N]

  --data DIR      with AzureLLMInferenceTrace_{conv,code}.csv, servegen_language_m_large_10min.csv and
                  servegen_reason_deepseek_r1_10min.csv
  --minutes LIST  horizons
  --trace NAME    only this one: azure-conv, azure-code, large-bridge, large-step, reason-bridge, reason-step
`

const quantiles = [0.5, 0.9, 0.95, 0.99]

/** Start-up of 3 min; hold of 2 min; headroom of the default policy. */
const leadSeconds = 228
const holdTicks = 8
const headroom = 0.1

/** ln demand at the horizon, from each minute's log demand and those before it. */
type PointForecast = (y: Float64Array, horizon: number) => Float64Array

interface Score {
  /** Mean over the quantiles, as a share of mean demand. */
  readonly pinball: number
  readonly coverage: number
  readonly firstHour: number
}

/** By minute and quantile; undefined where nothing is scored. */
type Quantiles = (minute: number) => readonly number[] | undefined

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    minutes: { type: 'string', default: '1,2,3,4,5,10' },
    trace: { type: 'string' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean' },
  },
})
if (values.help === true || values.data === undefined) {
  process.stdout.write(help)
  process.exitCode = values.help === true ? 0 : 2
} else {
  const horizons = values.minutes.split(',').map(Number)
  const traces = await readTraces(values.data, Number(values.seed))
  console.log(
    'trace           min   last value    mixture   seasonal  Holt damped  Holt-Winters   AR(3)    95 % coverage   first hour',
  )
  for (const trace of traces.filter(({ name }) => values.trace === undefined || name === values.trace))
    for (const horizon of horizons) console.log(row(trace, horizon))
  console.log(`
What a quantile costs: planned over arriving demand | share of ticks with more demand than planned | changes a day of
the plan in thirtieths of the peak, holding what was planned | holding what was seen; ${leadSeconds} s ahead, ${100 * headroom} % headroom`)
  for (const trace of traces.filter(({ name }) => values.trace === undefined || name === values.trace))
    for (const quantile of [undefined, 0.5, 0.75, 0.8, 0.85, 0.9, 0.95]) console.log(planRow(trace, quantile))
}

function row(trace: Trace, horizon: number): string {
  const y = minutely(trace.rates).map(Math.log1p)
  const seasonal = trace.until > 2 * minutesPerDay
  const last = scored(trace, horizon, wrapped(trace, y, horizon, lastValue))
  const ours = scored(trace, horizon, mixture(trace, horizon))
  const ratio = (point: PointForecast): string =>
    (scored(trace, horizon, wrapped(trace, y, horizon, point)).pinball / last.pinball).toFixed(2)
  const cells = [
    trace.name.padEnd(14),
    String(horizon).padStart(4),
    `${(100 * last.pinball).toFixed(2)} %`.padStart(12),
    (ours.pinball / last.pinball).toFixed(3).padStart(10),
    (seasonal ? ratio(seasonalNaive) : '-').padStart(10),
    ratio(holtDamped).padStart(12),
    (seasonal ? ratio(holtWinters) : '-').padStart(13),
    ratio(autoregressive).padStart(7),
    `${(100 * ours.coverage).toFixed(1)} %`.padStart(16),
    `${(100 * ours.firstHour).toFixed(1)} %`.padStart(12),
  ]
  return cells.join(' ')
}

function scored({ rates, from, until }: Trace, horizon: number, at: Quantiles): Score {
  const demand = minutely(rates)
  let pinball = 0
  let total = 0
  const covered = { all: 0, of: 0, first: 0, ofFirst: 0 }
  for (let minute = 0; minute + horizon < demand.length; minute++) {
    const forecasts = at(minute)
    if (forecasts === undefined) continue
    const outcome = demand[minute + horizon] ?? 0
    const hit = outcome <= (forecasts[quantiles.indexOf(0.95)] ?? 0) ? 1 : 0
    if (minute < 60) {
      covered.first += hit
      covered.ofFirst++
    }
    if (minute < from || minute >= until) continue
    covered.all += hit
    covered.of++
    total += outcome
    quantiles.forEach((q, i) => {
      const miss = outcome - (forecasts[i] ?? 0)
      pinball += Math.max(q * miss, (q - 1) * miss) / quantiles.length
    })
  }
  return {
    pinball: pinball / total,
    coverage: covered.all / covered.of,
    firstHour: covered.first / covered.ofFirst,
  }
}

/** The forecast of the project, told of demand at every tick as `decide` tells it. */
function mixture(trace: Trace, horizon: number): Quantiles {
  let history = noHistory
  const answers: (readonly number[] | undefined)[] = []
  trace.rates.forEach((rate, tick) => {
    const at = tick * tickSeconds
    const lead = horizon * 60
    history = enterDemand(history, at, rate, lead)
    const known = history
    if (tick % ticksPerMinute === 0)
      answers.push(
        asked(trace, tick / ticksPerMinute)
          ? quantiles.map((q) => forecastFrom(known, at, rate, lead, q).atQuantile)
          : undefined,
      )
  })
  return (minute) => answers[minute]
}

/** Any point forecast, with the quantiles of its own errors. */
function wrapped(trace: Trace, y: Float64Array, horizon: number, point: PointForecast): Quantiles {
  const forecasts = point(y, horizon)
  let errors = noErrors(horizon * 60, trace.rates[0] ?? 0)
  const answers = Array.from(y, (_, minute) => {
    const judged = minute - horizon
    if (judged >= 0)
      errors = enterError(errors, (y[minute] ?? 0) - (forecasts[judged] ?? 0), horizon * 60, 60)
    if (!asked(trace, minute)) return undefined
    return quantiles.map((q) =>
      Math.max(0, Math.expm1((forecasts[minute] ?? 0) + errorQuantile(errors, q, horizon))),
    )
  })
  return (minute) => answers[minute]
}

function asked({ from, until }: Trace, minute: number): boolean {
  return minute < 60 || (minute >= from && minute < until)
}

function lastValue(y: Float64Array): Float64Array {
  return y
}

function seasonalNaive(y: Float64Array, horizon: number): Float64Array {
  return y.map((value, minute) => y[minute + horizon - minutesPerDay] ?? value)
}

/** Level 0.5, trend 0.1, damping 0.9 a minute. */
function holtDamped(y: Float64Array, horizon: number): Float64Array {
  let level = y[0] ?? 0
  let trend = 0
  const reach = dampedSum(0.9, horizon)
  return y.map((value) => {
    const before = level
    level = 0.5 * value + 0.5 * (level + 0.9 * trend)
    trend = 0.1 * (level - before) + 0.9 * 0.9 * trend
    return level + reach * trend
  })
}

/** As above, with an additive season of a day, 0.2. */
function holtWinters(y: Float64Array, horizon: number): Float64Array {
  const season = new Float64Array(minutesPerDay)
  let level = y[0] ?? 0
  let trend = 0
  const reach = dampedSum(0.9, horizon)
  const mean = y.slice(0, minutesPerDay).reduce((sum, value) => sum + value, 0) / minutesPerDay
  return y.map((value, minute) => {
    const slot = minute % minutesPerDay
    const later = (minute + horizon) % minutesPerDay
    if (minute < minutesPerDay) {
      season[slot] = value - mean
      level = mean
      return value
    }
    const before = level
    level = 0.5 * (value - (season[slot] ?? 0)) + 0.5 * (level + 0.9 * trend)
    trend = 0.1 * (level - before) + 0.9 * 0.9 * trend
    season[slot] = 0.2 * (value - level) + 0.8 * (season[slot] ?? 0)
    return level + reach * trend + (season[later] ?? 0)
  })
}

function dampedSum(damping: number, steps: number): number {
  return (damping * (1 - damping ** steps)) / (1 - damping)
}

/** ARIMA(3,1,0), refitted at every minute by recursive least squares and run forward step by step. */
function autoregressive(y: Float64Array, horizon: number): Float64Array {
  let fit = newFit(3)
  let lags = [0, 0, 0]
  return y.map((value, minute) => {
    const change = value - (y[minute - 1] ?? value)
    if (minute > 4) fit = refit(fit, lags, change, 0.9992)
    lags = [change, ...lags.slice(0, 2)]
    let ahead = lags
    let at = value
    for (let step = 0; step < horizon; step++) {
      const next = Math.max(-0.5, Math.min(0.5, evaluate(fit, ahead)))
      at += next
      ahead = [next, ...ahead.slice(0, 2)]
    }
    return at
  })
}

/** Without a quantile: as planned before there was a forecast. */
function planRow({ name, rates, from, until }: Trace, quantile: number | undefined): string {
  const step = rates.reduce((most, rate) => Math.max(most, rate), 0) / 30
  const ahead = Math.ceil(leadSeconds / tickSeconds)
  const sums = { arriving: 0, planned: 0, short: 0, ticks: 0, heldPlan: 0, heldDemand: 0 }
  const asked: number[] = []
  let counts = { plan: 0, demand: 0 }
  let history = noHistory
  rates.forEach((rate, tick) => {
    const at = tick * tickSeconds
    history = enterDemand(history, at, rate, leadSeconds)
    const scoring =
      tick >= from * ticksPerMinute && tick + ahead < Math.min(rates.length, until * ticksPerMinute)
    const near = tick >= from * ticksPerMinute - holdTicks
    asked.push(
      near && quantile !== undefined
        ? Math.max(rate, forecastFrom(history, at, rate, leadSeconds, quantile).atQuantile)
        : rate,
    )
    if (!scoring) return
    const highest = (values: ArrayLike<number>): number => Math.max(...Array.from(values))
    const planned = highest(asked.slice(-holdTicks)) * (1 + headroom)
    const onlySeen = highest([asked.at(-1) ?? 0, ...rates.slice(Math.max(0, tick - holdTicks + 1), tick)])
    const now = { plan: Math.ceil(planned / step), demand: Math.ceil((onlySeen * (1 + headroom)) / step) }
    if (sums.ticks > 0) {
      sums.heldPlan += now.plan === counts.plan ? 0 : 1
      sums.heldDemand += now.demand === counts.demand ? 0 : 1
    }
    counts = now
    const arriving = rates[tick + ahead] ?? 0
    sums.arriving += arriving
    sums.planned += planned
    sums.short += arriving > planned ? 1 : 0
    sums.ticks++
  })
  const perDay = (changes: number): string => ((changes / sums.ticks) * (86_400 / tickSeconds)).toFixed(0)
  return [
    name.padEnd(14),
    (quantile === undefined ? 'none' : quantile.toFixed(2)).padStart(5),
    (sums.planned / sums.arriving).toFixed(3).padStart(8),
    `${((100 * sums.short) / sums.ticks).toFixed(2)} %`.padStart(9),
    perDay(sums.heldPlan).padStart(6),
    perDay(sums.heldDemand).padStart(6),
  ].join(' ')
}
