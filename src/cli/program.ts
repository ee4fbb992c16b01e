// The program: picks the command, turns what it throws into a message and an exit code.
import { nearest } from '../core/nearest.ts'
import type { Command, Terminal } from './command.ts'
import { CommandError, type ExitCode, exitCodes } from './exit.ts'
import { version } from './version.ts'

/** Loaded when asked for: what one command needs, the others need not wait for. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./serve.ts')).serve,
  plan: async () => (await import('./plan.ts')).plan,
  explain: async () => (await import('./explain.ts')).explain,
  backtest: async () => (await import('./backtest.ts')).backtest,
  validate: async () => (await import('./validate.ts')).validate,
  record: async () => (await import('./record.ts')).record,
  replay: async () => (await import('./replay.ts')).replay,
  profile: async () => (await import('./profile.ts')).profile,
  demo: async () => (await import('./demo.ts')).demo,
}

export async function runProgram(argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const [first, ...rest] = argv
  switch (first) {
    case undefined:
      terminal.error(await overview())
      return exitCodes.usage
    case '--help':
    case '-h':
      terminal.out(await overview())
      return exitCodes.good
    case '--version':
    case '-v':
      terminal.out(`mixscaler ${version()}\n`)
      return exitCodes.good
    default:
      return runCommand(first, rest, terminal)
  }
}

async function runCommand(name: string, argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const load = commands[name]
  if (load === undefined) {
    terminal.error(unknownCommand(name))
    return exitCodes.usage
  }
  try {
    const command = await load()
    return await command.run(argv, terminal)
  } catch (error) {
    if (error instanceof CommandError) {
      terminal.error(`mixscaler ${name}: ${error.message}\n`)
      return error.exitCode
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    terminal.error(`mixscaler ${name}: this is a defect of mixscaler, please report it:\n${text}\n`)
    return exitCodes.failed
  }
}

function unknownCommand(typed: string): string {
  const meant = nearest(typed, Object.keys(commands))
  const hint = meant === undefined ? '' : ` Did you mean "${meant}"?`
  return `mixscaler: unknown command "${typed}".${hint} See: mixscaler --help\n`
}

async function overview(): Promise<string> {
  const all = await Promise.all(Object.values(commands).map((load) => load()))
  const width = Math.max(...all.map(({ name }) => name.length))
  return [
    "mixscaler: the cheapest mix of vLLM replicas that meets every traffic class's SLO, as a KEDA external scaler",
    '',
    'Usage: mixscaler COMMAND [flags]',
    '',
    'Commands:',
    ...all.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
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
    'Exit codes: 0 good, 1 failed, 2 usage, 3 invalid policy, 4 a stated limit is broken.',
    '',
  ].join('\n')
}
