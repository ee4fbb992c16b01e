// One observation for the commands that look once: live now, or as Prometheus remembers an earlier instant.
import type { Observation } from '../core/observation.ts'
import type { PolicySet } from '../core/policy.ts'
import { systemClock, tickAt, withDeadline } from '../loop/clock.ts'
import type { Flags, Terminal, Values } from './command.ts'
import { CommandError, exitCodes } from './exit.ts'
import { observingFlags, openEyes } from './observing.ts'
import { defaultInterval, durationFlag, instantFlag } from './values.ts'

export const observeOnceFlags = {
  ...observingFlags,
  at: {
    type: 'string',
    placeholder: 'TIME',
    text: 'look at an earlier instant: 2026-10-01T12:00:00Z, seconds since the epoch, or --at=-5m',
  },
} as const satisfies Flags

const deadlineSeconds = 60

/** Without `--at`: the last tick of serve's grid, so that both look at the same instant. */
export async function observeOnce(
  values: Values<typeof observeOnceFlags>,
  policies: PolicySet,
  terminal: Terminal,
): Promise<Observation> {
  const now = systemClock.now()
  const at =
    values.at === undefined
      ? tickAt(now, durationFlag('interval', defaultInterval))
      : instantFlag('at', values.at, now)
  // Kubernetes knows the present only.
  const kubernetes = values.at === undefined ? values.kubernetes : 'off'
  const eyes = openEyes(
    { ...values, kubernetes },
    { env: terminal.env, queried: () => undefined, noticed: (text) => terminal.error(`note: ${text}\n`) },
  )
  try {
    return await withDeadline(systemClock, 'observing', deadlineSeconds, terminal.signal, (signal) =>
      eyes.observe(policies, at, signal),
    )
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandError(
      exitCodes.failed,
      `nothing could be observed: ${why}. Check --prometheus, its credentials, and that it is reachable from here`,
      { cause: error },
    )
  } finally {
    await eyes.close()
  }
}
