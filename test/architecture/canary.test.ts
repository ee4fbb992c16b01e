// Checks that cannot fail prove nothing: each rule of the dependency check and of core's purity is broken here on
// purpose, in a planted tree, and must be reported. The real tree must have been read, too.
import { spawnSync } from 'node:child_process'
import { copyFileSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..', '..')
const bin = (name: string) => join(root, 'node_modules', '.bin', name)

interface Rule {
  readonly name: string
}
const config: { readonly forbidden: readonly Rule[] } = createRequire(import.meta.url)(
  '../../.dependency-cruiser.cjs',
)

/** One file, or two, that break the rule and no other. Libraries stand in as empty packages. */
const offences: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'core-is-pure': { 'src/core/impure.ts': "import 'node:fs'" },
  'simulation-is-pure': { 'src/simulation/impure.ts': "import 'node:timers'" },
  'backtest-is-pure': { 'src/backtest/impure.ts': "import 'node:fs'" },
  'adapters-never-import-each-other': {
    'src/prometheus/nosy.ts': "import '../kubernetes/target.ts'",
    'src/kubernetes/target.ts': '',
  },
  'd3-lives-in-report': { 'src/loop/d3.ts': "import 'd3-scale'" },
  'loop-knows-ports-only': { 'src/loop/nosy.ts': "import '../grpc/target.ts'", 'src/grpc/target.ts': '' },
  'only-main-imports-cli': { 'src/demo/nosy.ts': "import '../cli/target.ts'", 'src/cli/target.ts': '' },
  'one-home-per-library': { 'src/loop/grpc.ts': "import '@grpc/grpc-js'" },
  'axios-lives-in-prometheus': { 'src/loop/axios.ts': "import 'axios'" },
  'kubernetes-client-lives-in-kubernetes': { 'src/loop/kubernetes.ts': "import '@kubernetes/client-node'" },
  'prom-client-and-pino-live-in-telemetry': { 'src/loop/pino.ts': "import 'pino'" },
  'yaml-and-zod-live-in-policy': { 'src/loop/yaml.ts': "import 'yaml'" },
  'solvers-live-in-solvers': { 'src/loop/highs.ts': "import 'highs'" },
  'no-circular': { 'src/backtest/one.ts': "import './two.ts'", 'src/backtest/two.ts': "import './one.ts'" },
  'no-unresolvable': { 'src/demo/lost.ts': "import './nowhere.ts'" },
}
const libraries = ['@grpc/grpc-js', 'axios', '@kubernetes/client-node', 'pino', 'yaml', 'highs', 'd3-scale']

const planted = mkdtempSync(join(tmpdir(), 'mixscaler-canary-'))

function plant(path: string, text: string): void {
  const file = join(planted, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

interface Cruise {
  readonly modules: readonly { readonly source: string }[]
  readonly summary: { readonly violations: readonly { readonly rule: Rule; readonly from: string }[] }
}

function cruise(directory: string): Cruise {
  const { stdout } = spawnSync(bin('depcruise'), ['src', '--output-type', 'json'], {
    cwd: directory,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  return JSON.parse(stdout)
}

let offending: Cruise

beforeAll(() => {
  for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json', 'biome.json', '.gitignore'])
    copyFileSync(join(root, file), join(planted, file))
  plant(
    'package.json',
    JSON.stringify({
      type: 'module',
      dependencies: Object.fromEntries(libraries.map((name) => [name, '1'])),
    }),
  )
  for (const name of libraries) {
    plant(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' }))
    plant(`node_modules/${name}/index.js`, '')
  }
  for (const files of Object.values(offences))
    for (const [path, text] of Object.entries(files)) plant(path, `${text}\nexport {}\n`)
  offending = cruise(planted)
})

afterAll(() => rmSync(planted, { recursive: true, force: true }))

test('every rule of the dependency check has an offence here', () => {
  expect(Object.keys(offences).sort()).toEqual(config.forbidden.map(({ name }) => name).sort())
})

test.each(Object.entries(offences))('the dependency check finds an offence against %s', (rule, files) => {
  const found = offending.summary.violations.filter((violation) => violation.rule.name === rule)
  expect(found.map(({ from }) => from)).toContain(Object.keys(files)[0])
})

test('each offence is reported once, by its own rule', () => {
  expect(offending.summary.violations.map(({ rule }) => rule.name).sort()).toEqual(
    Object.keys(offences).sort(),
  )
})

test('the real tree was read whole, and is clean', () => {
  const files = globSync('src/**/*.ts', { cwd: root })
  const { modules, summary } = cruise(root)
  const read = new Set(modules.map(({ source }) => source))
  expect(files.filter((file) => !read.has(file))).toEqual([])
  expect(files.length).toBeGreaterThan(60)
  expect(summary.violations.map(({ from, rule }) => `${from} breaks ${rule.name}`)).toEqual([])
})

const denied = Object.keys(
  JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8')).overrides.find(
    ({ includes }: { includes: string[] }) => includes.includes('src/core/**'),
  ).linter.rules.style.noRestrictedGlobals.options.deniedGlobals,
)

test.each([
  'core',
  'simulation',
  'backtest',
])('the linter finds every clock, chance and side effect in src/%s', (folder) => {
  const file = `src/${folder}/globals.ts`
  plant(file, `${denied.map((name, index) => `export const use${index} = ${name}`).join('\n')}\n`)
  plant('src/loop/globals.ts', 'export const now = Date\n')
  const lint = (path: string) =>
    spawnSync(
      bin('biome'),
      ['lint', '--vcs-enabled=false', '--reporter=github', '--max-diagnostics=none', path],
      {
        cwd: planted,
        encoding: 'utf8',
      },
    )
  const { stdout, status } = lint(file)
  const found = stdout.split('\n').filter((line) => line.includes('lint/style/noRestrictedGlobals'))
  expect(status).not.toBe(0)
  expect(denied.length).toBeGreaterThanOrEqual(12)
  expect(found).toHaveLength(denied.length)
  expect(lint('src/loop/globals.ts').status).toBe(0)
})
