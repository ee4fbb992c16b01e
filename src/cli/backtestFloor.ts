// `backtest --floor 99%`: tries floors until the lowest that attains the goal is known, with every seed, and takes the cheapest from there on.
import {
  type Floors,
  type FloorTrial,
  floorDocument,
  floorsAt,
  lowestReaching,
  missedPeaks,
  reaches,
  sharesToTry,
  trialOf,
  withFloors,
} from '../backtest/floor.ts'
import type { Result } from '../backtest/result.ts'
import type { ClassId, PolicySet } from '../core/policy.ts'
import { parseShare } from '../policy/quantity.ts'
import { documentText } from '../report/documentText.ts'
import { floorCsv, floorTable } from '../report/floorTable.ts'
import type { BacktestJob } from './backtestJobs.ts'
import type { backtestFlags, backtestOutputs, Variation } from './backtestSettings.ts'
import { classNames } from './classNames.ts'
import type { Terminal, Values } from './command.ts'
import { type ExitCode, exitCodes, usageError } from './exit.ts'
import { plainColumns } from './values.ts'

/** Throws usage errors: one start-up time, our own controller, and nothing that reports single runs. */
export function floorGoal(
  text: string,
  values: Values<typeof backtestFlags>,
  variations: readonly Variation[],
): number {
  const goal = parseShare(text)
  if (goal.kind === 'mistake') throw usageError(`--floor ${goal.message}: got "${text}"`)
  if (goal.value <= 0 || goal.value > 1)
    throw usageError(`--floor must be above 0% and at most 100%: got "${text}"`)
  for (const flag of ['fail-if', 'junit', 'report', 'bound'] as const)
    if (values[flag] !== undefined)
      throw usageError(`--${flag} is about single runs: leave it out beside --floor`)
  if (variations.some(({ controller }) => controller !== 'mixscaler'))
    throw usageError('--floor is for the policies’ own decisions: leave --controller out')
  if (new Set(variations.map(({ startupSeconds }) => startupSeconds)).size > 1)
    throw usageError('--floor is found for one start-up time: give --startup one')
  return goal.value
}

/** `played`: the results of all jobs; `jobs`: one for each seed. */
export async function findFloor(
  goal: number,
  policies: PolicySet,
  jobs: readonly BacktestJob[],
  played: (jobs: readonly BacktestJob[]) => Promise<readonly Result[]>,
  output: (typeof backtestOutputs)[number],
  terminal: Terminal,
): Promise<ExitCode> {
  const bare = await played(jobs)
  const without = trialOf(0, {}, bare)
  const trials = reaches(without, goal)
    ? [without]
    : await tried(goal, without, missedPeaks(without, goal, bare), jobs, played, terminal)
  terminal.out(printed(trials, goal, policies, output, terminal))
  return lowestReaching(trials, goal) === undefined ? exitCodes.limitBroken : exitCodes.good
}

async function tried(
  goal: number,
  without: FloorTrial,
  peaks: Floors,
  jobs: readonly BacktestJob[],
  played: (jobs: readonly BacktestJob[]) => Promise<readonly Result[]>,
  terminal: Terminal,
): Promise<readonly FloorTrial[]> {
  let trials: readonly FloorTrial[] = [without]
  for (;;) {
    const shares = sharesToTry(trials, goal)
    if (shares.length === 0) return trials
    terminal.error(
      `trying floors of ${shares.map((share) => `${Math.round(100 * share)} %`).join(', ')} of the busiest minute\n`,
    )
    const floors = shares.map((share) => floorsAt(share, peaks))
    const results = await played(
      floors.flatMap((each) => jobs.map((job) => ({ ...job, policies: withFloors(job.policies, each) }))),
    )
    trials = [
      ...trials,
      ...shares.map((share, i) =>
        trialOf(share, floors[i] ?? {}, results.slice(i * jobs.length, (i + 1) * jobs.length)),
      ),
    ]
  }
}

function printed(
  trials: readonly FloorTrial[],
  goal: number,
  policies: PolicySet,
  output: (typeof backtestOutputs)[number],
  { columns }: Terminal,
): string {
  const document = floorDocument(trials, goal)
  switch (output) {
    case 'table':
      return floorTable(document, policies, shortestNames(policies), columns ?? plainColumns)
    case 'csv':
      return floorCsv(document)
    case 'json':
    case 'yaml':
      return documentText({ ...document, found: document.found ?? null }, output)
  }
}

function shortestNames(policies: PolicySet): ReadonlyMap<ClassId, string> {
  return new Map(classNames(policies).map(({ trafficClass: { id }, shortest }) => [id, shortest]))
}
