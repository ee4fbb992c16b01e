// The reports as files: whole in themselves, true to the data they carry, and safe to open.
import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { planningAt } from '../../src/cli/planned.ts'
import { webAssets } from '../../src/cli/reportFiles.ts'
import { decide } from '../../src/core/decide.ts'
import type { Observation } from '../../src/core/observation.ts'
import type { PolicySet } from '../../src/core/policy.ts'
import { missing } from '../../src/core/reading.ts'
import { emptyState } from '../../src/core/state.ts'
import { createTools } from '../../src/core/tools.ts'
import { type BacktestReportInput, backtestReport } from '../../src/report/backtest/backtestReport.ts'
import { backtestHtml } from '../../src/report/html/backtestHtml.ts'
import { planHtml } from '../../src/report/html/planHtml.ts'
import { type PlanReport, planReport } from '../../src/report/planReport.ts'
import { loadEngines } from '../../src/solvers/engines.ts'
import { chatAt } from '../cli/observations.ts'
import { examplePolicies, reviewed, silent } from './reviewed.ts'

const assets = webAssets()
let backtested: BacktestReportInput
let planned: PlanReport
let smallest: PolicySet

async function planOf(policies: PolicySet, observation: Observation): Promise<PlanReport> {
  const tools = createTools(await loadEngines())
  const { decision } = decide(policies, emptyState, observation, tools)
  const scene = { state: emptyState, observation, tools }
  return planReport({
    version: '1.2.3',
    command: 'mixscaler plan --policy policies/smallest.yaml --observation observation.json',
    policies,
    observation,
    decision,
    planning: planningAt(policies, scene, decision, silent),
  })
}

beforeAll(async () => {
  smallest = await examplePolicies('chat/llama-70b')
  const input = await reviewed(await examplePolicies('assistant/llama-70b-fp8'), { hours: 2, peaks: [12] })
  const { dollars = 0, dollarsPerHour = 0, minutes } = input.results[0] ?? {}
  // What stands in a report of --bound: its own figures, found again like all others.
  const bound = {
    ...{ dollars: dollars / 1.1, dollarsPerHour: dollarsPerHour / 1.1, stepSeconds: 60, attainment: 0.99 },
    ...{ scheduleDollarsPerHour: dollarsPerHour / 1.05, minutes: minutes?.dollarsPerHour ?? [] },
  }
  backtested = { ...input, bound }
  planned = await planOf(smallest, chatAt(18))
})

/** All numbers and strings of a document. */
function valuesIn(document: unknown, found: Set<number | string> = new Set()): Set<number | string> {
  if (typeof document === 'number' || typeof document === 'string') found.add(document)
  else if (typeof document === 'object' && document !== null)
    for (const [key, value] of Object.entries(document)) {
      found.add(key)
      valuesIn(value, found)
    }
  return found
}

function embedded(file: string): unknown {
  const json = /<script type="application\/json" id="report-data">(.*?)<\/script>/s.exec(file)?.[1]
  return JSON.parse(json ?? 'null')
}

/** What people see as numbers and the data does not hold, less the scales that charts are drawn on. */
function unfounded(file: string): readonly string[] {
  const data = valuesIn(embedded(file))
  const texts = [...data].filter((each) => typeof each === 'string')
  const words = new Set(texts.flatMap((text) => [...text.split(wordEnds), ...text.split(/[/\s]+/)]))
  const shown = file
    .slice(file.indexOf('<body>'), file.indexOf('<script type="application/json"'))
    .replace(/<g class="axis".*?<\/g>/gs, '')
    .replace(/<ul class="legend squares">.*?<\/ul>/gs, '')
    .replace(/<thead>.*?<\/thead>/gs, (head) => head.replace(/>(:?\d\d|p50|p95)</g, '><'))
  const figures = [...shown.matchAll(/<data value="([^"]*)">(.*?)<\/data>/gs)]
  const times = [...shown.matchAll(/<time datetime="([^"]*)">.*?<\/time>/gs)]
  const rest = shown.replace(/<data .*?<\/data>/gs, '').replace(/<time .*?<\/time>/gs, '')
  return [
    ...figures.filter(([, value, text]) => !data.has(Number(value)) || !says(text ?? '', Number(value))),
    ...times.filter(([, time]) => !data.has(Date.parse(time ?? '') / 1000)),
  ]
    .map(([tag]) => tag)
    .concat(rest.split(/<[^>]*>/).flatMap((text) => strange(plain(text), texts, words)))
}

const wordEnds = /[\s"'(),;:]+/

/** Words with a digit that stand in no text of the data. */
function strange(text: string, texts: readonly string[], words: ReadonlySet<string>): readonly string[] {
  if (!/\d/.test(text) || ownTexts.includes(text) || texts.some((each) => each.includes(text))) return []
  return text.split(wordEnds).filter((word) => /\d/.test(word) && !words.has(word.replace(/\.$/, '')))
}

const ownTexts = [
  'Held by ready and starting replicas: half of the minutes stay below the solid bar, 95 % below the pale one, all below the outline. The line is the inventory.',
]

/** Whether the text is the value, as it is, in percent or in thousandths, rounded at its last digit. */
function says(text: string, value: number): boolean {
  const digits = text
    .replace(/\u2009/g, '')
    .replace('−', '-')
    .replace('+', '')
  const written = /-?\d+(?:\.(\d+))?/.exec(digits)
  const step = 10 ** -(written?.[1]?.length ?? 0)
  return [1, 100, 1000].some(
    (unit) => Math.abs(Math.abs(Number(written?.[0])) - Math.abs(value * unit)) <= step * (1 + 1e-9),
  )
}

function plain(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&#39;': "'",
    '&quot;': '"',
    '&gt;': '>',
    '&lt;': '<',
    '&amp;': '&',
  }
  return text.replace(/&#39;|&quot;|&gt;|&lt;|&amp;/g, (entity) => entities[entity] ?? '').trim()
}

/** The backtest, as if a tenth of its time could not be split. */
function partlySplit(): BacktestReportInput {
  const [own, ...others] = backtested.results
  if (own?.spending === undefined) throw new Error('ours can be split')
  const { perHour } = own.spending
  const spending = {
    perHour: { ...perHour, hold: perHour.hold - 1.25, unattributed: 1.25 },
    attributedShare: 0.9,
  }
  const { bound: _, ...less } = backtested
  return { ...less, results: [{ ...own, spending }, ...others] }
}

describe.each([
  ['a backtest', () => backtestHtml(backtestReport(backtested), assets)],
  ['a backtest that is split in part', () => backtestHtml(backtestReport(partlySplit()), assets)],
  ['a plan', () => planHtml(planned, assets)],
])('the report of %s', (_, made) => {
  test('shows no number that is not in its data', () => {
    expect(unfounded(made())).toEqual([])
  })

  test('would be caught with a number that is not', () => {
    const file = made()
    const spoilt = file.replace(/<data value="[^"]*">/, '<data value="123456.789">')
    expect(unfounded(spoilt)).toEqual([expect.stringContaining('123456.789')])
    expect(unfounded(file.replace('</h1>', ' saves 4711 dollars</h1>'))).toEqual(['4711'])
    const [shown = '', value = ''] = /<data value="(\d+\.\d+)">\$/.exec(file) ?? []
    const wrong = shown.replace('$', `$${Math.ceil(Number(value)) + 7}`)
    expect(unfounded(file.replace(shown, wrong)).length).toBeGreaterThan(0)
  })

  test('refers to nothing outside of itself, and its policy allows nothing else', () => {
    const file = made()
    const markup = file.slice(0, file.indexOf('<script type="application/json"'))
    expect(markup).not.toMatch(/\s(src|srcset|poster|style|on\w+)=/)
    expect([...markup.matchAll(/href="([^"]*)"/g)].filter(([, href]) => !href?.startsWith('#'))).toEqual([])
    expect(file).not.toMatch(/url\(|@import/)
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/
      .exec(file)?.[1]
      ?.replaceAll('&#39;', "'")
    const digest = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
    expect(policy).toBe(
      `default-src 'none'; style-src ${digest(assets.style)}; script-src ${digest(assets.reportScript)}; connect-src 'none'; base-uri 'none'; form-action 'none'`,
    )
  })

  test('every chart has a label and its numbers as a table', () => {
    const file = made()
    for (const [chart, id] of file.matchAll(/<svg [^>]*data-table="([^"]*)"[^>]*>/g)) {
      expect(chart).toMatch(/role="img".*aria-label="[^"]+"/)
      expect(file).toContain(`<table id="${id}">`)
    }
    expect(file.match(/<h1/g)).toHaveLength(1)
    expect(file).toContain('<html lang="en">')
  })

  test('names the command that makes it again', () => {
    expect(made()).toMatch(/<pre><code>mixscaler (plan|backtest) --policy [^<]+<\/code><\/pre>/)
  })
})

test('the steps of the money end where it was paid, drawn as they are told', () => {
  const file = backtestHtml(backtestReport(backtested), assets)
  const section = /<section id="spent".*?<\/section>/s.exec(file)?.[0] ?? ''
  const bars = [...section.matchAll(/<rect class="(\w+)" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"/g)].map(
    ([, kind, x, width]) => ({ kind, from: Number(x), to: Number(x) + Number(width) }),
  )
  expect([bars[0]?.kind, bars.at(-1)?.kind]).toEqual(['sum', 'sum'])
  expect(bars).toHaveLength(section.match(/<th scope="row">/g)?.length ?? 0)
  // Each begins where the one before ended, less the width of a mark: on its right after one that adds, on its left after one that saves.
  let reached = bars[0]?.to ?? 0
  for (const { kind, from, to } of bars.slice(1, -1)) {
    expect(Math.abs((kind === 'less' ? to : from) - reached)).toBeLessThan(2)
    reached = kind === 'less' ? from : to
  }
  expect(Math.abs((bars.at(-1)?.to ?? 0) - reached)).toBeLessThan(2)
  const without = backtestHtml(backtestReport({ ...backtested, ours: 'static' }), assets)
  expect(without).toContain('This rule sizes by no demand')
})

const hostile = `</script><script>alert(1)</script><img src=x onerror=alert(2)>"'&`

test('names, reasons and commands of others stay text, in a plan', async () => {
  const seen = chatAt(6)
  const policies = {
    ...smallest,
    policies: smallest.policies.map((policy) => ({ ...policy, model: hostile, name: hostile })),
  }
  const report = await planOf(policies, { ...seen, warnings: [hostile] })
  const file = planHtml({ ...report, command: hostile, whatIf: hostile, version: hostile }, assets)
  expect(file).not.toContain('<script>alert')
  expect(file).not.toContain('<img')
  expect(JSON.stringify(embedded(file))).toContain('alert(1)')
})

test('names of others stay text, in a backtest', () => {
  const evil = (text: string): string => text.replaceAll('h100-tp4', hostile).replaceAll('assistant', hostile)
  const renamed = (value: unknown): unknown => {
    if (typeof value === 'string') return evil(value)
    if (Array.isArray(value)) return value.map(renamed)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [evil(key), renamed(each)]))
  }
  const report = renamed(backtestReport(backtested)) as ReturnType<typeof backtestReport>
  const file = backtestHtml(report, assets)
  expect(file).not.toContain('<script>alert')
  expect(file).not.toContain('<img')
})

test('what could not be seen is shown as no data with its reason, and costs nothing of it', async () => {
  const seen = chatAt(6)
  const [id = '', signals] = Object.entries(seen.variants)[0] ?? []
  if (signals === undefined) throw new Error('no variant')
  const blind = await planOf(smallest, {
    ...seen,
    variants: { [id]: { ...signals, replicas: missing('backendDown', 'kube-state-metrics') } },
  })
  const file = planHtml(blind, assets)
  expect(blind.costPerHour.now).toEqual(missing('backendDown', 'kube-state-metrics'))
  expect(file).toContain(
    '<dt>We pay</dt><dd class="value"><span class="missing" title="the back end does not answer: kube-state-metrics">no data</span>',
  )
})
