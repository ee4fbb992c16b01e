// `mixscaler profile fit`: measurements to coefficients, with the errors that say what they are worth.
import { writeFile } from 'node:fs/promises'
import {
  fitCells,
  fitHeads,
  fitJson,
  fitYaml,
  saturationMiss,
  saturationTolerance,
} from '../profiling/fitText.ts'
import { fitAll } from '../profiling/fitted.ts'
import { joined } from '../profiling/lint/lint.ts'
import { plotSvg } from '../profiling/plot.ts'
import { table } from '../report/table.ts'
import { defineCommand } from './command.ts'
import { CommandError, exitCodes, usageError } from './exit.ts'
import { givenSetup, requireFiles, setupFlags } from './measurementFiles.ts'
import { choiceFlag } from './values.ts'

const plainColumns = 140
const mostPlots = 20

export const profileFit = defineCommand({
  name: 'profile fit',
  summary: 'fit a profile to benchmark results, with its errors',
  usage: 'FILE... [--model NAME] [--gpu NAME] [--tp N] [--output yaml|json|table] [--plot FILE.svg]',
  description:
    'Fits the coefficients of one engine step to each set-up (model, GPU, parallelism, engine) in the files: linear\n' +
    'least squares, no coefficient below 0, gross errors weighed down, rows that `profile lint` drops left out.\n' +
    'Prints each profile as YAML for a policy: variants[].profile. Above it the errors in sample and on what was left\n' +
    'out (a request shape, else a load, else every second point), the worst point, and a quality mark:\n' +
    '  good  median error per token at most 3 % in sample and 5 % held out, 90th percentile at most 10 % and 15 %\n' +
    '  fair  at most 6 % and 10 %, and 15 % and 30 %\n' +
    '  poor  everything else, and every fit of one request shape or fewer than 6 rows\n' +
    'Bursts in the files (all requests at once) check the saturation rate: it must hold within 10 %.\n' +
    'Exit code 0: fitted; 1: nothing could be fitted; 4: the saturation check fails.',
  flags: {
    ...setupFlags,
    output: {
      type: 'string',
      short: 'o',
      default: 'yaml',
      placeholder: 'yaml|json|table',
      text: 'how to print',
    },
    plot: { type: 'string', placeholder: 'FILE.svg', text: 'predicted against measured, and errors by load' },
  },
  operands: 'allowed',
  examples: [
    {
      text: 'The results of `profile recipe`',
      command: 'mixscaler profile fit results/*.json --plot fit.svg',
    },
    {
      text: 'One set-up of many',
      command: 'mixscaler profile fit all.csv --model Llama-3.1-70B-fp8 --gpu h200 --tp 4',
    },
    { text: 'All of them, one line each', command: 'mixscaler profile fit all.csv --output table' },
  ],
  run: async (values, terminal, files) => {
    const output = choiceFlag('output', values.output, ['yaml', 'json', 'table'])
    const given = givenSetup(values)
    const read = await requireFiles(files, given)
    const fitted = fitAll(joined(read.map(({ data }) => data)), given)
    const { profiles, failed } = fitted
    if (profiles.length === 0 && failed.length === 0)
      throw new CommandError(
        exitCodes.failed,
        'no rows of that model, GPU and TP: `mixscaler profile import` lists what is there',
      )
    if (values.plot !== undefined) await plot(values.plot, profiles)
    switch (output) {
      case 'yaml':
        terminal.out(fitYaml(fitted))
        break
      case 'json':
        terminal.out(fitJson(fitted))
        break
      case 'table': {
        const heads = fitHeads.map((title, i) => ({
          title,
          align: i < fitHeads.length - 1 ? ('right' as const) : ('left' as const),
        }))
        terminal.out(`${table(heads, profiles.map(fitCells), terminal.columns ?? plainColumns).join('\n')}\n`)
      }
    }
    if (output === 'table')
      for (const { setup, why } of failed)
        terminal.error(`not fitted: ${setup.model} on ${setup.gpu} TP${setup.tp}, ${setup.engine}: ${why}\n`)
    if (profiles.length === 0) return exitCodes.failed
    const fails = profiles.some((profile) => Math.abs(saturationMiss(profile) ?? 0) > saturationTolerance)
    return fails ? exitCodes.limitBroken : exitCodes.good
  },
})

async function plot(file: string, profiles: Parameters<typeof plotSvg>[0]): Promise<void> {
  if (profiles.length > mostPlots)
    throw usageError(
      `--plot draws at most ${mostPlots} set-ups: got ${profiles.length}; choose with --model, --gpu and --tp`,
    )
  try {
    await writeFile(file, plotSvg(profiles))
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandError(exitCodes.failed, `the plot cannot be written: ${why}`, { cause: error })
  }
}
