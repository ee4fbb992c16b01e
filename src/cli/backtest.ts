// `mixscaler backtest`: the policies over past or made-up traffic on a simulated fleet, decided on by the production
// `decide`. For capacity reviews, and for CI: limits that must hold, an exit code, JUnit.
import { writeFile } from 'node:fs/promises'
import { reviewedController } from '../backtest/controllers.ts'
import { broken, type Limit, readLimits } from '../backtest/limits.ts'
import type { Result } from '../backtest/result.ts'
import type { Observation } from '../core/observation.ts'
import { isMissing } from '../core/reading.ts'
import { backtestCsv, backtestTable, brokenLines } from '../report/backtestTable.ts'
import { documentText } from '../report/documentText.ts'
import { junitText } from '../report/junit.ts'
import { findFloor, floorGoal } from './backtestFloor.ts'
import { type BacktestJob, runJobs } from './backtestJobs.ts'
import { requireComparable, writeReview } from './backtestReport.ts'
import { backtestFlags, backtestOutputs, settingsFrom } from './backtestSettings.ts'
import { describeTraffic } from './backtestTraffic.ts'
import { defineCommand, type Terminal } from './command.ts'
import { commandLine } from './commandLine.ts'
import { CommandError, type ExitCode, exitCodes, usageError } from './exit.ts'
import { requirePolicies } from './policies.ts'
import { progress } from './progress.ts'
import { choiceFlag, plainColumns } from './values.ts'

export const backtest = defineCommand({
  name: 'backtest',
  summary: 'run the policies over past or made-up traffic on a simulated fleet: attainment, cost, events',
  usage:
    '--policy PATH (--trace [CLASS=]FILE... | --synthetic [CLASS=]KIND:... | --prometheus URL --from TIME) [flags]',
  description:
    'Plays traffic against a simulated fleet that runs on the policies’ own profiles, prices and start-up times. The\n' +
    'production decision scales it, through KEDA and the HPA, from metrics as Prometheus would have had them. Nothing\n' +
    'outside is changed. What is assumed, and how far it can be trusted: docs/BACKTEST.md.\n' +
    '\n' +
    'A trace is a CSV with TIMESTAMP,ContextTokens,GeneratedTokens (Azure), JSON lines with timestamp, input_length,\n' +
    'output_length (Mooncake) or time, prompt_tokens, completion_tokens (access logs), or a rate series with\n' +
    't_s,rate_req_s,prompt_mean,output_mean. Where the policies have several classes, CLASS= says whose it is; several\n' +
    'traces of one class add up.\n' +
    '\n' +
    'With --prometheus, the classes that no --trace or --synthetic names are read by range queries, as serve would have\n' +
    'read them: arrivals, lengths, bursts. What is not known is said and filled in, or refused: it is never no traffic.\n' +
    '\n' +
    'Every combination of --controller, --startup and --seed is a run. Equal seeds give equal bytes.\n' +
    'Exit code 0: done; 4: a condition of --fail-if holds, or no floor attains the goal; 1: the traffic cannot be read; 2: usage; 3: invalid policy.',
  flags: backtestFlags,
  examples: [
    {
      text: 'An hour of recorded requests, against a static fleet sized for its peak',
      command: 'mixscaler backtest -p policies/chat.yaml --trace requests.csv --controller mixscaler,static',
    },
    {
      text: 'The last week of production, kept as files to run again',
      command:
        "mixscaler backtest -p policies/ --prometheus http://localhost:9090 --from '7d ago' --save-traffic week --fidelity fluid",
    },
    {
      text: 'What would four times the traffic cost, with replicas that start in one or three minutes?',
      command: 'mixscaler backtest -p policies/ --trace chat=log.jsonl --scale chat=4x --startup 60s,180s',
    },
    {
      text: 'Two weeks of a rate series at a tenth of its rate, in fluid mode',
      command: 'mixscaler backtest -p policies/ --trace rates.csv --scale 0.1x --fidelity fluid',
    },
    {
      text: 'In CI, without a file: fail where the policy would break its SLO or its budget',
      command:
        "mixscaler backtest -p policies/ --synthetic 'diurnal:rate=20,swing=0.7,for=4h,prompt=1200,output=210' --fail-if 'attainment<99%,cost>120/h' --junit backtest.xml",
    },
    {
      text: 'For a review: one HTML file, against a static fleet as what runs today',
      command:
        'mixscaler backtest -p policies/ --trace chat=requests.csv --controller mixscaler,static --report review.html',
    },
    {
      text: 'Bursts come faster than replicas start: what has to be planned for at all times to keep 99 %?',
      command: 'mixscaler backtest -p policies/ --trace requests.csv --floor 99% --seed 1,2,3',
    },
    {
      text: 'Is it safe when the profiles are 10 % optimistic? Three seeds',
      command: 'mixscaler backtest -p policies/ --trace requests.csv --model-error 10% --seed 1,2,3 -o csv',
    },
  ],
  run: async (values, terminal) => {
    const output = choiceFlag('output', values.output, backtestOutputs)
    if (values.junit !== undefined && values['fail-if'] === undefined)
      throw usageError('--junit needs --fail-if: it reports those conditions')
    const settings = settingsFrom(values)
    const goal = values.floor === undefined ? undefined : floorGoal(values.floor, values, settings.variations)
    const reports = values.report ?? []
    requireComparable(reports, settings.variations)
    const { policies, warnings } = await requirePolicies(values.policy)
    for (const warning of warnings) terminal.error(`warning: ${warning}\n`)
    const classNames = policies.policies.flatMap(({ classes }) => classes.map(({ name }) => name))
    const limits = limitsFrom(values['fail-if'], classNames)
    const traffic = await describeTraffic(values, policies, terminal)
    const { beginsAtSeconds } = traffic
    const first = settings.variations[0]?.controller
    const warmupSeconds = Math.min(settings.warmupSeconds, Math.floor(traffic.untilSeconds / 300) * 60)
    const jobs = settings.variations.map(
      (variation): BacktestJob => ({
        ...settings.common,
        ...variation,
        ...(beginsAtSeconds === undefined ? {} : { beginsAtSeconds }),
        ...{ warmupSeconds, policies, traffic },
        // One traffic and start-up time has one bound, whoever scales.
        bound: values.bound === true && variation.controller === first ? 'asked' : 'not asked',
      }),
    )
    if (goal !== undefined) {
      const played = async (some: readonly BacktestJob[]): Promise<readonly Result[]> =>
        (await simulated(some, settings.workers, terminal)).results
      return findFloor(goal, policies, jobs, played, output, terminal)
    }
    const { results: ran, busiest } = await simulated(jobs, settings.workers, terminal)
    const results = withBounds(ran, terminal)
    const failures = results.map((result) => broken(limits, result))
    terminal.out(printed(results, failures, output, terminal))
    if (values.junit !== undefined) await written(values.junit, junitText(results, limits, failures))
    const command = commandLine('backtest', backtestFlags, values)
    await writeReview(reports, { policies, results, busiest, command }, terminal)
    if (failures.every((each) => each.length === 0)) return exitCodes.good
    if (output !== 'table')
      for (const [i, result] of results.entries())
        for (const line of brokenLines(result, failures[i] ?? [])) terminal.error(`${line}\n`)
    return exitCodes.limitBroken satisfies ExitCode
  },
})

function limitsFrom(text: string | undefined, classNames: readonly string[]): readonly Limit[] {
  if (text === undefined) return []
  const limits = readLimits(text, classNames)
  if (typeof limits === 'string') throw usageError(`--fail-if ${limits}`)
  return limits
}

async function simulated(
  jobs: readonly BacktestJob[],
  workers: number,
  terminal: Terminal,
): Promise<{ readonly results: readonly Result[]; readonly busiest: Observation | undefined }> {
  const hours = jobs.reduce((sum, { traffic }) => sum + traffic.untilSeconds, 0) / 3600
  const shown = progress(terminal, 'simulated hours', Math.ceil(hours))
  let busiest: Observation | undefined
  try {
    const results = await runJobs(jobs, {
      workers,
      busiest: ({ controller }, observation) => {
        if (controller === reviewedController) busiest = observation
      },
      simulated: (seconds) => shown.done(Math.floor(seconds / 3600)),
      signal: terminal.signal,
    })
    return { results, busiest }
  } finally {
    shown.end()
  }
}

/** The bound of a run is that of all with its seed and start-up time. */
function withBounds(results: readonly Result[], terminal: Terminal): readonly Result[] {
  const keyOf = ({ settings: { seed, startupSeconds } }: Result): string => `${seed} ${startupSeconds}`
  const bounds = new Map(results.flatMap((one) => (one.bound === undefined ? [] : [[keyOf(one), one.bound]])))
  for (const bound of new Set(bounds.values()))
    if (isMissing(bound)) terminal.error(`note: there is no bound: ${bound.detail}\n`)
  return results.map(({ minutes, ...rest }) => {
    const bound = bounds.get(keyOf({ minutes, ...rest }))
    return { ...rest, ...(bound === undefined ? {} : { bound }), minutes }
  })
}

function printed(
  results: readonly Result[],
  failures: readonly ReturnType<typeof broken>[],
  output: (typeof backtestOutputs)[number],
  { columns }: Terminal,
): string {
  switch (output) {
    case 'table':
      return backtestTable(results, failures, columns ?? plainColumns)
    case 'csv':
      return backtestCsv(results)
    case 'json':
    case 'yaml':
      return documentText(results, output)
  }
}

async function written(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandError(exitCodes.failed, `--junit cannot be written: ${why}`, { cause: error })
  }
}
