import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { type LoadedPolicies, loadPolicies } from '../../src/policy/load.ts'
import { problemExcerpt } from '../../src/policy/problem.ts'
import { resolveProfile } from './profiles.ts'

const examples = new URL('../../policies/', import.meta.url)
const good = await Promise.all(
  ['smallest', 'chat-two-gpus', 'prefill-decode', 'chat-and-batch', 'fleet'].map((name) =>
    readFile(new URL(`${name}.yaml`, examples), 'utf8'),
  ),
)
const words = [...new Set(good.join('\n').match(/[\w.$%/-]+/g) ?? [])]

function load(text: string): LoadedPolicies {
  return loadPolicies([{ file: 'fuzz.yaml', text }], resolveProfile)
}

/** Loaded, or problems that each point into the text and can be printed. */
function expectAnswer(text: string): LoadedPolicies {
  const result = load(text)
  if (result.kind === 'loaded') {
    expect(result.policies.policies.length).toBeGreaterThan(0)
    return result
  }
  expect(result.problems.length).toBeGreaterThan(0)
  const lines = text.split('\n')
  for (const problem of result.problems) {
    expect(problem.line).toBeGreaterThanOrEqual(1)
    expect(problem.line).toBeLessThanOrEqual(lines.length)
    expect(problem.column).toBeGreaterThanOrEqual(1)
    expect(problem.column).toBeLessThanOrEqual((lines[problem.line - 1]?.length ?? 0) + 1)
    expect(problem.message.length).toBeGreaterThan(5)
    expect(problemExcerpt(problem)).toContain(`fuzz.yaml:${problem.line}:${problem.column}`)
  }
  return result
}

const pieces = [
  '{',
  '}',
  '[',
  ']',
  ':',
  '- ',
  ',',
  '\n',
  '  ',
  '&a ',
  '*a',
  '!!',
  '|',
  '>',
  '"',
  "'",
  '#',
  '~',
  '? ',
]
const numbers = [
  '.inf',
  '.nan',
  '0x10',
  '1e3',
  '-1',
  '1_000',
  '010',
  '1e999',
  '<<',
  '__proto__',
  'constructor',
]

describe('The loader never crashes, and always answers with policies or with problems that have a place', () => {
  it('on any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), expectText), { numRuns: 300 })
  })

  it('on text made of what YAML and policies are made of', () => {
    const token = fc.constantFrom(...pieces, ...numbers, ...words)
    fc.assert(
      fc.property(fc.array(token, { maxLength: 80 }), (tokens) => expectText(tokens.join(' '))),
      { numRuns: 500 },
    )
  })

  it('on YAML of any shape', () => {
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom<unknown>(...words, ...numbers, 0, -1, 1.5, true, null, Number.POSITIVE_INFINITY),
        fc.array(tie('node'), { maxLength: 4 }),
        fc.dictionary(fc.constantFrom(...words, ...numbers), tie('node'), { maxKeys: 6 }),
      ),
    })).node
    const header = { apiVersion: 'mixscaler.dev/v1alpha1' }
    fc.assert(
      fc.property(tree, tree, fc.constantFrom('ScalingPolicy', 'Fleet'), (metadata, spec, kind) =>
        expectText(stringify({ ...header, kind, metadata, spec })),
      ),
      { numRuns: 300 },
    )
  })

  it('on good policies with lines dropped, doubled, swapped, indented and words exchanged', () => {
    const edit = fc.record({
      line: fc.nat(60),
      kind: fc.constantFrom('drop', 'double', 'indent', 'replace', 'insert', 'cut'),
      word: fc.constantFrom(...words, ...pieces, ...numbers),
      at: fc.nat(40),
    })
    const outcomes = new Set<string>()
    fc.assert(
      fc.property(fc.constantFrom(...good), fc.array(edit, { maxLength: 4 }), (text, edits) => {
        outcomes.add(expectAnswer(edits.reduce(edited, text)).kind)
      }),
      { numRuns: 800 },
    )
    expect([...outcomes].sort()).toEqual(['invalid', 'loaded'])
  })

  it('on brackets beyond any depth and aliases beyond any number', () => {
    for (const open of ['[', '{a: ', '- ', '? ', '&a [*a, ']) expectAnswer(open.repeat(50_000))
    const bomb = Array.from({ length: 30 }, (_, level) => {
      const below = level === 0 ? 'x' : `*l${level - 1}`
      return `l${level}: &l${level} [${Array(9).fill(below).join(', ')}]`
    })
    expectAnswer(bomb.join('\n'))
  })

  it('and does not take long over a file as large as may be', () => {
    const many = Array.from({ length: 20_000 }, (_, index) => `key${index}: &a${index} [*a${index}, 1]`)
    expectAnswer(many.join('\n').slice(0, 1_000_000))
  })
})

function expectText(text: string): void {
  expectAnswer(text)
}

interface Edit {
  readonly line: number
  readonly kind: string
  readonly word: string
  readonly at: number
}

function edited(text: string, { line, kind, word, at }: Edit): string {
  const lines = text.split('\n')
  const index = line % lines.length
  const old = lines[index] ?? ''
  const changed: Readonly<Record<string, readonly string[]>> = {
    drop: [],
    double: [old, old],
    indent: [`  ${old}`],
    replace: [old.replace(/[\w.$%-]+$/, word)],
    insert: [old.slice(0, at) + word + old.slice(at)],
    cut: [old.slice(0, at)],
  }
  return lines.toSpliced(index, 1, ...(changed[kind] ?? [old])).join('\n')
}
