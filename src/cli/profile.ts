// `mixscaler profile`: how fast an engine is, from measurements to coefficients. A group of commands, each in a file
// of its own and loaded when asked for.
import { nearest } from '../core/nearest.ts'
import type { Command } from './command.ts'
import { exitCodes, usageError } from './exit.ts'

const commands: Readonly<Record<string, () => Promise<Command>>> = {
  show: async () => (await import('./profileShow.ts')).profileShow,
  recipe: async () => (await import('./profileRecipe.ts')).profileRecipe,
  lint: async () => (await import('./profileLint.ts')).profileLint,
  fit: async () => (await import('./profileFit.ts')).profileFit,
  import: async () => (await import('./profileImport.ts')).profileImport,
}

export const profile: Command = {
  name: 'profile',
  summary: 'how fast an engine is: look profiles up, measure, check and fit them',
  help: help([]),
  run: async (argv, terminal) => {
    const [name, ...rest] = argv
    if (name === undefined || name === '--help' || name === '-h') {
      const all = await Promise.all(Object.values(commands).map((load) => load()))
      const say = name === undefined ? terminal.error : terminal.out
      say(help(all))
      return name === undefined ? exitCodes.usage : exitCodes.good
    }
    const load = commands[name]
    if (load === undefined) {
      const meant = nearest(name, Object.keys(commands))
      const hint = meant === undefined ? '' : ` Did you mean "${meant}"?`
      throw usageError(`unknown command "${name}".${hint} See: mixscaler profile --help`)
    }
    return (await load()).run(rest, terminal)
  },
}

function help(all: readonly Command[]): string {
  return [
    'mixscaler profile: how fast an engine is: look profiles up, measure, check and fit them',
    '',
    'Usage: mixscaler profile COMMAND [flags]',
    '',
    'A profile is seven coefficients of one step of an engine (docs/MODEL.md): with them the plan knows what a replica',
    'carries within its SLO before it has run. Most set-ups are in the library: look there first. For your own, run the',
    'recipe (about 20 minutes of one replica), fit its results, and paste the profile into the policy.',
    '',
    'Commands:',
    ...all.map(({ name, summary }) => `  ${(name.split(' ').at(-1) ?? name).padEnd(6)}  ${summary}`),
    '',
    'mixscaler profile COMMAND --help explains one of them.',
    '',
    'Examples:',
    '  # Is mine in the library?',
    '  mixscaler profile show --model meta-llama/Llama-3.3-70B-Instruct --gpu h100 --tp 4',
    '  # What to run against an engine of my own, and what to do with the results',
    '  mixscaler profile recipe --model acme/chat-13b --gpu l40s --tp 2 > measure.sh',
    '  mixscaler profile fit results/*.json',
    '',
  ].join('\n')
}
