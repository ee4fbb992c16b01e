// The commands as processes: help that teaches, exit codes that scripts can trust, the same bytes for the same input.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { runProgram } from '../../src/cli/program.ts'
import { chatAt } from './observations.ts'
import { mixscaler, scratch, start } from './run.ts'

const directory = scratch()
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function file(name: string, content: string | object): string {
  const path = join(directory, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

/** The same program without a process of its own, where only its words and its code matter. */
async function inProcess(args: readonly string[]) {
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

const policy = 'policies/smallest.yaml'
const quiet = file('quiet.json', chatAt(2))

const commands = ['serve', 'plan', 'explain', 'validate', 'record', 'demo']

test('the overview names every command, exit codes and where to begin', async () => {
  const { exitCode, out } = await mixscaler('--help')
  expect(exitCode).toBe(0)
  for (const command of commands) expect(out).toMatch(new RegExp(`^  ${command} `, 'm'))
  expect(out).toContain('mixscaler demo')
  expect(out).toContain('3 invalid policy')
})

test.each(commands)('%s --help says how it is used, every flag, and shows examples', async (command) => {
  const { exitCode, out, error } = await inProcess([command, '--help'])
  expect([exitCode, error]).toEqual([0, ''])
  expect(out).toContain(`Usage: mixscaler ${command}`)
  expect(out).toMatch(/^Flags/m)
  expect(out).toMatch(new RegExp(`^Examples:\\n  # .*\\n  mixscaler ${command}`, 'm'))
})

test('a usage error reaches the shell as exit code 2', async () => {
  const { exitCode, out, error } = await mixscaler('plan', '--polcy', policy)
  expect([exitCode, out]).toEqual([2, ''])
  expect(error).toContain('Did you mean --policy?')
})

test('no command is a usage error that shows the overview', async () => {
  const { exitCode, out, error } = await inProcess([])
  expect([exitCode, out]).toEqual([2, ''])
  expect(error).toContain('Usage: mixscaler COMMAND')
})

test('the version is that of the package', async () => {
  expect((await mixscaler('--version')).out).toBe('mixscaler 0.1.0\n')
})

test.each([
  [['plna'], 'unknown command "plna". Did you mean "plan"?'],
  [['plan', '--polcy', policy], 'unknown flag --polcy. Did you mean --policy?'],
  [['plan', '--policy'], '--policy needs a value: --policy PATH'],
  [['plan', '--policy', policy, '-p', policy], '-p is given twice'],
  [['plan', policy], `unexpected argument "${policy}": plan takes flags only`],
  [['plan', '--policy', policy], 'nothing to plan on: give --prometheus URL, or --observation FILE'],
  [['plan', '--observation', quiet], '--policy is missing'],
  [
    ['plan', '-p', policy, '--observation', quiet, '--at', 'now'],
    '--observation excludes --prometheus and --at',
  ],
  [
    ['plan', '-p', policy, '--observation', quiet, '-o', 'jsno'],
    'table, json, yaml: got "jsno". Did you mean json?',
  ],
  [['plan', '-p', policy, '--prometheus', 'localhost:9090'], 'must start with http:// or https://'],
  [
    ['plan', '-p', policy, '--prometheus', 'http://localhost', '--at', 'noon'],
    '--at must be an instant such as',
  ],
  [
    ['serve', '-p', policy, '--prometheus', 'http://localhost', '--grpc-port', '99999'],
    '--grpc-port must be a port',
  ],
  [
    ['serve', '-p', policy, '--prometheus', 'http://localhost', '--interval', '15'],
    '--interval must be a duration',
  ],
  [['serve', '-p', policy, '--prometheus', 'http://localhost', '--tls-key-file', 'k'], 'TLS needs both'],
  [['serve', '-p', policy], '--prometheus is missing'],
])('%j is a usage error that says what to do', async (args, message) => {
  const { exitCode, out, error } = await inProcess(args)
  expect(error).toContain(message)
  expect([exitCode, out]).toEqual([2, ''])
})

test('plan twice on one recording prints the same bytes, in every form', async () => {
  for (const output of ['table', 'json', 'yaml']) {
    const args = ['plan', '-p', policy, '--observation', quiet, '-o', output]
    const [first, second] = await Promise.all([mixscaler(...args), inProcess(args)])
    expect(first.exitCode).toBe(0)
    expect(first.out.length).toBeGreaterThan(100)
    expect(second.out).toBe(first.out)
  }
})

test('plan prints per variant now, target, cost, limit and reason, and the totals', async () => {
  const { out } = await inProcess(['plan', '-p', policy, '--observation', quiet])
  expect(out).toMatch(/^VARIANT +NOW +PLAN +TARGET +\$\/H NOW +\$\/H PLAN +LIMITED BY +WHY$/m)
  expect(out).toMatch(
    /^h100-tp4 +3 +1 +3 +37\.20 +\d+\.\d\d +(TTFT|ITL|KV cache|max-num-seqs|throughput) +carries 100 % of chat/m,
  )
  expect(out).toMatch(/^Cost: now \$37\.20\/h, plan \$\d+\.\d\d\/h \(-\d+ %\), target now \$37\.20\/h$/m)
})

test('a plan that cannot carry the demand ends with 4, and says how much is short', async () => {
  const flood = file('flood.json', chatAt(5000))
  const { exitCode, out } = await mixscaler('plan', '-p', policy, '--observation', flood, '-o', 'json')
  expect(exitCode).toBe(4)
  const plan = JSON.parse(out)
  expect(plan.policies[0].status).toBe('shortfall')
  expect(plan.policies[0].variants[0].target).toBe(12)
  expect(plan.policies[0].classes[0].shortfall).toBeGreaterThan(1000)
})

test('a plan over what could not be seen ends with 1', async () => {
  const { at, classes, pools } = chatAt(2)
  const blind = file('blind.json', {
    format: 'mixscaler-observation/1',
    at,
    classes,
    pools,
    variants: {},
    warnings: [],
  })
  const { exitCode, out } = await inProcess(['plan', '-p', policy, '--observation', blind])
  expect(exitCode).toBe(1)
  expect(out).toContain('chat/llama-70b: held')
})

test('a recording that is none ends with 1 and names what is wrong in it', async () => {
  const broken = file('broken.json', { ...chatAt(2), at: 'noon' })
  const { exitCode, error } = await inProcess(['plan', '-p', policy, '--observation', broken])
  expect(exitCode).toBe(1)
  expect(error).toContain('is not an observation:\nat: ')
})

test('an unreachable Prometheus ends with 1 and says where to look', async () => {
  const args = ['plan', '-p', policy, '--prometheus', 'http://127.0.0.1:9', '--kubernetes', 'off']
  const { exitCode, out, error } = await mixscaler(...args)
  expect([exitCode, out]).toEqual([1, ''])
  expect(error).toBe(
    'mixscaler plan: nothing could be observed: Prometheus answers no query: unreachable. ' +
      'Check --prometheus, its credentials, and that it is reachable from here\n',
  )
})

test('an invalid policy ends with 3, with place and caret, in plan and validate alike', async () => {
  const bad = file(
    'bad.yaml',
    'apiVersion: mixscaler.dev/v1alpha1\nkind: ScalingPolicy\nmetadata: { nam: x }\n',
  )
  const [planned, validated] = await Promise.all([
    mixscaler('plan', '-p', bad, '--observation', quiet),
    mixscaler('validate', '-p', bad),
  ])
  expect([planned.exitCode, validated.exitCode]).toEqual([3, 3])
  for (const text of [planned.error, validated.out]) {
    expect(text).toContain('bad.yaml:3:')
    expect(text).toMatch(/^3 \| metadata/m)
  }
})

test('validate accepts the examples together, and says what they hold', async () => {
  const { exitCode, out } = await inProcess(['validate', '-p', 'policies'])
  expect(exitCode).toBe(0)
  expect(out).toContain('chat/llama-70b: 1 class, 1 variant')
  const { out: json } = await inProcess(['validate', '-p', 'policies', '-o', 'json'])
  expect(JSON.parse(json).kind).toBe('loaded')
})

test('a policy path that does not exist ends with 1', async () => {
  const { exitCode, error } = await inProcess(['validate', '-p', 'no/such/place'])
  expect(exitCode).toBe(1)
  expect(error).toContain('no/such/place')
})

test('a flag that is not given is taken from the environment; a flag that is given wins', async () => {
  const env = { MIXSCALER_POLICY: policy, MIXSCALER_OBSERVATION: quiet, MIXSCALER_OUTPUT: 'yaml' }
  const fromEnvironment = await start(['plan'], env).ended
  expect([fromEnvironment.exitCode, fromEnvironment.out.split('\n')[0]]).toEqual([
    0,
    'format: mixscaler-plan/1',
  ])
  const flagWins = await start(['plan', '-o', 'json'], env).ended
  expect(flagWins.out.startsWith('{')).toBe(true)
})
