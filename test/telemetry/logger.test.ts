// What reaches stderr, as a process of its own writes it.
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

const logger = new URL('../../src/telemetry/logger.ts', import.meta.url).href

function logged(level: string, format: string): string {
  const script = `
    import { createLogger } from ${JSON.stringify(logger)}
    const log = createLogger(${JSON.stringify(level)}, ${JSON.stringify(format)})
    log.debug({ tick: 1 }, 'quiet')
    log.warn({ step: 'observe' }, 'tick failed')`
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  })
  expect([status, stdout]).toEqual([0, ''])
  return stderr
}

test('JSON lines carry level, time, fields and message, and no host or process', () => {
  const lines = logged('info', 'json').trim().split('\n')
  expect(lines).toHaveLength(1)
  const { time, ...rest } = JSON.parse(lines[0] ?? '')
  expect(rest).toEqual({ level: 'warn', step: 'observe', msg: 'tick failed' })
  expect(new Date(time).toISOString()).toBe(time)
})

test('a lower level says more', () => {
  expect(logged('debug', 'json').trim().split('\n')).toHaveLength(2)
})

test('on a terminal a line can be read by a person', () => {
  expect(logged('info', 'pretty')).toMatch(/WARN.*tick failed/)
})
