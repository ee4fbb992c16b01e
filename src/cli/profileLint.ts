// `mixscaler profile lint`: what is wrong with measurements, a sentence each, before anybody plans on them.
import type { Origin, ProfileData } from '../core/profiles/measurement.ts'
import { type Finding, rowsText } from '../profiling/lint/finding.ts'
import { joined, lint } from '../profiling/lint/lint.ts'
import { chosen } from '../profiling/setup.ts'
import { wrap } from '../report/table.ts'
import { defineCommand } from './command.ts'
import { exitCodes } from './exit.ts'
import { givenSetup, readFiles, setupFlags } from './measurementFiles.ts'
import { choiceFlag } from './values.ts'

const plainColumns = 120

const uses: Readonly<Record<Finding['use'], string>> = {
  dropped: 'fit leaves these rows out',
  corrected: 'fit corrects these rows',
  kept: 'fit uses these rows as they are',
}

export const profileLint = defineCommand({
  name: 'profile lint',
  summary: 'find what is wrong with benchmark results, and explain it',
  usage: 'FILE... [--output table|json]',
  description:
    'Looks for throughput per engine where per GPU is stated, throughput that includes prefill, equal KV sizes at any\n' +
    'parallelism, outliers, rows beyond saturation, knees that are slot limits, tokens counted twice, delays outside\n' +
    'the engine, values that fall where they must rise, other units, swapped columns, and rows that appear twice.\n' +
    'Each finding names its rows and says what a fit does about it. Exit code 0: nothing found; 4: something was.',
  flags: {
    ...setupFlags,
    output: { type: 'string', short: 'o', default: 'table', placeholder: 'table|json', text: 'how to print' },
  },
  operands: 'allowed',
  examples: [
    { text: 'Before fitting', command: 'mixscaler profile lint results/*.json' },
    { text: 'In CI', command: 'mixscaler profile lint measurements.csv --output json' },
  ],
  run: async (values, terminal, files) => {
    const output = choiceFlag('output', values.output, ['table', 'json'])
    const given = givenSetup(values)
    const read = await readFiles(files, given)
    const unreadable = read.flatMap((each): readonly Finding[] =>
      each.kind === 'unreadable' ? [{ defect: 'unreadable', text: each.why, rows: [], use: 'dropped' }] : [],
    )
    const data = joined(read.flatMap((each) => (each.kind === 'read' ? [each.data] : [])))
    const wanted = new Set(rowsOf(chosen(data, given)))
    const findings = [...unreadable, ...lint(data).filter(({ rows }) => rows.some((row) => wanted.has(row)))]
    terminal.out(
      output === 'json'
        ? `${JSON.stringify({ format: 'mixscaler-lint/1', findings }, null, 2)}\n`
        : report(findings, terminal.columns ?? plainColumns),
    )
    return findings.length === 0 ? exitCodes.good : exitCodes.limitBroken
  },
})

function rowsOf({ runs, prefill, decode, laws }: ProfileData): readonly Origin[] {
  return [...runs, ...prefill, ...decode, ...laws].map(({ origin }) => origin)
}

function report(findings: readonly Finding[], width: number): string {
  if (findings.length === 0) return 'nothing found\n'
  const blocks = findings.map(({ defect, text, rows, use }) => {
    const where = rows.length === 0 ? [] : [`  ${rowsText(rows)}: ${uses[use]}`]
    return [defect, ...wrap(text, width - 2).map((line) => `  ${line}`), ...where].join('\n')
  })
  return `${blocks.join('\n\n')}\n\n${findings.length} ${findings.length === 1 ? 'finding' : 'findings'}\n`
}
