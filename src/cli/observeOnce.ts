// One observation for the commands that look once: live now, as Prometheus remembers an earlier instant, or recorded.
import { readFile } from 'node:fs/promises'
import type { Observation } from '../core/observation.ts'
import type { PolicySet } from '../core/policy.ts'
import { systemClock, tickAt, withDeadline } from '../loop/clock.ts'
import { parseObservation } from '../report/observationFile.ts'
import type { Flags, Terminal, Values } from './command.ts'
import { CommandError, exitCodes, usageError } from './exit.ts'
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

/** For the commands that take a recording in place of live metrics. */
export const observationFlags = {
  observation: { type: 'string', placeholder: 'FILE', text: 'look at what `mixscaler record` saved' },
  ...observeOnceFlags,
} as const satisfies Flags

const deadlineSeconds = 60

/** Throws a usage error unless there is exactly one thing to look at. */
export function requireSource({ observation, prometheus, at }: Values<typeof observationFlags>): void {
  if (observation !== undefined && (prometheus !== undefined || at !== undefined))
    throw usageError('--observation excludes --prometheus and --at: a recording has its own instant')
  if (observation === undefined && prometheus === undefined)
    throw usageError(
      'nothing to plan on: give --prometheus URL, or --observation FILE from `mixscaler record`',
    )
}

/** The recording that is named, or what is live now. */
export async function recordedOrLive(
  values: Values<typeof observationFlags>,
  policies: PolicySet,
  terminal: Terminal,
): Promise<Observation> {
  return values.observation === undefined
    ? observeOnce(values, policies, terminal)
    : readObservation(values.observation)
}

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

async function readObservation(file: string): Promise<Observation> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandError(exitCodes.failed, `the observation cannot be read: ${why}`, { cause: error })
  }
  const parsed = parseObservation(text)
  if (parsed.kind === 'good') return parsed.observation
  throw new CommandError(exitCodes.failed, `${file} is not an observation:\n${parsed.problems.join('\n')}`)
}
