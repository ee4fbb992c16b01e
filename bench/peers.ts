// The comparison: traces x start-up times x (peers as shipped, tuned with hindsight, with one configuration for all
// cells; ours with its defaults; the clairvoyant bound), and whether what the capacity review promises holds.
import { parseArgs } from 'node:util'
import type { Peer } from '../src/backtest/peers/peer.ts'
import { type Cell, type FleetName, prepare } from './peers/cells.ts'
import { type Job, keyOf, type Ran } from './peers/job.ts'
import { runAll } from './peers/pool.ts'
import { printAblations, printBars, printCell, printSingles } from './peers/tables.ts'
import { traceNames, traceOf } from './peers/traces.ts'

const help = `Usage: npx node bench/peers.ts --data DIR [flags]

  --data DIR        where the traces are (Azure and ServeGen, as published; docs/BENCHMARKS.md)
  --traces LIST     of ${traceNames} (default large,reason)
  --fleets LIST     of h100, mix (default h100)
  --startups LIST   seconds (default 60,120,180)
  --seeds LIST      (default 1)
  --requests        every request played, where a trace has rates too: a day takes half a minute to four minutes
  --goal SHARE      of requests within the SLO, and the percentile that it states (default 0.99)
  --days N          scored, at most (default 4)
  --cache FILE      results as JSON lines; a run that broke off goes on from there. Delete it when the code changes
  --threads N       (default 2)
  --peers LIST      names to leave in (default all)
  --alone           the bound and ours, and nobody beside them
  --ablations       ours with parts of its behavior switched off, too
  --help
`

/** Demand that the clairvoyant's schedule is made for, as multiples of the true one: the cheapest that attains the goal counts. */
const factors = [0.98, 1, 1.02, 1.05]

/** What a rule needs that knows the present exactly and nothing of the future: factors of it. */
const sightedFactors = [1, 1.04, 1.08, 1.12, 1.16, 1.2, 1.24, 1.28, 1.36]

/** What the policy can switch, and what it is then. */
const ablations: Readonly<Record<string, string>> = {
  'no quantile of the forecast': 'forecastQuantile: 0.5',
  'headroom not learnt': 'learn: { headroom: off }',
  'speed not learnt': 'learn: { speed: off }',
  'no margins of sizing': 'sloMargin: 100%, maxLoad: 98%',
  'no hold before scaling down': 'scaleDown: { hold: 0s }',
  'no hold band': 'holdBand: 0%',
  'none of the margins and holds above':
    'forecastQuantile: 0.5, headroom: 0%, sloMargin: 100%, maxLoad: 98%, scaleDown: { hold: 0s }, holdBand: 0%',
  'the HPA’s dead band left on': 'hpaTolerance: 10%',
}

const settings = settingsFrom(process.argv.slice(2))
if (settings !== undefined) await compare(settings)

interface Settings {
  readonly data: string
  readonly cells: readonly Cell[]
  readonly days: number
  readonly goal: number
  readonly cache: string | undefined
  readonly threads: number
  readonly peers: readonly string[] | undefined
  readonly ablations: 'on' | 'off'
  readonly beside: 'all' | 'bound'
}

function settingsFrom(args: readonly string[]): Settings | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      data: { type: 'string' },
      traces: { type: 'string', default: 'large,reason' },
      fleets: { type: 'string', default: 'h100' },
      startups: { type: 'string', default: '60,120,180' },
      seeds: { type: 'string', default: '1' },
      days: { type: 'string', default: '4' },
      requests: { type: 'boolean' },
      goal: { type: 'string', default: '0.99' },
      cache: { type: 'string' },
      threads: { type: 'string', default: '2' },
      peers: { type: 'string' },
      ablations: { type: 'boolean' },
      alone: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true || values.data === undefined) {
    process.stdout.write(help)
    process.exitCode = values.help === true ? 0 : 2
    return undefined
  }
  const goal = Number(values.goal)
  const names = values.traces.split(',')
  const fidelity = values.requests === true ? ({ fidelity: 'request' } as const) : {}
  for (const name of names) traceOf(name)
  return {
    data: values.data,
    days: Number(values.days),
    goal,
    cache: values.cache,
    threads: Number(values.threads),
    peers: values.peers?.split(','),
    ablations: values.ablations === true ? 'on' : 'off',
    beside: values.alone === true ? 'bound' : 'all',
    cells: names.flatMap((trace) =>
      (values.fleets.split(',') as FleetName[]).flatMap((fleet) =>
        values.startups
          .split(',')
          .map(Number)
          .flatMap((startupSeconds) =>
            values.seeds
              .split(',')
              .map(Number)
              .map((seed) => ({ trace, fleet, startupSeconds, seed, goal, ...fidelity })),
          ),
      ),
    ),
  }
}

async function compare(options: Settings): Promise<void> {
  const { data, cells, days, goal } = options
  const planned = cells.map((cell) => ({ cell, jobs: jobsOf(cell, options) }))
  const results = await runAll(
    planned.flatMap(({ jobs }) => jobs),
    { ...options, data, days },
  )
  const ranOf = (job: Job): Ran => {
    const ran = results.get(keyOf(job, days))
    if (ran === undefined) throw new Error(`no result of ${keyOf(job, days)}`)
    return ran
  }
  const compared = planned.map(({ cell, jobs }) => ({
    cell,
    runs: jobs.map((job) => ({ job, ran: ranOf(job) })),
  }))
  for (const each of compared) printCell(each, shippedLabels(each.cell, options), goal)
  printSingles(compared, goal)
  printBars(compared, goal)
  if (options.ablations === 'on') printAblations(compared, ablations)
}

function jobsOf(cell: Cell, options: Settings): readonly Job[] {
  const all = options.beside === 'all'
  return [
    { cell, kind: 'bound' },
    ...(all ? factors : []).map((factor): Job => ({ cell, kind: 'clairvoyant', factor })),
    ...(all && cell.fleet === 'h100' ? sightedFactors : []).map(
      (factor): Job => ({ cell, kind: 'sighted', factor }),
    ),
    { cell, kind: 'ours', behavior: '' },
    ...(options.ablations === 'on'
      ? Object.values(ablations).map((behavior): Job => ({ cell, kind: 'ours', behavior }))
      : []),
    ...laidOut(cell, options).flatMap(({ name, shipped, grid }) =>
      [...new Set([shipped, ...grid].map(({ label }) => label))].map(
        (label): Job => ({ cell, kind: 'peer', peer: name, label }),
      ),
    ),
  ]
}

function shippedLabels(cell: Cell, options: Settings): ReadonlyMap<string, string> {
  return new Map(laidOut(cell, options).map(({ name, shipped }) => [name, shipped.label]))
}

function laidOut(cell: Cell, { data, days, peers, beside }: Settings): readonly Peer[] {
  const prepared = prepare(cell, { data, days, behavior: '', history: 'an hour' })
  return beside === 'all'
    ? prepared.peers.filter(({ name }) => peers === undefined || peers.includes(name))
    : []
}
