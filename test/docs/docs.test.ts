// What the documents name exists: files that they link to, commands that they tell the reader to type.
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runProgram } from '../../src/cli/program.ts'
import { anchors, commands, type Page, pages, relativeLinks, root, textOf } from './pages.ts'

const all = pages()

test('every relative link leads to a file, and to a heading of it where it names one', () => {
  const links = all.flatMap((page) => relativeLinks(page).map((link) => ({ page, link })))
  expect(links.length).toBeGreaterThan(50)
  expect(links.filter(({ page, link }) => !leadsSomewhere(page, link)).map(named)).toEqual([])
})

test('a link to nowhere, or to a heading that is not there, is found', () => {
  const page = {
    path: 'docs/KEDA.md',
    text: '[a](NOWHERE.md) [b](MODEL.md#nowhere) [c](MODEL.md#calibration)',
  }
  expect(relativeLinks(page).filter((link) => !leadsSomewhere(page, link))).toEqual([
    'NOWHERE.md',
    'MODEL.md#nowhere',
  ])
})

test('every command shown is one that the project starts', async () => {
  const shown = new Set(all.flatMap(commands))
  expect(shown.size).toBeGreaterThan(60)
  const wrong = await Promise.all(
    [...shown].map(async (command) => {
      const why = await problem(command)
      return why === undefined ? [] : [`${command}: ${why}`]
    }),
  )
  expect(wrong.flat()).toEqual([])
})

describe('a command that would not start is found', () => {
  test.each([
    ['node bench/tick.ts', 'needs npx: the runtime is pinned'],
    ['npx node bench/nowhere.ts', 'no such file'],
    ['npx node bench/trace.ts --nowhere 3', 'bench/trace.ts has no --nowhere'],
    ['npx vitest run test/nowhere', 'no test is called test/nowhere'],
    ['npx nowhere', 'no dependency brings nowhere'],
    ['npm run nowhere', 'no script is called nowhere'],
    ['make nowhere', 'no target is called nowhere'],
    ['mixscaler nowhere', 'mixscaler nowhere --help ends with 2'],
    ['npm run mixscaler -- plan --nowhere', 'plan has no --nowhere'],
  ])('%s', async (command, why) => {
    expect(await problem(command)).toBe(why)
  })
})

test('benches tell how they are started with the pinned runtime', () => {
  const benches = readdirSync(join(root, 'bench'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  )
  expect(benches.length).toBeGreaterThan(10)
  expect(benches.filter((name) => /(?<!npx )\bnode bench\//.test(textOf(join('bench', name))))).toEqual([])
})

function named({ page, link }: { readonly page: Page; readonly link: string }): string {
  return `${page.path}: ${link}`
}

function leadsSomewhere({ path, text }: Page, link: string): boolean {
  const [file = '', anchor] = link.split('#')
  const target = file === '' ? path : normalize(join(dirname(path), file))
  if (!existsSync(join(root, target))) return false
  return anchor === undefined || anchors(file === '' ? text : textOf(target)).has(anchor)
}

/** Why a command would not start; its values are the reader's. */
async function problem(command: string): Promise<string | undefined> {
  const [program = '', ...args] = command.split(/\s+/)
  if (program === 'node') return 'needs npx: the runtime is pinned'
  if (program === 'mixscaler') return await problemOfMixscaler(args)
  if (program === 'make') return problemOfMake(args[0] ?? '')
  return program === 'npm' ? await problemOfNpm(args) : problemOfNpx(args)
}

async function problemOfNpm([verb, script = '', , ...rest]: readonly string[]): Promise<string | undefined> {
  if (verb !== 'run') return undefined
  const { scripts } = JSON.parse(textOf('package.json')) as {
    readonly scripts: Readonly<Record<string, string>>
  }
  if (scripts[script] === undefined) return `no script is called ${script}`
  return script === 'mixscaler' ? await problemOfMixscaler(rest) : undefined
}

function problemOfMake(target: string): string | undefined {
  return new RegExp(`^${target}:`, 'm').test(textOf('Makefile')) ? undefined : `no target is called ${target}`
}

function problemOfNpx([name = '', ...args]: readonly string[]): string | undefined {
  if (!existsSync(join(root, 'node_modules/.bin', name))) return `no dependency brings ${name}`
  if (name === 'vitest') {
    const missing = args.find((arg) => arg.startsWith('test/') && !existsSync(join(root, arg)))
    return missing === undefined ? undefined : `no test is called ${missing}`
  }
  const [file = ''] = args
  if (name !== 'node') return undefined
  if (!existsSync(join(root, file))) return 'no such file'
  const text = textOf(file)
  const unknown = flagsOf(args).find((flag) => !new RegExp(`['"]?${flag}['"]?: \\{|--${flag}\\b`).test(text))
  return unknown === undefined ? undefined : `${file} has no --${unknown}`
}

async function problemOfMixscaler(args: readonly string[]): Promise<string | undefined> {
  const flags = args.findIndex((arg) => !/^[a-z]+$/.test(arg))
  const words = flags < 0 ? args : args.slice(0, flags)
  const named = words.slice(0, words[0] === 'profile' ? 2 : 1)
  if (named.length === 0) return undefined
  let help = ''
  const exitCode = await runProgram([...named, '--help'], {
    out: (text) => {
      help += text
    },
    error: () => undefined,
    env: {},
    signal: new AbortController().signal,
  })
  if (exitCode !== 0) return `mixscaler ${named.join(' ')} --help ends with ${exitCode}`
  const unknown = flagsOf(args).find((flag) => !new RegExp(`--${flag}\\b`).test(help))
  return unknown === undefined ? undefined : `${named.join(' ')} has no --${unknown}`
}

function flagsOf(args: readonly string[]): readonly string[] {
  return args.flatMap((arg) => /^--([a-z][a-z-]*)/.exec(arg)?.[1] ?? [])
}
