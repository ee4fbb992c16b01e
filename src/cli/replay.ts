// `mixscaler replay`: was this really decided, and would this version decide it again? Reads what `serve --journal` wrote.
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { decide } from '../core/decide.ts'
import { createTools } from '../core/tools.ts'
import { olderFile } from '../loop/journal.ts'
import { type PlacedText, type Replayed, replayJournal } from '../loop/replayJournal.ts'
import { documentText } from '../report/documentText.ts'
import { loadEngines } from '../solvers/engines.ts'
import { defineCommand } from './command.ts'
import { CommandError, exitCodes, usageError } from './exit.ts'
import { choiceFlag, outputFlag, outputs } from './values.ts'

export const replay = defineCommand({
  name: 'replay',
  summary: 'take every decision of a journal again, and name the first that comes out differently',
  usage: 'JOURNAL [--output table|json|yaml]',
  description:
    'Reads JOURNAL, and before it what was rotated away (JOURNAL.1, JOURNAL.2, ...), oldest first. Nothing else is read:\n' +
    'policies and states stand in the journal. The solvers are deterministic, so another machine replays the same.\n' +
    'Exit code 0: every decision came out byte for byte; 1: one did not, or the journal cannot be read.',
  flags: { output: outputFlag },
  operands: 'allowed',
  examples: [
    {
      text: 'Would this version have decided the same?',
      command: 'mixscaler replay /var/lib/mixscaler/journal',
    },
  ],
  run: async (values, terminal, operands) => {
    const output = choiceFlag('output', values.output, outputs)
    const [file, ...more] = operands
    if (file === undefined || more.length > 0)
      throw usageError('replay takes one journal: mixscaler replay JOURNAL')
    const tools = createTools(await loadEngines())
    const files = filesOf(file)
    if (files.length === 0) throw new CommandError(exitCodes.failed, `${file} is not there`)
    let replayed: Replayed
    try {
      replayed = await replayJournal(linesOf(files), (policies, state, observation) =>
        decide(policies, state, observation, tools),
      )
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new CommandError(exitCodes.failed, `the journal cannot be replayed: ${why}`, { cause: error })
    }
    terminal.out(output === 'table' ? text(replayed, files) : documentText({ files, ...replayed }, output))
    return replayed.difference === undefined ? exitCodes.good : exitCodes.failed
  },
})

/** Oldest first. */
function filesOf(file: string): readonly string[] {
  const files: string[] = []
  for (let age = 0; existsSync(olderFile(file, age)); age++) files.unshift(olderFile(file, age))
  return files
}

async function* linesOf(files: readonly string[]): AsyncGenerator<PlacedText> {
  for (const file of files) {
    let line = 0
    const handle = await open(file)
    for await (const text of handle.readLines()) {
      line += 1
      yield { file, line, text }
    }
  }
}

function text(replayed: Replayed, files: readonly string[]): string {
  const { decisions, from, until, writers, policies, cutShort, difference } = replayed
  const time = (at: number) => new Date(at * 1000).toISOString()
  const lines = [
    `${files.length === 1 ? '1 file' : `${files.length} files`}, written by mixscaler ${writers.join(', ') || '(nobody)'}`,
    ...policies.map(({ digest, ids }) => `policies ${digest}: ${ids.join(', ')}`),
    from === undefined || until === undefined
      ? '0 decisions'
      : `${decisions} decisions from ${time(from)} to ${time(until)} came out as they were`,
    ...(cutShort === 0 ? [] : [`${cutShort} cut short as their writer ended, and left out`]),
  ]
  if (difference !== undefined) {
    const { file, line, at, path, journal, replay: now } = difference
    lines.push(`${file}:${line}${at === undefined ? '' : `, tick ${time(at)}`} differs: ${path}`)
    if (journal !== undefined || now !== undefined) lines.push(`  journal: ${journal}`, `  replay:  ${now}`)
  }
  return `${lines.join('\n')}\n`
}
