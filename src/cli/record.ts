// `mixscaler record`: one observation as a file, for `plan --observation` and for bug reports.
import { writeFile } from 'node:fs/promises'
import { observationJson } from '../report/observationFile.ts'
import { defineCommand } from './command.ts'
import { CommandError, exitCodes } from './exit.ts'
import { observeOnce, observeOnceFlags } from './observeOnce.ts'
import { policyFlag, requirePolicies } from './policies.ts'

export const record = defineCommand({
  name: 'record',
  summary: 'save what is observed, for a later plan or a bug report',
  usage: '--policy PATH --prometheus URL [--at TIME] [--to FILE]',
  description:
    'Observes once, as plan would, and writes the observation as JSON: names of policies, variants and pools, and\n' +
    'numbers. No address, header, token or query result beyond those is in it.',
  flags: {
    policy: policyFlag,
    to: { type: 'string', placeholder: 'FILE', text: 'where to write; without it, to standard output' },
    ...observeOnceFlags,
  },
  examples: [
    {
      text: 'Record now, plan later',
      command: 'mixscaler record -p policies/ --prometheus http://localhost:9090 --to observation.json',
    },
    {
      text: 'Five minutes ago',
      command: 'mixscaler record -p policies/ --prometheus http://localhost:9090 --at=-5m',
    },
  ],
  run: async (values, terminal) => {
    const { policies } = await requirePolicies(values.policy)
    const text = observationJson(await observeOnce(values, policies, terminal))
    if (values.to === undefined) {
      terminal.out(text)
      return exitCodes.good
    }
    try {
      await writeFile(values.to, text)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new CommandError(exitCodes.failed, `the observation cannot be written: ${why}`, { cause: error })
    }
    terminal.error(`wrote ${values.to}\n`)
    return exitCodes.good
  },
})
