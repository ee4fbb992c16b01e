// `mixscaler profile import`: benchmark results of any supported tool, in the one form that lint and fit work on.
import type { ProfileData } from '../core/profiles/measurement.ts'
import { groupBy, setupName } from '../profiling/lint/finding.ts'
import { joined } from '../profiling/lint/lint.ts'
import { ownText } from '../profiling/ownFormat.ts'
import { chosen } from '../profiling/setup.ts'
import { table } from '../report/table.ts'
import { defineCommand } from './command.ts'
import { exitCodes } from './exit.ts'
import { givenSetup, requireFiles, setupFlags } from './measurementFiles.ts'
import { choiceFlag } from './values.ts'

const plainColumns = 120

export const profileImport = defineCommand({
  name: 'profile import',
  summary: 'read benchmark results of other tools, print what was understood',
  usage: 'FILE... [--model NAME] [--gpu NAME] [--tp N] [--output table|json]',
  description:
    'Recognises files by their content: Dynamo pre-swept profiles (npz, JSON), AIBrix profiles, GuideLLM reports\n' +
    '(JSON, CSV), `vllm bench serve` results, inferno alpha/beta/gamma tables, and CSV with a header (docs/PROFILES.md\n' +
    'lists the columns). json is one form for all of them: lint and fit read it, and you can correct it by hand.',
  flags: {
    ...setupFlags,
    output: { type: 'string', short: 'o', default: 'table', placeholder: 'table|json', text: 'how to print' },
  },
  operands: 'allowed',
  examples: [
    { text: 'What is in these files?', command: 'mixscaler profile import results/*.json' },
    {
      text: 'Dynamo ships arrays that do not say what they were measured on',
      command:
        'mixscaler profile import prefill.npz decode.npz --model Llama-3.3-70B-FP8 --gpu h100 --tp 4 -o json > all.json',
    },
  ],
  run: async (values, terminal, files) => {
    const output = choiceFlag('output', values.output, ['table', 'json'])
    const given = givenSetup(values)
    const read = await requireFiles(files, given)
    const data = chosen(joined(read.map((each) => each.data)), given)
    if (output === 'json') {
      terminal.out(ownText(data))
      return exitCodes.good
    }
    const formats = read.map(({ file, format }) => `${file}: ${format}`)
    terminal.out(`${[...formats, '', ...contents(data, terminal.columns ?? plainColumns)].join('\n')}\n`)
    return exitCodes.good
  },
})

function contents(data: ProfileData, width: number): readonly string[] {
  const rows = [
    ...data.runs.map(({ setup }) => ({ setup, kind: 'runs' })),
    ...data.prefill.map(({ setup }) => ({ setup, kind: 'prefill' })),
    ...data.decode.map(({ setup }) => ({ setup, kind: 'decode' })),
    ...data.laws.map(({ setup }) => ({ setup, kind: 'laws' })),
  ]
  const count = (group: readonly { readonly kind: string }[], kind: string): string =>
    String(group.filter((row) => row.kind === kind).length)
  return table(
    [
      { title: 'RUNS', align: 'right' },
      { title: 'PREFILL', align: 'right' },
      { title: 'DECODE', align: 'right' },
      { title: 'STATED', align: 'right' },
      { title: 'SET-UP', align: 'left' },
    ],
    groupBy(rows, ({ setup }) => setupName(setup)).map((group) => [
      count(group, 'runs'),
      count(group, 'prefill'),
      count(group, 'decode'),
      count(group, 'laws'),
      setupName(group[0].setup),
    ]),
    width,
  )
}
