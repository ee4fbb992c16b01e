// Waiting for what a reader does in the background: short times, and a check that is repeated until it holds.
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Timing } from '../../src/kubernetes/timing.ts'

export const quick: Timing = {
  staleAfterSeconds: 60,
  resyncSeconds: 600,
  scaleRefreshSeconds: 0.1,
  requestSeconds: 1,
  watchSeconds: 0.4,
  eventRoundSeconds: 0.02,
  eventPauseSeconds: 0.4,
  retrySeconds: { first: 0.02, longest: 0.1 },
}

/** Waits until `check` holds; fails with its last value after five seconds. */
export async function eventually<T>(value: () => T, check: (value: T) => boolean): Promise<T> {
  for (let i = 0; i < 250 && !check(value()); i++) await pause(20)
  expect(value()).toSatisfy(check)
  return value()
}
