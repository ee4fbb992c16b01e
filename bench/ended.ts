// What is read of demand and of lengths while a fleet is scaled, request by request: the demand that completions and growth
// say, and the mean answer of what ended and of what arrives by it, over what really came in that minute.
import { parseArgs } from 'node:util'
import { backtest, defaultPlant, epochSeconds } from '../src/backtest/backtest.ts'
import type { Controller } from '../src/backtest/controller.ts'
import { decideController } from '../src/backtest/ours.ts'
import { meanOf } from '../src/backtest/traffic/lengthPoints.ts'
import { clockOf } from '../src/core/demand/answerClock.ts'
import { arrivals } from '../src/core/demand/arrivals.ts'
import { asArrived } from '../src/core/demand/ended.ts'
import { type ClassShape, classShape } from '../src/core/demand/shape.ts'
import { type LengthHistogram, mean } from '../src/core/histogram.ts'
import type { Observation } from '../src/core/observation.ts'
import { isMissing } from '../src/core/reading.ts'
import { createTools } from '../src/core/tools.ts'
import { loadEngines } from '../src/solvers/engines.ts'
import { prepare, startupSigma } from './peers/cells.ts'

const help = `Usage: npx node bench/ended.ts --data DIR [flags]

  --data DIR     where the traces are (docs/BENCHMARKS.md)
  --trace NAME   as bench/peers.ts names them (default reason)
  --startup S    seconds (default 120)
  --seed N       (default 1)
`
const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    trace: { type: 'string', default: 'reason' },
    startup: { type: 'string', default: '120' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean' },
  },
})
const { data, trace } = values
if (values.help === true || data === undefined) {
  console.log(help)
  process.exit(values.help === true ? 0 : 2)
}

const tickSeconds = 15
const startupSeconds = Number(values.startup)
const engines = await loadEngines()
const cell = prepare(
  { trace, fleet: 'h100', startupSeconds, seed: Number(values.seed), goal: 0.99 },
  { data, days: 1, behavior: '', history: 'all' },
)
const { policies, policy, known, warmupSeconds } = cell
const [trafficClass] = policy.classes
const [truth] = known.classes
if (trafficClass === undefined || truth === undefined) throw new Error('a cell has a class')

/** By name: readings over the truth. */
const read = new Map<string, number[]>()

function note(name: string, over: number | undefined): void {
  if (over === undefined || !Number.isFinite(over)) return
  const ratios = read.get(name) ?? []
  ratios.push(over)
  read.set(name, ratios)
}

function lately({ lately: last }: LengthHistogram): number {
  return last === undefined ? Number.NaN : last.sumPerSecond / last.eventsPerSecond
}

let shape: ClassShape | undefined

function look(observation: Observation): void {
  const { at, variants } = observation
  if (trafficClass === undefined || truth === undefined) return
  shape = classShape(trafficClass, policy.variants, policy.variants, observation, shape)
  const minute = Math.floor((at - epochSeconds - warmupSeconds - 30) / 60)
  const came = truth.requestsPerSecond[minute]
  const lengths = truth.shapes[truth.shapeAt[minute] ?? -1]
  const [signals] = Object.values(variants)
  if (minute < 0 || came === undefined || lengths === undefined || signals === undefined) return
  const demand = arrivals({ ...signals, waiting: 0 })
  if (!isMissing(demand)) note('demand', demand / came)
  if (isMissing(signals.outputTokens)) return
  const tokens = meanOf(lengths.outputTokens)
  const arrived = asArrived(signals.outputTokens, clockOf(shape.answering ?? []))
  note('ended, 5 minutes', (mean(signals.outputTokens) ?? Number.NaN) / tokens)
  note('arrived, by what ended', (mean(arrived) ?? Number.NaN) / tokens)
  note('ended, last minute', lately(signals.outputTokens) / tokens)
  note('arrived, last minute', lately(arrived) / tokens)
}

const run = backtest({
  ...{ policies, traffic: cell.traffic, tools: createTools(engines), fidelity: 'request', warmupSeconds },
  ...{
    tickSeconds,
    startupSigma,
    plant: defaultPlant,
    seed: Number(values.seed),
    modelError: 0,
    startupSeconds,
  },
  controllerOf: (site): Controller => {
    const inner = decideController(site, createTools(engines), tickSeconds)
    return {
      ...inner,
      step: (observation) => {
        look(observation)
        return inner.step(observation)
      },
    }
  },
})
let next = run.next()
while (next.done !== true) next = run.next()

const at = (sorted: readonly number[], share: number): string =>
  (sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN).toFixed(2).padStart(7)
console.log(
  `${trace}, ${startupSeconds} s, seed ${values.seed}: readings over what came in that minute, by quantile`,
)
console.log(
  `${''.padEnd(24)}${['1 %', '5 %', '50 %', '95 %', '99 %'].map((text) => text.padStart(7)).join('')}`,
)
for (const [name, ratios] of read) {
  const sorted = ratios.toSorted((x, y) => x - y)
  console.log(name.padEnd(24) + [0.01, 0.05, 0.5, 0.95, 0.99].map((share) => at(sorted, share)).join(''))
}
