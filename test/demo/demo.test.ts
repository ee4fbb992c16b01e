import { describe, expect, test } from 'vitest'
import type { Terminal } from '../../src/cli/command.ts'
import { demo } from '../../src/cli/demo.ts'
import type { Summary } from '../../src/demo/summary.ts'

/** Runs the command; `columns` makes it a terminal, `stopAfter` presses Ctrl-C after so many writes. */
async function run(argv: readonly string[], options: { columns?: number; stopAfter?: number } = {}) {
  const stop = new AbortController()
  const written: string[] = []
  const errors: string[] = []
  const terminal: Terminal = {
    out: (text) => {
      written.push(text)
      if (written.length === options.stopAfter) stop.abort()
    },
    error: (text) => void errors.push(text),
    ...(options.columns === undefined ? {} : { columns: options.columns }),
    env: {},
    signal: stop.signal,
  }
  const code = await demo.run(argv, terminal)
  return { code, out: written.join(''), errors: errors.join(''), written }
}

/** The whole day as fast as the machine can. */
const fast = ['--seconds', '1', '--speed', '1800']

describe('the demo', () => {
  test('keeps the SLO for less than a static fleet, over real gRPC, and ends with figures that repeat for the seed', async () => {
    const first = await run([...fast, '--seed', '5', '--output', 'json'])
    expect(first.code).toBe(0)
    const summary: Summary = JSON.parse(first.out)
    expect(summary).toMatchObject({ seed: 5, simulatedSeconds: 1800, decisions: 120, failedCalls: 0 })
    expect(summary.requests).toBeGreaterThan(20_000)
    expect(summary.scaleEvents).toBeGreaterThan(5)
    // The policy asks for 95 % each; half an hour's day is steep for replicas that take 90 s to start.
    expect(summary.service.ttft).toBeGreaterThan(0.95)
    expect(summary.service.itl).toBeGreaterThan(0.94)
    expect(summary.peakFleet.service.itl).toBeGreaterThan(0.95)
    expect(summary.cost).toBeLessThan(0.85 * summary.peakFleet.cost)
    expect(first.errors).toContain('SLO: TTFT p95 1000 ms, ITL p95 50 ms')
    const second = await run([...fast, '--seed', '5', '--output', 'json'])
    expect(second.out).toBe(first.out)
  })

  test('off a terminal prints lines and a summary that says how to go on', async () => {
    const { out } = await run(['--seconds', '3', '--speed', '100'])
    expect(out).toMatch(
      /^00:0\d:\d\d {2}\d+\.\d req\/s {2}TTFT p95 \d+ ms .* llama-70b-h100 \d.*->\d .*\$\d+\.\d\d\/h {2}\S/m,
    )
    expect(out).toContain('sized for the peak')
    expect(out).toContain('mixscaler plan --policy policies/ --prometheus http://localhost:9090')
    expect(out).not.toContain('\x1b')
  })

  test('on a terminal redraws one picture in place, no wider than the terminal', async () => {
    const { written } = await run(['--seconds', '1', '--speed', '120'], { columns: 72 })
    const pictures = written.slice(0, -1)
    expect(pictures).toHaveLength(24)
    const heights = new Set(pictures.map((text) => text.split('\n').length - 1))
    expect(heights.size).toBe(1)
    const [height] = heights
    expect(pictures[0]?.startsWith('\x1b[2K')).toBe(true)
    for (const text of pictures.slice(1)) expect(text.startsWith(`\x1b[${height}A`)).toBe(true)
    const lines = pictures.flatMap((text) => text.replace(`\x1b[${height}A`, '').split('\n'))
    expect(Math.max(...lines.map((line) => line.replace('\x1b[2K', '').length))).toBeLessThanOrEqual(72)
    expect(pictures.at(-1)).toContain('carries')
  })

  test('stopped by Ctrl-C ends with the summary so far', async () => {
    const { code, out } = await run(['--seconds', '600', '--speed', '60'], { columns: 100, stopAfter: 6 })
    expect(code).toBe(0)
    expect(out).toContain('requests in 00:00:30')
  })

  test.each([
    [['--speed', '0'], '--speed must be a number from 1 to 10000: got "0"'],
    [['--seconds', 'soon'], '--seconds must be a number from 1 to 3600: got "soon"'],
    [['--output', 'jsn'], '--output must be one of table, json: got "jsn". Did you mean json?'],
  ])('refuses %j', async (argv, message) => {
    await expect(run(argv)).rejects.toThrow(message)
  })
})
