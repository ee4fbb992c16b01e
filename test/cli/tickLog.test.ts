// The log of a night: what changed is news, what stays the same is not.
import { expect, test } from 'vitest'
import { tickLog } from '../../src/cli/tickLog.ts'
import type { TickOutcome, TickReport } from '../../src/loop/tick.ts'
import type { Log, Logger } from '../../src/telemetry/logger.ts'
import { decisionOf, policyOf, policySetOf } from '../loop/values.ts'

const set = policySetOf([policyOf()])

/** What a logger at level `info` would show: level and message. */
function shown() {
  const lines: string[] = []
  const at =
    (level: string): Log =>
    (_, message) =>
      lines.push(`${level} ${message}`)
  const logger: Logger = { debug: () => undefined, info: at('info'), warn: at('warn'), error: at('error') }
  const log = tickLog(logger)
  const report = (outcome: TickOutcome): TickReport => ({ at: 1005, outcome, seconds: { whole: 0.1 } })
  return {
    lines,
    decided: (target: number, warnings: readonly string[] = []) =>
      log(report({ kind: 'published', decision: { ...decisionOf(set, 1005, target), warnings } })),
    failed: (message: string) => log(report({ kind: 'failed', step: 'observe', error: new Error(message) })),
    followed: () => log(report({ kind: 'followed', at: 990 })),
    repeated: () => log(report({ kind: 'repeated' })),
  }
}

test('a target is said when it changes', () => {
  const { lines, decided, repeated } = shown()
  decided(2)
  decided(2)
  repeated()
  decided(3)
  expect(lines).toEqual(['info decided', 'info decided'])
})

test('a fault is said once, another fault again, and the end of both once', () => {
  const { lines, decided, failed } = shown()
  decided(2)
  failed('timeout')
  failed('timeout')
  failed('refused')
  decided(2)
  decided(2)
  const fault = 'warn tick failed; the last decision stands'
  expect(lines).toEqual(['info decided', fault, fault, 'info ticks succeed again'])
})

test('that another server is followed is said once, and once when that is over', () => {
  const { lines, decided, followed } = shown()
  followed()
  followed()
  decided(2)
  decided(2)
  followed()
  expect(lines).toEqual([
    'info the past is still read: KEDA is told what another server decided until then',
    'info decides for itself',
    'info decided',
    'info the past is still read: KEDA is told what another server decided until then',
  ])
})

test('a warning of the observation is said when it appears, and again only after it was gone', () => {
  const { lines, decided } = shown()
  decided(2, ['doubled series'])
  decided(2, ['doubled series'])
  decided(2)
  decided(2, ['doubled series'])
  expect(lines).toEqual(['info decided', 'warn doubled series', 'warn doubled series'])
})
