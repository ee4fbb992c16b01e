// The workflow that docs/BACKTEST.md offers for copying: what it runs is a command that exists, on files that exist, and
// what it keeps is what that command writes.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { runProgram } from '../../src/cli/program.ts'
import { scratch } from '../cli/run.ts'

interface Step {
  readonly run?: string
  readonly with?: Readonly<Record<string, string>>
}

const root = join(import.meta.dirname, '..', '..')
const workflow = parse(readFileSync(join(root, 'docs', 'backtest.github.yaml'), 'utf8'))
const steps: readonly Step[] = workflow.jobs.backtest.steps
/** Shell words; the workflow uses single quotes alone. */
const words = (steps.find(({ run }) => run?.includes('mixscaler'))?.run ?? '')
  .match(/'[^']*'|\S+/g)
  ?.map((word) => word.replace(/^'|'$/g, ''))

test('the workflow runs a backtest that passes its own conditions, and uploads the file that it writes', async () => {
  const [npm, run, silent, script, dashes, ...args] = words ?? []
  expect([npm, run, silent, dashes]).toEqual(['npm', 'run', '--silent', '--'])
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  expect(scripts[script ?? '']).toBeDefined()
  const policy = args[args.indexOf('--policy') + 1] ?? ''
  expect(existsSync(join(root, policy))).toBe(true)
  const junit = args[args.indexOf('--junit') + 1] ?? ''
  expect(steps.some((step) => step.with?.['path'] === junit)).toBe(true)
  // Five minutes and one seed instead of four hours and three; with a price that no fleet keeps it fails.
  const shortened = (word: string) =>
    word
      .replace(/for=\w+/, 'for=5m')
      .replace(/^1,2,3$/, '1')
      .replace(policy, join(root, policy))
  const ended = async (replaced: (word: string) => string) => {
    const written = join(scratch(), junit)
    let out = ''
    const code = await runProgram(
      args.map((word) => (word === junit ? written : replaced(shortened(word)))),
      {
        out: (text) => {
          out += text
        },
        error: () => undefined,
        env: {},
        signal: new AbortController().signal,
      },
    )
    return { code, out, junit: readFileSync(written, 'utf8') }
  }
  const good = await ended((word) => word)
  expect([good.code, good.junit.includes('failures="0"')]).toEqual([0, true])
  const dear = await ended((word) => word.replace('cost>120/h', 'cost>1/h'))
  expect([dear.code, dear.junit.includes('failures="1"')]).toEqual([4, true])
  expect(dear.out).toContain('FAILED mixscaler, request, seed 1: cost>1/h')
}, 30_000)
