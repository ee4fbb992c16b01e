// `mixscaler backtest` as a person or a pipeline gets to see it: outputs, exit codes, errors with their place.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runProgram } from '../../src/cli/program.ts'
import { type Ended, mixscaler, scratch } from '../cli/run.ts'

const directory = scratch()
const policy = join(directory, 'policy.yaml')
writeFileSync(
  policy,
  `apiVersion: mixscaler.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: chat, namespace: demo }
spec:
  model: llama
  classes:
    - name: chat
      slo: { ttft: { p95: 500ms }, itl: { p95: 50ms } }
    - name: code
      slo: { ttft: { p95: 1s } }
      demand: { requestsPerSecond: 'sum(rate(code_requests_total[1m]))' }
  variants:
    - name: h100
      scaleTarget: { kind: Deployment, name: vllm }
      accelerator: { type: h100, count: 1 }
      cost: $3.60/h
      replicas: { min: 1, max: 20 }
      startup: 60s
      profile: { a: 6.58, b: 0.0193, c: 5.46e-5, ap: 6.58, bp: 0.0193, d2: 0, g: 0, h: 2, kvTokens: 400000 }
`,
)
const file = (name: string, text: string): string => {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}
const traffic = ['--synthetic', 'chat=steps:rate=8,peak=20,count=2,for=10m,prompt=500,output=100']
const backtest = ['backtest', '--policy', policy]

/** In this process: the command's own code, its worker threads included. */
async function run(...args: readonly string[]): Promise<Ended> {
  let out = ''
  let error = ''
  const exitCode = await runProgram([...backtest, ...args], {
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

test('prints a table, fails with 4 where a condition holds, and says which in JUnit’s words', async () => {
  const junit = join(directory, 'junit.xml')
  const { exitCode, out, error } = await mixscaler(
    ...backtest,
    ...traffic,
    '--fail-if',
    'attainment[chat]<50%,cost>1/h',
    '--junit',
    junit,
  )
  expect([exitCode, error]).toEqual([4, ''])
  expect(out).toMatch(/mixscaler, request, seed 1 +chat/)
  expect(out).toMatch(/FAILED mixscaler, request, seed 1: cost>1\/h: cost is \d/)
  expect(out).toMatch(/\n +\d+\.\d\d +\d+\.\d % +demand: what arrived/)
  expect(out).toMatch(/\n +\d+\.\d\d +paid by mixscaler, request, seed 1\n/)
  const xml = readFileSync(junit, 'utf8')
  expect(xml).toContain('<testsuite name="mixscaler backtest" tests="2" failures="1">')
  expect(xml).toContain('<testcase name="attainment[chat]&lt;50%" classname="mixscaler, request, seed 1"/>')
})

test('gives the same bytes however many threads work, in the order of start-ups and seeds', async () => {
  const args = [
    ...traffic,
    '--controller',
    'static',
    '--fidelity',
    'fluid',
    '--seed',
    '1,2',
    '--startup',
    '30s,90s',
    '-o',
    'csv',
  ]
  const two = await run(...args, '--workers', '2')
  const one = await run(...args, '--workers', '1')
  expect([two.exitCode, two.error]).toEqual([0, ''])
  expect(two.out).toBe(one.out)
  const rows = two.out
    .trim()
    .split('\n')
    .map((line) => line.split(',').slice(0, 4).join(','))
  expect(rows).toEqual([
    'controller,fidelity,seed,startup_s',
    ...[30, 90].flatMap((startup) =>
      [1, 2].flatMap((seed) => Array(2).fill(`static,fluid,${seed},${startup}`)),
    ),
  ])
})

test('reads traces of several classes, scaled and shifted, and gives JSON with its series', async () => {
  const requests = (every: number) =>
    Array.from(
      { length: 900 / every },
      (_, i) => `{"time":${1_767_225_600 + i * every},"prompt_tokens":300,"completion_tokens":50}`,
    ).join('\n')
  const { exitCode, out, error } = await run(
    ...[
      '--trace',
      `chat=${file('chat.jsonl', requests(1))}`,
      '--trace',
      `code=${file('code.jsonl', requests(3))}`,
    ],
    ...['--scale', 'chat=2x', '--shift', 'code=1m', '--warmup', '0', '-o', 'json'],
  )
  expect([exitCode, error]).toEqual([0, ''])
  const [result] = JSON.parse(out)
  expect(result.format).toBe('mixscaler-backtest/1')
  expect(result.classes.map(({ name }: { name: string }) => name)).toEqual(['chat', 'code'])
  expect(result.classes[0].requests / 1800).toBeGreaterThan(0.95)
  // A minute later: the traffic ends with its last whole minute, and the last 20 with it.
  expect(result.classes[1].requests).toBe(280)
  expect(result.minutes.classes['demo/chat/code'].demand[0]).toBe(0)
})

test.each([
  [[], 2, 'no traffic: give --trace FILE, --synthetic KIND:... or --prometheus URL --from TIME'],
  [
    ['--trace', 'x.csv'],
    2,
    '--trace must say whose traffic it is: --trace CLASS=..., with CLASS one of chat, code: got "x.csv"',
  ],
  [[...traffic, '--from', '7d ago'], 2, '--from is for traffic from --prometheus URL'],
  [[...traffic, '--save-traffic', 'x'], 2, '--save-traffic is for traffic from --prometheus URL'],
  [['--prometheus', 'http://127.0.0.1:9'], 2, '--prometheus needs --from TIME: since when, such as'],
  [
    ['--prometheus', 'http://127.0.0.1:9', '--from', '1h ago', '--to', '2h ago'],
    2,
    '--from must lie before --to: got "1h ago" and "2h ago"',
  ],
  [
    ['--prometheus', 'http://127.0.0.1:9', '--from', 'monday'],
    2,
    '--from must be an instant such as 2026-10-01T12:00:00Z, seconds since the epoch, or \'5m ago\': got "monday"',
  ],
  [['--trace', 'chat=/nowhere.csv'], 1, '/nowhere.csv: cannot be read: ENOENT'],
  [
    ['--synthetic', 'chat=daily:rate=3'],
    2,
    '--synthetic must be one of constant, diurnal, steps, spikes: got "daily"',
  ],
  [['--synthetic', 'chat=steps:rte=3'], 2, '--synthetic knows no "rte": it is one of rate, peak'],
  [['--synthetic', 'chat=constant:rate=1,for=2m'], 2, 'the traffic must last at least 5 minutes: got 120 s'],
  [[...traffic, '--scale', '-2x'], 2, "'--scale' argument is ambiguous"],
  [
    [...traffic, '--scale=0x'],
    2,
    '--scale must be a factor such as 4x or 0.5x, above 0 and at most 10000x: got "0x"',
  ],
  [[...traffic, '--step', '20s'], 2, '--step must be whole seconds from 1s to 15s: got "20s"'],
  [
    [...traffic, '--fail-if', 'attainment'],
    2,
    '--fail-if must be conditions such as attainment<99%,cost>120/h: got "attainment"',
  ],
  [[...traffic, '--junit', 'x.xml'], 2, '--junit needs --fail-if: it reports those conditions'],
  [
    [...traffic, '--controller', 'mixscalar'],
    2,
    '--controller must be one of mixscaler, static, keda-waiting, kserve-running, llmd-saturation, dynamo-planner, aibrix-apa: got "mixscalar". Did you mean mixscaler?',
  ],
])('what is wrong with %j is said, with the exit code for it', async (args, code, message) => {
  const { exitCode, error, out } = await run(...args)
  expect([exitCode, out]).toEqual([code, ''])
  expect(error).toContain(message)
})

test('a Prometheus that does not answer is an error that says so, not traffic of nothing', async () => {
  const { exitCode, error } = await run(
    ...['--prometheus', 'http://127.0.0.1:9', '--prometheus-timeout', '300ms', '--from', '1h ago'],
  )
  expect(exitCode).toBe(1)
  expect(error).toContain('the traffic cannot be read from Prometheus: ')
})

test('--bound says what each run costs beside who knew the traffic, in table, JSON and CSV alike', async () => {
  const args = [...traffic, '--controller', 'static,mixscaler', '--fidelity', 'fluid', '--bound']
  const { out } = await run(...args, '-o', 'json')
  const [one, other] = JSON.parse(out)
  expect(one.bound.dollarsPerHour).toBeGreaterThan(0)
  expect(other.bound).toEqual(one.bound)
  const table = await run(...args)
  for (const { controller, dollarsPerHour, bound } of [one, other])
    expect(table.out.replace(/\s+/g, ' ')).toContain(
      `${controller}, fluid, seed 1: ${(dollarsPerHour / bound.dollarsPerHour).toFixed(2)} times the bound of $${bound.dollarsPerHour.toFixed(2)}/h`,
    )
  const { out: csv } = await run(...args, '-o', 'csv')
  expect(csv).toContain(`,${one.bound.dollarsPerHour},`)
  // Where the money went begins at the bound, for the rule that says it.
  const regret = other.dollarsPerHour - one.bound.dollarsPerHour
  expect(table.out.replace(/\s+/g, ' ')).toContain(
    `paid by mixscaler, fluid, seed 1; $${Math.abs(regret).toFixed(2)}/h ${regret < 0 ? 'below' : 'beyond'} the bound`,
  )
  expect(one.spending).toBeUndefined()
  const { perHour, attributedShare } = other.spending
  const layers = Object.values(perHour)
  expect(csv).toContain(`,${[...layers, attributedShare].join(',')}\n`)
  expect(layers.map(Number).reduce((sum, each) => sum + each, 0)).toBeCloseTo(other.dollarsPerHour, 9)
})

test('a class may be named with its policy, and must be where several have one of its name', async () => {
  const twice = file(
    'two.yaml',
    ['one', 'other']
      .map((name) =>
        readFileSync(policy, 'utf8')
          .replace('{ name: chat, namespace: demo }', `{ name: ${name}, namespace: demo }`)
          .replace('name: vllm', `name: vllm-${name}`),
      )
      .join('---\n'),
  )
  const named = (...args: readonly string[]) => mixscaler('backtest', '--policy', twice, ...args)
  const { exitCode, error } = await named('--synthetic', 'chat=constant:for=10m')
  expect([exitCode, error]).toEqual([
    2,
    expect.stringContaining('--synthetic: "chat" is a class of several policies: say one/chat or other/chat'),
  ])
  const told = await named(
    ...['--synthetic', 'one/chat=constant:for=10m', '--scale', 'demo/one/chat=0.5x', '--fidelity', 'fluid'],
    ...['--controller', 'static', '-o', 'json'],
  )
  expect(told.error).toBe('')
  const [result] = JSON.parse(told.out)
  const requests = (id: string) => result.classes.find((one: { id: string }) => one.id === id).requests
  expect(requests('demo/one/chat')).toBeGreaterThan(0)
  expect(requests('demo/other/chat')).toBe(0)
})

test('a bad line is found before anything is simulated', async () => {
  const trace = file(
    'bad.csv',
    'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,5,7\n2023-11-16 18:15:47,five,7\n',
  )
  const { exitCode, error } = await run('--trace', `chat=${trace}`)
  expect([exitCode, error]).toEqual([
    1,
    `mixscaler backtest: ${trace}:3: ContextTokens must be a number: got "five"\n`,
  ])
})
