// `mixscaler plan`: what serve would decide, shown and not emitted. The same `decide`, over live metrics or over a
// recorded observation; on live ones it remembers what serve would, on a recording nothing, so that nothing shrinks yet.
import { decide } from '../core/decide.ts'
import type { Decision } from '../core/decision.ts'
import { createTools } from '../core/tools.ts'
import type { Compared } from '../report/compared.ts'
import { documentText } from '../report/documentText.ts'
import { planHtml } from '../report/html/planHtml.ts'
import { planDocument } from '../report/planDocument.ts'
import { planReport } from '../report/planReport.ts'
import { planTable } from '../report/planTable.ts'
import { planReportCsv } from '../report/reportCsv.ts'
import { type Sweep, sweepDocument, sweepTable } from '../report/sweepTable.ts'
import { loadEngines } from '../solvers/engines.ts'
import { defineCommand, type Flags, type Terminal, type Values } from './command.ts'
import { commandLine } from './commandLine.ts'
import { type ExitCode, exitCodes, usageError } from './exit.ts'
import { observationFlags, recordedOrLive, requireSource } from './observeOnce.ts'
import { planningAt } from './planned.ts'
import { policyFlag, requirePolicies } from './policies.ts'
import { progress } from './progress.ts'
import { reportFlag, requireReportFiles, writeReports } from './reportFiles.ts'
import { choiceFlag, outputFlag, outputs, plainColumns } from './values.ts'
import { version } from './version.ts'
import { changed, compared, sweepParts, swept, whatIfFlags } from './whatIf.ts'

const flags = {
  policy: policyFlag,
  ...whatIfFlags,
  output: outputFlag,
  report: reportFlag,
  ...observationFlags,
} as const satisfies Flags

export const plan = defineCommand({
  name: 'plan',
  summary: 'show what would be scaled to what, and why; change nothing',
  usage:
    '--policy PATH (--prometheus URL [--at TIME] | --observation FILE) [--what-if KEY=VALUE,...] [--sweep KEY=FROM..TO:STEPS] [--report FILE.html] [--output table|json|yaml]',
  description:
    'Observes once, decides once, prints the targets with their cost and reasons. Nothing is emitted to KEDA.\n' +
    'PLAN is the cheapest mix; TARGET what would be emitted now. On live metrics the past is read back as serve does at\n' +
    'its start (--history off: not); a recording has no past, so nothing shrinks yet.\n' +
    'With --what-if the policies are changed first: DEMAND, prices and bounds are then those of the what-if, and a last\n' +
    'line compares with the plan without it. With --sweep one row per value; both together work too. --report writes\n' +
    'the plan for a meeting: now against plan, why, prices, and a grid of what-ifs.\n' +
    'Exit code 0: all demand is carried; 4: some is not (a shortfall, at any value of a sweep); 1: some policy could not\n' +
    'be planned.',
  flags,
  examples: [
    {
      text: 'On live metrics',
      command: 'mixscaler plan --policy policies/ --prometheus http://localhost:9090',
    },
    {
      text: 'At the peak of yesterday, as JSON',
      command:
        'mixscaler plan -p policies/ --prometheus http://localhost:9090 --at 2026-10-01T12:00:00Z -o json',
    },
    { text: 'On a recording', command: 'mixscaler plan -p policies/ --observation observation.json' },
    {
      text: 'With twice the traffic and 64 H100s',
      command: 'mixscaler plan -p policies/ --observation observation.json --what-if demand=2x,pool.h100=64',
    },
    {
      text: 'From half to four times the traffic, in eight steps',
      command: 'mixscaler plan -p policies/ --observation observation.json --sweep demand=0.5x..4x:8',
    },
    {
      text: 'For a meeting',
      command: 'mixscaler plan -p policies/ --prometheus http://localhost:9090 --report plan.html',
    },
  ],
  run: async (values, terminal) => {
    const output = choiceFlag('output', values.output, outputs)
    const { 'what-if': whatIf, sweep, report = [] } = values
    requireSource(values)
    requireReportFiles(report)
    if (sweep !== undefined && report.length > 0)
      throw usageError('--report excludes --sweep: it shows one plan, and a grid of its own')
    const { policies, warnings } = await requirePolicies(values.policy)
    for (const warning of warnings) terminal.error(`warning: ${warning}\n`)
    const under = whatIf === undefined ? policies : changed(policies, whatIf)
    const parts = sweep === undefined ? [] : sweepParts(under, sweep)
    const tools = createTools(await loadEngines())
    const scene = await recordedOrLive(values, policies, tools, terminal)
    const { observation, state } = scene
    if (sweep !== undefined) {
      const steps = swept(parts, scene, tools, progress(terminal, 'planned', parts.length))
      const asked = { sweep, ...(whatIf === undefined ? {} : { whatIf }), at: observation.at, steps }
      terminal.out(printedSweep(asked, output, terminal))
      return exitCodeOf(steps.map(({ decision }) => decision))
    }
    const { decision } = decide(under, state, observation, tools)
    const comparison =
      whatIf === undefined ? undefined : compared(whatIf, policies, under, decision, scene, tools)
    terminal.out(printed(decision, comparison, output, terminal))
    if (report.length > 0) {
      const made = planReport({
        version: version(),
        command: again(values, observation.at),
        ...(whatIf === undefined ? {} : { whatIf }),
        policies: under,
        observation,
        decision,
        planning: planningAt(under, { ...scene, tools }, decision, terminal),
      })
      await writeReports(
        report,
        { html: (assets) => planHtml(made, assets), json: () => made, csv: () => planReportCsv(made) },
        terminal,
      )
    }
    return exitCodeOf([decision])
  },
})

/** Live, the instant that was looked at is part of it. */
function again(values: Values<typeof flags>, at: number): string {
  const instant = values.observation === undefined ? { at: String(at) } : {}
  return commandLine('plan', flags, { ...values, ...instant })
}

function printed(
  decision: Decision,
  comparison: Compared | undefined,
  output: (typeof outputs)[number],
  { columns }: Terminal,
): string {
  return output === 'table'
    ? planTable(decision, columns ?? plainColumns, comparison)
    : documentText(planDocument(decision, comparison), output)
}

function printedSweep(sweep: Sweep, output: (typeof outputs)[number], { columns }: Terminal): string {
  return output === 'table'
    ? sweepTable(sweep, columns ?? plainColumns)
    : documentText(sweepDocument(sweep), output)
}

function exitCodeOf(decisions: readonly Decision[]): ExitCode {
  const statuses = new Set(decisions.flatMap(({ policies }) => policies.map(({ status }) => status)))
  if (statuses.has('shortfall')) return exitCodes.limitBroken
  return statuses.has('held') ? exitCodes.failed : exitCodes.good
}
