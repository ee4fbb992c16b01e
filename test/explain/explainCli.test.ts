// `mixscaler explain` as a person types it, and its document as a program reads it.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { runProgram } from '../../src/cli/program.ts'
import { explain } from '../../src/core/explain/explain.ts'
import { emptyState } from '../../src/core/state.ts'
import { explainDocument, explainText } from '../../src/report/explainText.ts'
import { chatAt } from '../cli/observations.ts'
import { mixscaler, scratch } from '../cli/run.ts'
import { tools } from '../decide/world.ts'
import { worlds } from './worlds.ts'

const directory = scratch()
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function recording(requestsPerSecond: number): string {
  const file = join(directory, `${requestsPerSecond}.json`)
  writeFileSync(file, JSON.stringify(chatAt(requestsPerSecond)))
  return file
}

const smallest = ['-p', 'policies/smallest.yaml', '--observation', recording(12)]
const fleet = ['-p', 'policies', '--observation', 'policies/observations/rush.json']

async function inProcess(...args: readonly string[]) {
  let out = ''
  let error = ''
  const exitCode = await runProgram(['explain', ...args], {
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

describe('explain', () => {
  test('prints the same bytes for the same recording, in every form', async () => {
    for (const output of ['table', 'json', 'yaml']) {
      const [first, second] = await Promise.all([
        mixscaler('explain', 'h100-tp4', ...smallest, '-o', output),
        inProcess('h100-tp4', ...smallest, '-o', output),
      ])
      expect(first.exitCode).toBe(0)
      expect(first.out.length).toBeGreaterThan(500)
      expect(second.out).toBe(first.out)
    }
  })

  test('takes a policy, a model, a served name, a variant or nothing', async () => {
    const titles = async (...names: readonly string[]) =>
      [...(await inProcess(...names, ...fleet)).out.matchAll(/^(\S+\/\S+): (?:planned|shortfall)/gm)].map(
        ([, id]) => id,
      )
    expect(await titles('llama-8b')).toEqual(['support/llama-8b'])
    expect(await titles('openai/gpt-oss-120b')).toEqual(['agents/gpt-oss-120b'])
    expect(await titles('llama-3.3-70b')).toEqual(['assistant/llama-70b-fp8'])
    expect(await titles('batch-l40s')).toEqual(['support/llama-8b'])
    expect(await titles()).toHaveLength(4)
  })

  test('of a variant tells of no other variant', async () => {
    const { out } = await inProcess('batch-l40s', ...fleet)
    expect(out).toMatch(/^batch-l40s: \d+ now/m)
    expect(out).not.toMatch(/^h100: /m)
    expect(out).not.toContain('on h100 leaves')
  })

  test('ends with 4 where something is short and with 1 where there is no plan', async () => {
    expect((await mixscaler('explain', ...smallest.slice(0, 3), recording(5000))).exitCode).toBe(4)
    const blind = join(directory, 'blind.json')
    writeFileSync(blind, JSON.stringify({ ...chatAt(1), variants: {} }))
    const { exitCode, out } = await inProcess('-p', 'policies/smallest.yaml', '--observation', blind)
    expect(exitCode).toBe(1)
    expect(out).toContain('no target: every signal is missing')
  })

  test.each([
    [['h100-tp'], 'no policy, model or variant is called "h100-tp". Did you mean "h100-tp4"?'],
    [
      ['h100-tp4', ...fleet],
      'variant "h100-tp4" stands in several policies: name one of assistant/llama-70b-fp8/h100-tp4, chat/llama-70b/h100-tp4',
    ],
    [['a', 'b'], 'explain takes one name: got "a", "b"'],
  ])('%j is a usage error that says what to type', async (args, message) => {
    const { exitCode, error } = await inProcess(...args, ...(args.includes('-p') ? [] : smallest))
    expect(exitCode).toBe(2)
    expect(error).toContain(message)
  })

  test('prints no line wider than the terminal but for what cannot be broken', async () => {
    const { out } = await inProcess(...fleet)
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(120)
  })
})

describe('the document', () => {
  test('is the same as JSON and as YAML', async () => {
    const json = JSON.parse((await inProcess(...fleet, '-o', 'json')).out)
    expect(parse((await inProcess(...fleet, '-o', 'yaml')).out)).toEqual(json)
    expect(json.format).toBe('mixscaler-explanation/1')
  })

  test.each(worlds)('holds every sentence of the text: $name', ({ policies, observation }) => {
    const scene = { state: emptyState, observation, tools }
    const explanations = policies.policies.map(({ id }) => explain(policies, scene, { policy: id }))
    const texts = allTexts(explainDocument(explanations)).join(' ; ')
    const sentences = explainText(explanations, 10_000)
      .split('\n')
      .filter((line) => line.startsWith('  - '))
      .map((line) => line.slice(4).replace(/ \[.*\]$/, ''))
    expect(sentences.length).toBeGreaterThan(2)
    for (const each of sentences) {
      const isLoad = each.startsWith('uses ')
      if (!isLoad) expect(texts).toContain(each)
    }
  })
})

/** Everything under a key `text`, in order. */
function allTexts(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, each]) =>
    key === 'text' ? (Array.isArray(each) ? each.map(String) : [String(each)]) : allTexts(each),
  )
}
