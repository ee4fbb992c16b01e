// The program: picks the command, turns what it throws into a message and an exit code.
import { nearest } from '../core/nearest.ts'
import type { Command, Terminal } from './command.ts'
import { CommandError, type ExitCode, exitCodes } from './exit.ts'
import { plan } from './plan.ts'
import { record } from './record.ts'
import { serve } from './serve.ts'
import { validate } from './validate.ts'
import { version } from './version.ts'

const commands: readonly Command[] = [serve, plan, validate, record]

export async function runProgram(argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const [first, ...rest] = argv
  if (first === undefined || first === '--help' || first === '-h' || first === 'help')
    return help(rest, first, terminal)
  if (first === '--version' || first === '-v') {
    terminal.out(`mixscaler ${version()}\n`)
    return exitCodes.good
  }
  const command = commands.find(({ name }) => name === first)
  if (command === undefined) {
    terminal.error(unknownCommand(first))
    return exitCodes.usage
  }
  try {
    return await command.run(rest, terminal)
  } catch (error) {
    if (error instanceof CommandError) {
      terminal.error(`mixscaler ${command.name}: ${error.message}\n`)
      return error.exitCode
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    terminal.error(`mixscaler ${command.name}: this is a defect of mixscaler, please report it:\n${text}\n`)
    return exitCodes.failed
  }
}

function help(rest: readonly string[], first: string | undefined, terminal: Terminal): ExitCode {
  const command = commands.find(({ name }) => name === rest[0])
  if (first === 'help' && command !== undefined) {
    terminal.out(command.help)
    return exitCodes.good
  }
  const asked = first !== undefined
  if (asked) terminal.out(overview())
  else terminal.error(overview())
  return asked ? exitCodes.good : exitCodes.usage
}

function unknownCommand(typed: string): string {
  const meant = nearest(
    typed,
    commands.map(({ name }) => name),
  )
  const hint = meant === undefined ? '' : ` Did you mean "${meant}"?`
  return `mixscaler: unknown command "${typed}".${hint} See: mixscaler --help\n`
}

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length))
  return [
    "mixscaler: the cheapest mix of vLLM replicas that meets every traffic class's SLO, as a KEDA external scaler",
    '',
    'Usage: mixscaler COMMAND [flags]',
    '',
    'Commands:',
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'mixscaler COMMAND --help explains one of them; mixscaler --version says which this is.',
    '',
    'Examples:',
    '  # See a simulated fleet scale, no cluster and no Prometheus needed',
    '  mixscaler demo',
    '  # What would it do with my fleet now? Changes nothing',
    '  mixscaler plan --policy policies/ --prometheus http://localhost:9090',
    '  # Answer KEDA',
    '  mixscaler serve --policy policies/ --prometheus http://prometheus:9090',
    '',
    'Exit codes: 0 good, 1 failed, 2 usage, 3 invalid policy, 4 the plan breaks a stated limit.',
    '',
  ].join('\n')
}
