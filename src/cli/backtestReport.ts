// The report of `backtest --report`: the runs beside each other, and plans at the busiest instant under our own scaler.
import { epochSeconds } from '../backtest/backtest.ts'
import { reviewedController } from '../backtest/controllers.ts'
import type { Result } from '../backtest/result.ts'
import { siteOf } from '../backtest/site.ts'
import { decide } from '../core/decide.ts'
import type { Observation } from '../core/observation.ts'
import type { PolicySet } from '../core/policy.ts'
import { isMissing } from '../core/reading.ts'
import { emptyState } from '../core/state.ts'
import { createTools } from '../core/tools.ts'
import { type BacktestReport, backtestReport } from '../report/backtest/backtestReport.ts'
import { backtestHtml } from '../report/html/backtestHtml.ts'
import { reviewCsv } from '../report/reportCsv.ts'
import { loadEngines } from '../solvers/engines.ts'
import type { Terminal } from './command.ts'
import { usageError } from './exit.ts'
import { planningAt } from './planned.ts'
import { requireReportFiles, writeReports } from './reportFiles.ts'
import { version } from './version.ts'

/** Throws a usage error unless the runs are one comparison: our scaler among them, one seed, one start-up time. */
export function requireComparable(
  files: readonly string[],
  runs: readonly { readonly controller: string; readonly seed: number; readonly startupSeconds?: number }[],
): void {
  if (files.length === 0) return
  requireReportFiles(files)
  const settings = new Set(runs.map(({ seed, startupSeconds }) => `${seed} ${startupSeconds}`))
  if (settings.size > 1)
    throw usageError('--report compares controllers on one traffic: give one --seed and one --startup')
  if (!runs.some(({ controller }) => controller === reviewedController))
    throw usageError(`--report is on ${reviewedController}: name it in --controller`)
}

export interface Reviewed {
  readonly policies: PolicySet
  /** The first controller that is not ours stands for what runs today. */
  readonly results: readonly Result[]
  readonly busiest: Observation | undefined
  readonly command: string
}

export async function writeReview(
  files: readonly string[],
  reviewed: Reviewed,
  terminal: Terminal,
): Promise<void> {
  if (files.length === 0) return
  const report = await review(reviewed, terminal)
  await writeReports(
    files,
    {
      html: (assets) => backtestHtml(report, assets),
      json: () => report,
      csv: () => reviewCsv(report),
    },
    terminal,
  )
}

async function review(
  { policies: stated, results, busiest, command }: Reviewed,
  terminal: Terminal,
): Promise<BacktestReport> {
  const settings = results[0]?.settings
  const policies = settings === undefined ? stated : siteOf(stated, settings).policies
  const bound = results[0]?.bound
  const today = results.find(({ controller }) => controller !== reviewedController)?.controller
  return backtestReport({
    version: version(),
    command,
    epochSeconds: settings?.beginsAtSeconds ?? epochSeconds,
    policies,
    results,
    ours: reviewedController,
    ...(today === undefined ? {} : { today }),
    ...(bound === undefined || isMissing(bound) ? {} : { bound }),
    ...(busiest === undefined ? {} : { planning: await planningOf(policies, busiest, terminal) }),
    notes:
      settings?.beginsAtSeconds === undefined
        ? [
            'the clock of the simulation begins on Thursday 1 January 2026 at 00:00 UTC, whenever the traffic was recorded',
          ]
        : [],
  })
}

async function planningOf(policies: PolicySet, observation: Observation, terminal: Terminal) {
  const scene = { state: emptyState, observation, tools: createTools(await loadEngines()) }
  const { decision } = decide(policies, scene.state, observation, scene.tools)
  return planningAt(policies, scene, decision, terminal)
}
