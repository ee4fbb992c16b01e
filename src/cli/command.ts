// The shape of a command: flags as data, from which parsing, help and "did you mean" follow. A command gets
// typed values and the terminal, and answers with its exit code.
import { parseArgs } from 'node:util'
import { nearest } from '../core/nearest.ts'
import { type ExitCode, exitCodes, usageError } from './exit.ts'

export interface Flag {
  readonly type: 'string' | 'boolean'
  readonly short?: string
  readonly multiple?: true
  /** Its values stand in no report. */
  readonly secret?: true
  readonly default?: string
  /** What stands for the value in the help: URL, FILE, 15s. */
  readonly placeholder?: string
  /** One line of help. */
  readonly text: string
}

export type Flags = Readonly<Record<string, Flag>>

export type Values<F extends Flags> = ReturnType<typeof parseArgs<{ options: F }>>['values']

/** The outside of a command: where text goes, and when to stop. */
export interface Terminal {
  readonly out: (text: string) => void
  readonly error: (text: string) => void
  /** Width of a terminal; absent where output goes to a file or pipe: then no colour, no redrawing. */
  readonly columns?: number
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted by SIGINT and SIGTERM: end gracefully. */
  readonly signal: AbortSignal
}

interface CommandDefinition<F extends Flags> {
  readonly name: string
  /** One line in `mixscaler --help`. */
  readonly summary: string
  /** What follows the command's name in its usage line. */
  readonly usage: string
  /** Paragraphs of help between usage and flags. */
  readonly description: string
  readonly flags: F
  /** Whether words that are no flags, such as files, are meant for it. */
  readonly operands?: 'allowed'
  readonly examples: readonly Example[]
  readonly run: (values: Values<F>, terminal: Terminal, operands: readonly string[]) => Promise<ExitCode>
}

interface Example {
  readonly text: string
  readonly command: string
}

export interface Command {
  readonly name: string
  readonly summary: string
  readonly help: string
  /** Throws CommandError where a failure was foreseen. */
  readonly run: (argv: readonly string[], terminal: Terminal) => Promise<ExitCode>
}

export function defineCommand<const F extends Flags>(definition: CommandDefinition<F>): Command {
  const help = helpOf(definition)
  return {
    name: definition.name,
    summary: definition.summary,
    help,
    run: async (argv, terminal) => {
      if (argv.includes('--help') || argv.includes('-h')) {
        terminal.out(help)
        return exitCodes.good
      }
      const { values, operands } = parseFlags(definition, argv, terminal.env)
      return definition.run(values, terminal, operands)
    },
  }
}

/** A flag that is not given is taken from its environment variable: `--grpc-port` from MIXSCALER_GRPC_PORT. */
function environmentName(flag: string): string {
  return `MIXSCALER_${flag.toUpperCase().replaceAll('-', '_')}`
}

function parseFlags<F extends Flags>(
  definition: CommandDefinition<F>,
  argv: readonly string[],
  env: Terminal['env'],
): { readonly values: Values<F>; readonly operands: readonly string[] } {
  const { tokens } = parseArgs({ args: [...argv], options: definition.flags, strict: false, tokens: true })
  const given = new Set<string>()
  const operands: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') {
      if (definition.operands === undefined) throw usageError(unexpected(definition, token.value))
      operands.push(token.value)
    }
    if (token.kind !== 'option') continue
    const flag = definition.flags[token.name]
    if (flag === undefined) throw usageError(unknownFlag(definition, token.rawName))
    if (flag.type === 'string' && token.value === undefined)
      throw usageError(`${token.rawName} needs a value: ${token.rawName} ${flag.placeholder ?? 'VALUE'}`)
    if (flag.type === 'boolean' && token.value !== undefined)
      throw usageError(`${token.rawName} takes no value: got "${token.value}"`)
    if (given.has(token.name) && flag.multiple === undefined)
      throw usageError(`${token.rawName} is given twice: it takes one value`)
    given.add(token.name)
  }
  const args = [...fromEnvironment(definition.flags, given, env), ...argv]
  try {
    const { values } = parseArgs({ args, options: definition.flags, allowPositionals: true })
    return { values, operands }
  } catch (error) {
    // What is left, such as `--at -1h`: Node's own sentence says which flag is ambiguous, and how to write it.
    throw usageError(error instanceof Error ? error.message : String(error))
  }
}

function fromEnvironment(flags: Flags, given: ReadonlySet<string>, env: Terminal['env']): string[] {
  const args: string[] = []
  for (const [name, flag] of Object.entries(flags)) {
    const value = env[environmentName(name)]
    if (value === undefined || value === '' || given.has(name)) continue
    if (flag.type === 'string') args.push(`--${name}=${value}`)
    else if (value === 'true') args.push(`--${name}`)
    else if (value !== 'false')
      throw usageError(`${environmentName(name)} must be true or false: got "${value}"`)
  }
  return args
}

function unknownFlag(definition: CommandDefinition<Flags>, typed: string): string {
  const meant = nearest(typed.replace(/^-+/, ''), Object.keys(definition.flags))
  const hint = meant === undefined ? '' : ` Did you mean --${meant}?`
  return `unknown flag ${typed}.${hint} See: mixscaler ${definition.name} --help`
}

function unexpected(definition: CommandDefinition<Flags>, value: string): string {
  return `unexpected argument "${value}": ${definition.name} takes flags only. See: mixscaler ${definition.name} --help`
}

function helpOf(definition: CommandDefinition<Flags>): string {
  const flags = Object.entries(definition.flags).map(([name, flag]) => {
    const short = flag.short === undefined ? '    ' : `-${flag.short}, `
    const value = flag.type === 'string' ? ` ${flag.placeholder ?? 'VALUE'}` : ''
    const fallback = flag.default === undefined ? '' : ` (default ${flag.default})`
    return { left: `  ${short}--${name}${value}`, right: `${flag.text}${fallback}` }
  })
  flags.push({ left: '  -h, --help', right: 'this text' })
  const width = Math.max(...flags.map(({ left }) => left.length))
  return [
    `mixscaler ${definition.name}: ${definition.summary}`,
    '',
    `Usage: mixscaler ${definition.name} ${definition.usage}`,
    '',
    definition.description,
    '',
    'Flags (or environment: --some-flag is MIXSCALER_SOME_FLAG):',
    ...flags.map(({ left, right }) => `${left.padEnd(width)}  ${right}`),
    '',
    'Examples:',
    ...definition.examples.flatMap(({ text, command }) => [`  # ${text}`, `  ${command}`]),
    '',
  ].join('\n')
}
