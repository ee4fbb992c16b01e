// `mixscaler plan`: what serve would decide, shown and not emitted. The same `decide`, over live metrics or over a
// recorded observation; it starts without memory, as serve does, so a target waits before it goes below what runs.
import { readFile } from 'node:fs/promises'
import { decide } from '../core/decide.ts'
import type { Decision } from '../core/decision.ts'
import type { Observation } from '../core/observation.ts'
import { emptyState } from '../core/state.ts'
import { createTools } from '../core/tools.ts'
import { parseObservation } from '../report/observationFile.ts'
import { planJson, planYaml } from '../report/planDocument.ts'
import { planTable } from '../report/planTable.ts'
import { loadEngines } from '../solvers/engines.ts'
import { defineCommand, type Terminal } from './command.ts'
import { CommandError, type ExitCode, exitCodes, usageError } from './exit.ts'
import { observeOnce, observeOnceFlags } from './observeOnce.ts'
import { policyFlag, requirePolicies } from './policies.ts'
import { choiceFlag, outputs } from './values.ts'

/** Where no terminal says how wide it is. */
const plainColumns = 120

export const plan = defineCommand({
  name: 'plan',
  summary: 'show what would be scaled to what, and why; change nothing',
  usage: '--policy PATH (--prometheus URL [--at TIME] | --observation FILE) [--output table|json|yaml]',
  description:
    'Observes once, decides once, prints the targets with their cost and reasons. Nothing is emitted to KEDA.\n' +
    'PLAN is the cheapest mix; TARGET what would be emitted now: it starts without memory, so nothing shrinks yet.\n' +
    'Exit code 0: all demand is carried; 4: some is not (a shortfall); 1: some policy could not be planned.',
  flags: {
    policy: policyFlag,
    observation: { type: 'string', placeholder: 'FILE', text: 'plan on what `mixscaler record` saved' },
    output: {
      type: 'string',
      short: 'o',
      default: 'table',
      placeholder: 'table|json|yaml',
      text: 'how to print',
    },
    ...observeOnceFlags,
  },
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
  ],
  run: async (values, terminal) => {
    const output = choiceFlag('output', values.output, outputs)
    const { observation: file, prometheus, at } = values
    if (file !== undefined && (prometheus !== undefined || at !== undefined))
      throw usageError('--observation excludes --prometheus and --at: a recording has its own instant')
    if (file === undefined && prometheus === undefined)
      throw usageError(
        'nothing to plan on: give --prometheus URL, or --observation FILE from `mixscaler record`',
      )
    const { policies, warnings } = await requirePolicies(values.policy)
    for (const warning of warnings) terminal.error(`warning: ${warning}\n`)
    const observation =
      file === undefined ? await observeOnce(values, policies, terminal) : await readObservation(file)
    const tools = createTools(await loadEngines())
    const { decision } = decide(policies, emptyState, observation, tools)
    terminal.out(printed(decision, output, terminal))
    return exitCodeOf(decision)
  },
})

async function readObservation(file: string): Promise<Observation> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandError(exitCodes.failed, `the observation cannot be read: ${why}`, { cause: error })
  }
  const parsed = parseObservation(text)
  if (parsed.kind === 'good') return parsed.observation
  throw new CommandError(exitCodes.failed, `${file} is not an observation:\n${parsed.problems.join('\n')}`)
}

function printed(decision: Decision, output: (typeof outputs)[number], { columns }: Terminal): string {
  switch (output) {
    case 'table':
      return planTable(decision, columns ?? plainColumns)
    case 'json':
      return planJson(decision)
    case 'yaml':
      return planYaml(decision)
  }
}

function exitCodeOf({ policies }: Decision): ExitCode {
  if (policies.some(({ status }) => status === 'shortfall')) return exitCodes.limitBroken
  return policies.some(({ status }) => status === 'held') ? exitCodes.failed : exitCodes.good
}
