// The reports and the served page in a real browser, light and dark: nothing complains, nothing leaves the page, and
// what the script adds works.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { webAssets } from '../../src/cli/reportFiles.ts'
import { decide } from '../../src/core/decide.ts'
import { missing } from '../../src/core/reading.ts'
import { emptyState } from '../../src/core/state.ts'
import { createTools } from '../../src/core/tools.ts'
import { backtestReport } from '../../src/report/backtest/backtestReport.ts'
import { backtestHtml } from '../../src/report/html/backtestHtml.ts'
import { livePage } from '../../src/report/html/livePage.ts'
import { planDocument } from '../../src/report/planDocument.ts'
import { loadEngines } from '../../src/solvers/engines.ts'
import { type HttpServer, type PlanView, startHttpServer } from '../../src/telemetry/http.ts'
import { chatAt } from '../cli/observations.ts'
import { type Browser, type Page, startChromium } from '../stage/chromium.ts'
import { examplePolicies, reviewed } from './reviewed.ts'

let browser: Browser
let directory: string
let url: string

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'mixscaler-report-'))
  const file = join(directory, 'review.html')
  const input = await reviewed(await examplePolicies('assistant/llama-70b-fp8'), { hours: 2, peaks: [12] })
  writeFileSync(file, backtestHtml(backtestReport(input), webAssets()))
  url = pathToFileURL(file).href
  browser = await startChromium()
})

afterAll(async () => {
  await browser?.close()
  rmSync(directory, { recursive: true, force: true })
})

/** Lightness of the page's background, 0 to 255. */
const backgroundOf = (page: Page) =>
  page.evaluate(`Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])`)

test('the browser is heard: an error, a request and a refused script are complaints', async () => {
  const file = join(directory, 'bad.html')
  writeFileSync(
    file,
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src *; script-src 'sha256-x'"><img src="http://127.0.0.1:9/x.png"><script>1</script>`,
  )
  const page = await browser.open(pathToFileURL(file).href, { scheme: 'light', width: 800 })
  expect(page.requests).toContain('http://127.0.0.1:9/x.png')
  expect(page.complaints.join('\n')).toMatch(/Content Security Policy/)
  await page.close()
})

describe.each(['light', 'dark'] as const)('the report in a %s browser', (scheme) => {
  test('complains of nothing, asks for nothing but itself, and follows the reader and the toggle', async () => {
    const page = await browser.open(url, { scheme, width: 1280 })
    const before = await backgroundOf(page)
    expect(Number(before) > 128).toBe(scheme === 'light')
    await page.evaluate(`document.querySelector('[data-theme-toggle]').click()`)
    expect(Number(await backgroundOf(page)) > 128).toBe(scheme !== 'light')
    expect(page.complaints).toEqual([])
    expect(page.requests).toEqual([url])
    await page.close()
  })
})

test('values are read off a chart with the arrow keys, and are those of its table', async () => {
  const page = await browser.open(url, { scheme: 'light', width: 1280 })
  const read = await page.evaluate(`(() => {
    const chart = document.querySelector('svg[data-table]')
    const press = (key) => chart.dispatchEvent(new KeyboardEvent('keydown', { key }))
    for (const key of ['ArrowRight', 'ArrowRight', 'ArrowRight', 'ArrowLeft']) press(key)
    const tip = chart.closest('figure').querySelector('.tip')
    const row = document.getElementById(chart.dataset.table).tBodies[0].rows[1]
    const shown = [...tip.querySelectorAll('b')].map((each) => each.textContent)
    const table = [...row.cells].slice(1).map((each) => each.textContent)
    press('Escape')
    return { shown, table, isHidden: tip.hidden }
  })()`)
  const { shown, table, isHidden } = read as { shown: string[]; table: string[]; isHidden: boolean }
  expect(shown).toEqual(table)
  expect(shown.length).toBeGreaterThanOrEqual(2)
  expect(isHidden).toBe(true)
  expect(page.complaints).toEqual([])
  await page.close()
})

test('the data can be taken away as JSON and CSV', async () => {
  const page = await browser.open(url, { scheme: 'light', width: 1280 })
  const downloads = await page.evaluate(`(async () => {
    const blobs = []
    URL.createObjectURL = (blob) => { blobs.push(blob); return '#' }
    for (const button of document.querySelectorAll('[data-download]')) button.click()
    return Promise.all(blobs.map((blob) => blob.text()))
  })()`)
  const [json = '', csv = ''] = downloads as string[]
  expect(JSON.parse(json).format).toBe('mixscaler-backtest-report/1')
  expect(csv).toMatch(/^time,assistant\/llama-70b-fp8\/chat demand\/s,/)
  await page.close()
})

test('a phone scrolls wide tables in themselves, and never the page sideways', async () => {
  const page = await browser.open(url, { scheme: 'light', width: 390 })
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390)
  await page.close()
})

test('text keeps a contrast of at least 4.5 to what it stands on, light and dark', async () => {
  for (const scheme of ['light', 'dark'] as const) {
    const page = await browser.open(url, { scheme, width: 1280 })
    const low = await page.evaluate(`(() => {
      const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
      const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1)
        canvas.fillStyle = colour
        canvas.fillRect(0, 0, 1, 1)
        return [...canvas.getImageData(0, 0, 1, 1).data]
      }
      const luminance = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4))
        return 0.2126 * x + 0.7152 * y + 0.0722 * z
      }
      const groundOf = (element) => {
        for (let each = element; each; each = each.parentElement) {
          const ground = rgba(getComputedStyle(each).backgroundColor)
          if (ground[3] === 255) return ground
        }
        return [255, 255, 255]
      }
      const found = new Set()
      for (const element of document.querySelectorAll('body *')) {
        const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '')
        if (!text || element.closest('script')) continue
        const style = getComputedStyle(element)
        const [one, other] = [luminance(rgba(element.closest('svg') ? style.fill : style.color)), luminance(groundOf(element))]
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
        if (ratio < 4.5) found.add(element.tagName + '.' + element.className + ' ' + ratio.toFixed(2))
      }
      return [...found]
    })()`)
    expect(low).toEqual([])
    await page.close()
  }
})

test('prints', async () => {
  const page = await browser.open(url, { scheme: 'dark', width: 1280 })
  const pdf = await page.pdf()
  expect(pdf.subarray(0, 5).toString()).toBe('%PDF-')
  expect(page.complaints).toEqual([])
  await page.close()
})

describe('the served page', () => {
  let server: HttpServer
  let plan: object = {}
  let followed: PlanView | undefined
  let failures: readonly string[] = []

  beforeAll(async () => {
    const { text, contentSecurityPolicy } = livePage(webAssets(), '1.2.3', 'target')
    const policies = await examplePolicies('chat/llama-70b')
    server = await startHttpServer(
      { address: '127.0.0.1', port: 0 },
      {
        page: { text, contentSecurityPolicy },
        metrics: async () => ({ contentType: 'text/plain', text: '' }),
        ready: () => ({ kind: 'ready' }),
        plan: () => followed ?? { kind: 'plan', document: plan },
        policies: () => ({ loadedAt: 0, problems: failures, warnings: [], ...policies }),
        failed: (error) => {
          throw error
        },
      },
    )
    const observation = { ...chatAt(14), at: Math.floor(Date.now() / 1000) - 5 }
    const tools = createTools(await loadEngines())
    const { decision } = decide(policies, emptyState, observation, tools)
    const hostile = `<img src=x onerror="alert(1)">`
    plan = planDocument({
      ...decision,
      warnings: [hostile],
      policies: decision.policies.map((policy) => ({
        ...policy,
        name: hostile,
        classes: policy.classes.map((each) => ({ ...each, forecast: missing('idle') })),
      })),
    })
  })

  afterAll(async () => server?.close())

  const shownOn = async (scheme: 'light' | 'dark') => {
    const page = await browser.open(`http://127.0.0.1:${server.port}/`, { scheme, width: 1280 })
    const text = await page.evaluate(`new Promise((resolve) => {
      const look = () => document.querySelector('.tiles') ? resolve(document.body.innerText) : setTimeout(look, 20)
      look()
    })`)
    return { page, text: String(text) }
  }

  test.each([
    'light',
    'dark',
  ] as const)('answers why a count is what it is, in a %s browser', async (scheme) => {
    const { page, text } = await shownOn(scheme)
    expect(text).toContain('h100-tp4')
    expect(text).toMatch(/carries 100 % of chat at [\d.]+ req\/s per replica, limited by \w+/)
    expect(text).toMatch(/\d+ s ago/)
    expect(text).toContain('no data')
    expect(page.complaints).toEqual([])
    const origin = `http://127.0.0.1:${server.port}`
    expect(new Set(page.requests.filter((request) => !request.startsWith('data:')))).toEqual(
      new Set([`${origin}/`, `${origin}/api/v1/plan`, `${origin}/api/v1/policies`]),
    )
    await page.close()
  })

  test('says that it is a dry run where it is one, and only there', async () => {
    const { page, text } = await shownOn('light')
    expect(text).not.toContain('dry run')
    await page.close()
    const file = join(directory, 'dry.html')
    writeFileSync(file, livePage(webAssets(), '1.2.3', 'current').text)
    const dry = await browser.open(pathToFileURL(file).href, { scheme: 'dark', width: 1280 })
    expect(String(await dry.evaluate('document.body.innerText'))).toContain(
      'dry run KEDA is told the counts that are asked for already',
    )
    await dry.close()
  })

  test('shows what another server decided while that is told', async () => {
    followed = {
      kind: 'none',
      why: 'another server decided',
      followed: { targets: { 'chat/llama/h100': 7 } },
    }
    const page = await browser.open(`http://127.0.0.1:${server.port}/`, { scheme: 'light', width: 1280 })
    const text = await page.evaluate(`new Promise((resolve) => {
      const look = () => document.querySelector('td') ? resolve(document.body.innerText) : setTimeout(look, 20)
      look()
    })`)
    followed = undefined
    expect(text).toMatch(/another server decided[\s\S]*chat\/llama\/h100\s+7/)
    await page.close()
  })

  test('shows names as text, and what is wrong with policy files', async () => {
    failures = ['chat.yaml:3:1: <b>spec</b> is missing']
    const { page, text } = await shownOn('light')
    expect(text).toContain('<img src=x onerror="alert(1)">')
    expect(text).toContain('chat.yaml:3:1: <b>spec</b> is missing')
    expect(await page.evaluate(`document.querySelectorAll('img, b b').length`)).toBe(0)
    expect(page.complaints).toEqual([])
    await page.close()
  })
})
