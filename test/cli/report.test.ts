// `--report` of plan and backtest: files for a meeting, for a program, for a spreadsheet.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { commandLine } from '../../src/cli/commandLine.ts'
import { runProgram } from '../../src/cli/program.ts'
import { observationJson } from '../../src/report/observationFile.ts'
import { chatAt } from './observations.ts'

const directory = mkdtempSync(join(tmpdir(), 'mixscaler-cli-report-'))
const at = (name: string) => join(directory, name)
writeFileSync(at('observation.json'), observationJson(chatAt(6)))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const policy = join(import.meta.dirname, '../../policies/smallest.yaml')
const onRecording = ['plan', '--policy', policy, '--observation', at('observation.json')]

async function ran(...args: readonly string[]) {
  let out = ''
  let error = ''
  const exitCode = await runProgram(args, {
    out: (text) => {
      out += text
    },
    error: (text) => {
      error += text
    },
    env: {},
    signal: new AbortController().signal,
  })
  return { exitCode, out, error }
}

const reportsTo = (...names: readonly string[]) => names.flatMap((name) => ['--report', at(name)])

test('plan writes one report in as many forms as are asked for, and prints as without', async () => {
  const plain = await ran(...onRecording)
  const { exitCode, out, error } = await ran(
    ...onRecording,
    ...reportsTo('plan.html', 'plan.json', 'plan.csv'),
  )
  expect([exitCode, out]).toEqual([0, plain.out])
  expect(error).toBe(['plan.html', 'plan.json', 'plan.csv'].map((name) => `wrote ${at(name)}\n`).join(''))
  const json = JSON.parse(readFileSync(at('plan.json'), 'utf8'))
  expect(json.format).toBe('mixscaler-plan-report/1')
  expect(json.costPerHour).toEqual(JSON.parse((await ran(...onRecording, '-o', 'json')).out).costPerHour)
  expect(readFileSync(at('plan.html'), 'utf8')).toMatch(/^<!doctype html>\n/)
  expect(readFileSync(at('plan.csv'), 'utf8').split('\r\n')[1]).toMatch(
    /^chat\/llama-70b,h100-tp4,unified,3,0,/,
  )
})

test('the command in the report makes the same report again', async () => {
  await ran(...onRecording, '--what-if', 'demand=2x', ...reportsTo('first.json'))
  const text = readFileSync(at('first.json'), 'utf8')
  const { command, whatIf } = JSON.parse(text)
  expect(whatIf).toBe('demand=2x')
  const [program, ...args] = command.split(' ')
  expect(program).toBe('mixscaler')
  expect((await ran(...args)).exitCode).toBe(0)
  expect(readFileSync(at('first.json'), 'utf8')).toBe(text)
})

test.each([
  [['--report', 'plan.pdf'], '--report must end in .html, .json, .csv: got "plan.pdf"'],
  [
    ['--report', 'plan.html', '--sweep', 'demand=1x..2x:2'],
    '--report excludes --sweep: it shows one plan, and a grid of its own',
  ],
])('plan refuses %j before it plans', async (flags, message) => {
  const { exitCode, out, error } = await ran(...onRecording, ...flags)
  expect([exitCode, out]).toEqual([2, ''])
  expect(error).toContain(message)
})

test('a report that cannot be written is said, with where', async () => {
  const { exitCode, error } = await ran(...onRecording, ...reportsTo('no-such-folder/plan.html'))
  expect(exitCode).toBe(1)
  expect(error).toMatch(/the report cannot be written: ENOENT.*no-such-folder/)
})

const synthetic = [
  'backtest',
  '--policy',
  policy,
  '--synthetic',
  'diurnal:rate=8,swing=0.5,for=20m,prompt=900,output=120',
]

test('backtest writes a report on our scaler, the next controller standing for today', async () => {
  const flags = ['--fidelity', 'fluid', '--controller', 'static,mixscaler']
  const { exitCode } = await ran(...synthetic, ...flags, ...reportsTo('review.html', 'review.json'))
  expect(exitCode).toBe(0)
  const json = JSON.parse(readFileSync(at('review.json'), 'utf8'))
  expect(json).toMatchObject({
    format: 'mixscaler-backtest-report/1',
    controller: 'mixscaler',
    summary: { today: { controller: 'static' }, ours: { controller: 'mixscaler' } },
  })
  expect(json.planning.grid.cells.length).toBeGreaterThan(20)
  expect(json.command).toContain(' --controller static,mixscaler --fidelity fluid --report ')
  expect(json.assumptions.join('\n')).toContain('the clock of the simulation begins on')
  expect(readFileSync(at('review.html'), 'utf8')).toContain('Capacity review')
})

test.each([
  [['--seed', '1,2'], '--report compares controllers on one traffic: give one --seed and one --startup'],
  [
    ['--startup', '60s,180s'],
    '--report compares controllers on one traffic: give one --seed and one --startup',
  ],
  [['--controller', 'static'], '--report is on mixscaler: name it in --controller'],
])('backtest refuses a report with %j before it runs', async (flags, message) => {
  const { exitCode, error } = await ran(...synthetic, ...flags, ...reportsTo('review.html'))
  expect(exitCode).toBe(2)
  expect(error).toContain(message)
})

test('a command line is quoted for a shell, and leaves defaults and secrets out', () => {
  const flags = {
    trace: { type: 'string', multiple: true, text: '' },
    seed: { type: 'string', default: '1', text: '' },
    at: { type: 'string', text: '' },
    quiet: { type: 'boolean', text: '' },
    header: { type: 'string', multiple: true, secret: true, text: '' },
  } as const
  expect(
    commandLine('backtest', flags, {
      trace: ["chat=last month's.csv", 'b.csv'],
      seed: '1',
      at: '-5m',
      quiet: true,
      header: ['Authorization=Basic c2VjcmV0'],
    }),
  ).toBe(
    `mixscaler backtest --trace 'chat=last month'\\''s.csv' --trace b.csv --at=-5m --quiet --header '[left out]'`,
  )
})
